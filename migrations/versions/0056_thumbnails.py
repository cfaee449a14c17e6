"""Thumbnails made at finish: the ThumbHash of each asset, and of each hold until it is carried out."""

from __future__ import annotations

from alembic import op

revision = "0056"
down_revision = "0055"
branch_labels = None
depends_on = None

_COLUMNS = """
ALTER TABLE assets ADD COLUMN thumbhash text CHECK (thumbhash ~ '^[A-Za-z0-9+/]{8,40}={0,2}$');
ALTER TABLE holds ADD COLUMN thumbhash text CHECK (thumbhash ~ '^[A-Za-z0-9+/]{8,40}={0,2}$');
GRANT UPDATE (thumbhash) ON assets, holds TO presswork_clerk;
"""


def upgrade() -> None:
    op.execute(_COLUMNS)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

"""Requests of pictures that another tool made, with what their sender states of their origin."""

from __future__ import annotations

from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None

_ORIGINS = """
ALTER TABLE requests ADD COLUMN origin jsonb;
ALTER TABLE requests DROP CONSTRAINT requests_kind_check;
ALTER TABLE requests ADD CONSTRAINT requests_kind_check CHECK (kind IN ('single', 'campaign', 'batch', 'marks'));
ALTER TABLE requests ADD CONSTRAINT requests_origin_check
  CHECK ((kind = 'marks') = (origin IS NOT NULL) AND (origin IS NULL OR jsonb_typeof(origin) = 'object'));
"""


def upgrade() -> None:
    op.execute(_ORIGINS)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

"""Renditions of one row: files of its images, where its row asks for others than its request.

NULL, and every item that is older than this: those of the request.
"""

from __future__ import annotations

from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE items ADD COLUMN renditions text[];")


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

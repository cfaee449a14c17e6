"""Screening: an item says which rules rewrote its texts before they were sampled, and which seed it was drawn with."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE items ADD COLUMN rewrites jsonb CHECK (jsonb_typeof(rewrites) = 'array')")
    op.execute("GRANT UPDATE (seed) ON items TO presswork_worker")  # a picture drawn again has another


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

"""Linked runs: a campaign names the earlier request whose rows it corrects."""

from __future__ import annotations

from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE requests ADD COLUMN parent_id uuid REFERENCES requests (id) CHECK (parent_id <> id)")


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

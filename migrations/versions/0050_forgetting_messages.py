"""Index for messages of webhooks that are forgotten.

The clerk looks for messages that were settled a month ago in every round. Without this index each look read every
message of the month, of which there is one for each image.
"""

from __future__ import annotations

from alembic import op

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE INDEX webhook_deliveries_by_end ON webhook_deliveries (settled_at) WHERE settled_at IS NOT NULL")


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

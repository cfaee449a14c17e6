"""Webhooks are told that a held picture waits for a reviewer. The worker that holds it writes the message."""

from __future__ import annotations

from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

_EVENTS = """
ALTER TABLE webhooks DROP CONSTRAINT webhooks_events_check;
ALTER TABLE webhooks ADD CONSTRAINT webhooks_events_check CHECK (cardinality(events) >= 1
  AND events <@ ARRAY['asset.released', 'asset.recalled', 'campaign.pilot_ready', 'request.paused',
                      'request.finished', 'review.waiting']);
"""


def upgrade() -> None:
    op.execute(_EVENTS)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

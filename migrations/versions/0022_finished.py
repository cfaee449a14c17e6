"""Webhooks are told that a request is finished.

The API ends a request where a cancel settles its last item, so it may write that message too, and no other but tests.
"""

from __future__ import annotations

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_EVENTS = """
ALTER TABLE webhooks DROP CONSTRAINT webhooks_events_check;
ALTER TABLE webhooks ADD CONSTRAINT webhooks_events_check CHECK (cardinality(events) >= 1
  AND events <@ ARRAY['asset.released', 'asset.recalled', 'request.finished']);
DROP POLICY api_tests ON webhook_deliveries;
CREATE POLICY api_tests ON webhook_deliveries AS RESTRICTIVE FOR INSERT TO presswork_api
  WITH CHECK (state = 'pending' AND event IN ('webhook.test', 'request.finished')
    AND EXISTS (SELECT FROM webhooks w WHERE w.id = webhook_id AND w.tenant = webhook_deliveries.tenant));
"""


def upgrade() -> None:
    op.execute(_EVENTS)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

"""Webhooks: change one, send a test message, send a delivery again.

A message is given up a while after sending was last asked for, and its waits double from there: `asked_at` and
`earlier_attempts` say when that was. The API's role may write test messages and make settled ones pending again; it
may neither write another message nor settle one.
"""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_COLUMNS = """
ALTER TABLE webhook_deliveries
  ADD COLUMN asked_at timestamptz NOT NULL DEFAULT now(),
  ADD COLUMN earlier_attempts integer NOT NULL DEFAULT 0 CHECK (earlier_attempts BETWEEN 0 AND attempts);
UPDATE webhook_deliveries SET asked_at = created_at;
"""

_RIGHTS = """
GRANT UPDATE (url, events) ON webhooks TO presswork_api;
GRANT INSERT (webhook_id, tenant, message_id, event, body, state) ON webhook_deliveries TO presswork_api;
GRANT UPDATE (state, next_at, settled_at, asked_at, earlier_attempts) ON webhook_deliveries TO presswork_api;
CREATE POLICY api_tests ON webhook_deliveries AS RESTRICTIVE FOR INSERT TO presswork_api
  WITH CHECK (state = 'pending' AND event = 'webhook.test'
    AND EXISTS (SELECT FROM webhooks w WHERE w.id = webhook_id AND w.tenant = webhook_deliveries.tenant));
CREATE POLICY api_resends ON webhook_deliveries AS RESTRICTIVE FOR UPDATE TO presswork_api
  USING (true) WITH CHECK (state = 'pending');
"""


def upgrade() -> None:
    op.execute(_COLUMNS)
    op.execute(_RIGHTS)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

"""Budgets of one request, and the message that a budget runs low: once for each threshold since its limits were set."""

from __future__ import annotations

from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

_COLUMNS = """
ALTER TABLE budgets ADD COLUMN request_id uuid REFERENCES requests (id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE budgets ADD COLUMN told_percent smallint NOT NULL DEFAULT 0 CHECK (told_percent BETWEEN 0 AND 100);
ALTER TABLE budgets ADD CHECK (request_id IS NULL OR key_id IS NULL);
ALTER TABLE budgets DROP CONSTRAINT budgets_tenant_key_id_key;
ALTER TABLE budgets ADD UNIQUE NULLS NOT DISTINCT (tenant, key_id, request_id);
CREATE UNIQUE INDEX budgets_by_request ON budgets (request_id) WHERE request_id IS NOT NULL;
"""

_EVENTS = """
ALTER TABLE webhooks DROP CONSTRAINT webhooks_events_check;
ALTER TABLE webhooks ADD CONSTRAINT webhooks_events_check CHECK (cardinality(events) >= 1
  AND events <@ ARRAY['asset.released', 'asset.recalled', 'campaign.pilot_ready', 'request.paused',
                      'request.finished', 'review.waiting', 'budget.low']);
"""

_GRANTS = """
GRANT UPDATE (told_percent) ON budgets TO presswork_api, presswork_worker;
"""


def upgrade() -> None:
    for statements in (_COLUMNS, _EVENTS, _GRANTS):
        op.execute(statements)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

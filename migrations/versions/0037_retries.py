"""Retries: failed items of a request are made again, as a round, with another attempt number than before.

The API may put a failed item back, and no other: a trigger refuses every other way into `pending`.
"""

from __future__ import annotations

from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

_COLUMNS = """
ALTER TABLE requests ADD COLUMN round smallint NOT NULL DEFAULT 0 CHECK (round >= 0);
ALTER TABLE items ADD COLUMN attempts_before integer NOT NULL DEFAULT 0 CHECK (attempts_before >= 0);
"""

_GUARD = """
CREATE FUNCTION only_failed_items_are_retried() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'item % is % and cannot become pending', OLD.id, OLD.state;
END $$;
CREATE TRIGGER items_retried BEFORE UPDATE ON items FOR EACH ROW
  WHEN (NEW.state = 'pending' AND OLD.state NOT IN ('failed', 'pending'))
  EXECUTE FUNCTION only_failed_items_are_retried();
DROP POLICY api_cancels_and_refuses ON items;
CREATE POLICY api_cancels_refuses_and_retries ON items AS RESTRICTIVE FOR UPDATE TO presswork_api
  USING (true)
  WITH CHECK (state = 'cancelled' OR (state = 'pending' AND batch_id IS NULL) OR (state = 'refused' AND EXISTS (
    SELECT FROM holds h WHERE h.item_id = items.id AND h.tenant = items.tenant AND NOT h.release)));
"""

_GRANTS = """
GRANT UPDATE (batch_id, batch_position, reason, seed, attempts_before, gpu_seconds, energy_joules, cost, currency)
  ON items TO presswork_api;
GRANT UPDATE (round, budgets) ON requests TO presswork_api;
"""


def upgrade() -> None:
    for statements in (_COLUMNS, _GUARD, _GRANTS):
        op.execute(statements)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

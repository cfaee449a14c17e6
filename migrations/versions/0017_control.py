"""Control of a request: its phase, the gate that the planner asks, its deadline, and the sample of a pilot.

A request that an older process stores gets the defaults: it runs, without a deadline. Its queue is that of its items,
which are stored first. The gate follows from the phase, so that the two cannot differ.
"""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_COLUMNS = """
ALTER TABLE requests
  ADD COLUMN queue        text,
  ADD COLUMN phase        text NOT NULL DEFAULT 'running' CHECK (phase IN
    ('pilot', 'awaiting_acceptance', 'running', 'paused', 'finished', 'cancelled', 'expired')),
  ADD COLUMN paused_for   text CHECK (paused_for IN ('person', 'breaker', 'budget', 'deadline', 'policy')),
  ADD COLUMN paused_from  text CHECK (paused_from IN ('pilot', 'awaiting_acceptance', 'running')),
  ADD COLUMN deadline     timestamptz,
  ADD COLUMN at_deadline  text NOT NULL DEFAULT 'pause' CHECK (at_deadline IN ('pause', 'expire')),
  ADD COLUMN ended_at     timestamptz,
  ADD CHECK ((phase = 'paused') = (paused_for IS NOT NULL)),
  ADD CHECK ((phase = 'paused') = (paused_from IS NOT NULL)),
  ADD CHECK ((phase IN ('finished', 'cancelled', 'expired')) = (ended_at IS NOT NULL));
ALTER TABLE requests
  ADD COLUMN gate text NOT NULL GENERATED ALWAYS AS
    (CASE phase WHEN 'running' THEN 'open' WHEN 'pilot' THEN 'sample' ELSE 'closed' END) STORED;
ALTER TABLE items ADD COLUMN sample boolean NOT NULL DEFAULT false;
"""

_FILL = """
UPDATE requests r SET
  queue = coalesce((SELECT i.queue FROM items i WHERE i.request_id = r.id LIMIT 1), 'gpu'),
  phase = CASE WHEN EXISTS (SELECT FROM items i WHERE i.request_id = r.id AND i.state IN ('pending', 'planned'))
               THEN 'running' WHEN r.cancelled_at IS NULL THEN 'finished' ELSE 'cancelled' END,
  ended_at = CASE WHEN EXISTS (SELECT FROM items i WHERE i.request_id = r.id AND i.state IN ('pending', 'planned'))
                  THEN NULL
                  ELSE coalesce((SELECT max(i.settled_at) FROM items i WHERE i.request_id = r.id), r.created_at) END;
"""

_QUEUE = """
CREATE FUNCTION queue_of_items() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.queue := coalesce(NEW.queue, (SELECT queue FROM items WHERE request_id = NEW.id LIMIT 1), 'gpu');
  RETURN NEW;
END $$;
CREATE TRIGGER requests_queue BEFORE INSERT ON requests FOR EACH ROW EXECUTE FUNCTION queue_of_items();
ALTER TABLE requests ALTER COLUMN queue SET NOT NULL;
"""

_INDEXES = """
CREATE INDEX requests_open ON requests (queue, tenant, priority, deadline, id) WHERE gate <> 'closed';
CREATE INDEX requests_due ON requests (deadline) WHERE deadline IS NOT NULL AND ended_at IS NULL;
CREATE INDEX items_waiting ON items (request_id, sample DESC, id) WHERE state = 'pending';
"""

_GRANTS = """
GRANT UPDATE (phase, paused_for, paused_from, deadline, at_deadline, priority, ended_at) ON requests TO presswork_api;
GRANT UPDATE (phase, paused_for, paused_from, ended_at) ON requests TO presswork_worker;
GRANT DELETE ON turns TO presswork_worker;
"""


def upgrade() -> None:
    for statements in (_COLUMNS, _FILL, _QUEUE, _INDEXES, _GRANTS):
        op.execute(statements)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

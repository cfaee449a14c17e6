"""Schedules of catalogues: what runs by itself, and each due time that was taken.

The key of a tick is its due time, so two clerks begin none twice. The API's role sees one tenant's rows at a time:
which ticks of all tenants wait for a process is told by a function of the owner.
"""

from __future__ import annotations

from alembic import op

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE catalogue_schedules (
  catalogue_id uuid PRIMARY KEY REFERENCES catalogues (id),
  tenant       text NOT NULL,
  version      integer NOT NULL CHECK (version >= 1),
  key_id       uuid NOT NULL,
  timetable    jsonb NOT NULL,
  due_at       timestamptz NOT NULL,
  begin_at     timestamptz NOT NULL CHECK (begin_at >= due_at),
  started_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX catalogue_schedules_due ON catalogue_schedules (begin_at);

CREATE TABLE catalogue_ticks (
  catalogue_id uuid NOT NULL REFERENCES catalogues (id),
  due_at       timestamptz NOT NULL,
  tenant       text NOT NULL,
  state        text NOT NULL CHECK (state IN ('begun', 'ended')),
  plan_id      uuid REFERENCES catalogue_plans (id),
  missed       integer NOT NULL DEFAULT 0 CHECK (missed >= 0),
  outcome      text CHECK (outcome IN ('applied', 'nothing', 'asked', 'failed', 'refused', 'overlapped')),
  reason       text NOT NULL DEFAULT '',
  run          integer,
  lease_until  timestamptz,
  begun_at     timestamptz NOT NULL DEFAULT now(),
  ended_at     timestamptz,
  PRIMARY KEY (catalogue_id, due_at),
  CHECK ((state = 'ended') = (outcome IS NOT NULL)),
  CHECK ((state = 'ended') = (ended_at IS NOT NULL)),
  CHECK ((outcome = 'applied') = (run IS NOT NULL)),
  CHECK (plan_id IS NOT NULL OR outcome = 'overlapped')
);
CREATE UNIQUE INDEX catalogue_ticks_one_at_a_time ON catalogue_ticks (catalogue_id) WHERE state = 'begun';
"""

_EVENTS = """
ALTER TABLE webhooks DROP CONSTRAINT webhooks_events_check;
ALTER TABLE webhooks ADD CONSTRAINT webhooks_events_check CHECK (cardinality(events) >= 1
  AND events <@ ARRAY['asset.released', 'asset.recalled', 'campaign.pilot_ready', 'request.paused',
                      'request.finished', 'review.waiting', 'budget.low', 'delivery.paused',
                      'catalogue.paused', 'catalogue.run_finished', 'catalogue.tick_stopped']);
"""

_WALL = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_wall ON {table} TO presswork_api
  USING (tenant = nullif(current_setting('presswork.tenant', true), ''))
  WITH CHECK (tenant = nullif(current_setting('presswork.tenant', true), ''));
CREATE POLICY desk ON {table} TO presswork_clerk, CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY audit ON {table} FOR SELECT TO presswork_auditor USING (true);
"""

_GRANTS = """
GRANT SELECT, INSERT, DELETE, UPDATE (version, key_id, timetable, due_at, begin_at) ON catalogue_schedules
  TO presswork_api;
GRANT SELECT, UPDATE (state, outcome, reason, run, lease_until, ended_at) ON catalogue_ticks TO presswork_api;
GRANT SELECT, UPDATE (due_at, begin_at) ON catalogue_schedules TO presswork_clerk;
GRANT SELECT, INSERT ON catalogue_ticks TO presswork_clerk;
GRANT INSERT ON catalogue_plans TO presswork_clerk;
GRANT SELECT ON catalogue_schedules, catalogue_ticks TO presswork_auditor;
"""

_WAITING = """
CREATE FUNCTION catalogue_ticks_waiting()
RETURNS TABLE (tenant text, catalogue_id uuid, due_at timestamptz, plan_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT t.tenant, t.catalogue_id, t.due_at, t.plan_id
  FROM catalogue_ticks t JOIN catalogue_plans p ON p.id = t.plan_id
  WHERE t.state = 'begun' AND coalesce(t.lease_until, '-infinity') < clock_timestamp()
    AND (p.state <> 'planning' OR coalesce(p.lease_until, '-infinity') < clock_timestamp())
  ORDER BY t.begun_at LIMIT 100
$$;
REVOKE ALL ON FUNCTION catalogue_ticks_waiting() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION catalogue_ticks_waiting() TO presswork_api;
"""


def upgrade() -> None:
    op.execute(_TABLES)
    for table in ("catalogue_schedules", "catalogue_ticks"):
        op.execute(_WALL.format(table=table))
    for statements in (_GRANTS, _WAITING, _EVENTS):
        op.execute(statements)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

"""Checks of large campaigns: a file that is accepted first, and checked behind the answer."""

from __future__ import annotations

from alembic import op

revision = "0058"
down_revision = "0057"
branch_labels = None
depends_on = None

_PURPOSES = """
ALTER TABLE files DROP CONSTRAINT files_purpose_check;
ALTER TABLE files ADD CONSTRAINT files_purpose_check
  CHECK (purpose IN ('batch', 'batch_output', 'vision', 'campaign'));
"""

_TABLE = """
CREATE TABLE campaign_checks (
  id               uuid PRIMARY KEY,
  tenant           text NOT NULL REFERENCES tenants (id),
  key_id           uuid NOT NULL,
  name             text NOT NULL,
  spec             jsonb NOT NULL,
  file_id          uuid NOT NULL,
  pictures_file_id uuid,
  bytes            bigint NOT NULL CHECK (bytes >= 0),
  state            text NOT NULL DEFAULT 'checking'
                   CHECK (state IN ('checking', 'accepted', 'checked', 'failed', 'cancelled')),
  stage            text NOT NULL DEFAULT 'waiting' CHECK (stage IN ('waiting', 'checking', 'storing')),
  rows             integer CHECK (rows >= 0),
  rows_checked     integer NOT NULL DEFAULT 0 CHECK (rows_checked >= 0),
  attempt          integer NOT NULL DEFAULT 0 CHECK (attempt >= 0),
  unfinished       integer NOT NULL DEFAULT 0 CHECK (unfinished >= 0),
  lease_until      timestamptz,
  reply            jsonb,
  problem          jsonb,
  created_at       timestamptz NOT NULL DEFAULT now(),
  ended_at         timestamptz,
  CHECK ((state = 'checking') = (ended_at IS NULL)),
  CHECK ((state IN ('accepted', 'checked')) = (reply IS NOT NULL)),
  CHECK ((state = 'failed') = (problem IS NOT NULL))
);
CREATE INDEX campaign_checks_listed ON campaign_checks (tenant, id);
CREATE INDEX campaign_checks_open ON campaign_checks (created_at) WHERE ended_at IS NULL;
CREATE INDEX campaign_checks_over ON campaign_checks (ended_at) WHERE ended_at IS NOT NULL;
"""

_WALL = """
ALTER TABLE campaign_checks ENABLE ROW LEVEL SECURITY;
ALTER TABLE campaign_checks FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_wall ON campaign_checks TO presswork_api
  USING (tenant = nullif(current_setting('presswork.tenant', true), ''))
  WITH CHECK (tenant = nullif(current_setting('presswork.tenant', true), ''));
CREATE POLICY desk ON campaign_checks TO presswork_clerk, CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY audit ON campaign_checks FOR SELECT TO presswork_auditor USING (true);
"""

_GRANTS = """
GRANT SELECT, INSERT, UPDATE (name, spec, state, stage, rows, rows_checked, attempt, unfinished, lease_until, reply,
  problem, ended_at) ON campaign_checks TO presswork_api;
GRANT SELECT, DELETE ON campaign_checks TO presswork_clerk;
GRANT SELECT ON campaign_checks TO presswork_auditor;
"""

_WAITING = """
CREATE FUNCTION campaign_checks_waiting()
RETURNS TABLE (tenant text, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT c.tenant, c.id FROM campaign_checks c
  WHERE c.ended_at IS NULL AND coalesce(c.lease_until, '-infinity') < clock_timestamp()
  ORDER BY c.created_at LIMIT 100
$$;
REVOKE ALL ON FUNCTION campaign_checks_waiting() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION campaign_checks_waiting() TO presswork_api;
"""


def upgrade() -> None:
    op.execute(_PURPOSES)
    op.execute(_TABLE)
    op.execute(_WALL)
    op.execute(_GRANTS)
    op.execute(_WAITING)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

"""Breakers: the sums that pause a campaign when too many of its rows are bad, and what waits to be counted.

Campaigns that an older process stores, and those that run already, are not watched. A row that an older worker settles
is not counted.
"""

from __future__ import annotations

from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE breakers (
  request_id       uuid PRIMARY KEY REFERENCES requests (id),
  tenant           text NOT NULL REFERENCES tenants (id),
  rows             integer NOT NULL CHECK (rows >= 1),
  threshold        double precision NOT NULL CHECK (threshold > 0),
  policy_sum       double precision NOT NULL DEFAULT 0 CHECK (policy_sum >= 0),
  policy_rows      integer NOT NULL DEFAULT 0,
  policy_bad       integer NOT NULL DEFAULT 0 CHECK (policy_bad BETWEEN 0 AND policy_rows),
  failures_sum     double precision NOT NULL DEFAULT 0 CHECK (failures_sum >= 0),
  failures_rows    integer NOT NULL DEFAULT 0,
  failures_bad     integer NOT NULL DEFAULT 0 CHECK (failures_bad BETWEEN 0 AND failures_rows),
  rejections_sum   double precision NOT NULL DEFAULT 0 CHECK (rejections_sum >= 0),
  rejections_rows  integer NOT NULL DEFAULT 0,
  rejections_bad   integer NOT NULL DEFAULT 0 CHECK (rejections_bad BETWEEN 0 AND rejections_rows),
  since            timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE breaker_notes (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  request_id  uuid NOT NULL REFERENCES breakers (request_id),
  tenant      text NOT NULL,
  item_id     uuid,
  kind        text NOT NULL CHECK (kind IN ('settled', 'reviewed', 'restart')),
  CHECK ((kind = 'restart') = (item_id IS NULL))
);

ALTER TABLE requests ADD COLUMN paused_figures jsonb CHECK (paused_figures IS NULL OR phase = 'paused');
"""

_WALLS = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_wall ON {table} TO presswork_api
  USING (tenant = nullif(current_setting('presswork.tenant', true), ''))
  WITH CHECK (tenant = nullif(current_setting('presswork.tenant', true), ''));
CREATE POLICY line ON {table} TO presswork_worker, CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY audit ON {table} FOR SELECT TO presswork_auditor USING (true);
GRANT SELECT ON {table} TO presswork_auditor;
"""

_GRANTS = """
GRANT SELECT, INSERT ON breakers TO presswork_api;
GRANT INSERT ON breaker_notes TO presswork_api;
GRANT SELECT, UPDATE ON breakers TO presswork_worker;
GRANT SELECT, INSERT, DELETE ON breaker_notes TO presswork_worker;
GRANT UPDATE (paused_figures) ON requests TO presswork_api, presswork_worker;
"""


def upgrade() -> None:
    op.execute(_TABLES)
    for table in ("breakers", "breaker_notes"):
        op.execute(_WALLS.format(table=table))
    op.execute(_GRANTS)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

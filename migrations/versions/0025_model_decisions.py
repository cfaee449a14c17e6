"""Decisions about models: who may use which revision, until when, and who said so.

A row without a tenant is of the installation: every tenant reads it, and no API process writes one. The events in the
ledger keep what a later decision replaced.
"""

from __future__ import annotations

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_TABLE = """
CREATE TABLE model_decisions (
  id              uuid PRIMARY KEY,
  tenant          text REFERENCES tenants (id),
  model           text NOT NULL,
  model_revision  text NOT NULL,
  state           text NOT NULL CHECK (state IN ('approved', 'retired')),
  tenants         text[],
  expires         date,
  decided_by      text NOT NULL,
  reason          text NOT NULL,
  decided_at      timestamptz NOT NULL DEFAULT now(),
  UNIQUE NULLS NOT DISTINCT (tenant, model, model_revision)
);
"""

_WALL = """
ALTER TABLE model_decisions ENABLE ROW LEVEL SECURITY;
ALTER TABLE model_decisions FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_wall ON model_decisions TO presswork_api
  USING (tenant = nullif(current_setting('presswork.tenant', true), '') OR tenant IS NULL)
  WITH CHECK (tenant = nullif(current_setting('presswork.tenant', true), ''));
CREATE POLICY line ON model_decisions TO presswork_worker, CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY audit ON model_decisions FOR SELECT TO presswork_auditor USING (true);
"""

_GRANTS = """
GRANT SELECT, INSERT, UPDATE (state, tenants, expires, decided_by, reason, decided_at) ON model_decisions
  TO presswork_api, presswork_worker;
GRANT SELECT ON model_decisions TO presswork_auditor;
"""


def upgrade() -> None:
    for statements in (_TABLE, _WALL, _GRANTS):
        op.execute(statements)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

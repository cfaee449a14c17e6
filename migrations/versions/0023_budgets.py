"""Budgets: how many images a tenant or one of its API keys may have made, what is reserved of it and what was made.

Open items of a tenant that is given a budget later are not reserved: they were accepted before it. A reservation is
released or spent by the change that settles the item, in its transaction, so none outlives its item.
"""

from __future__ import annotations

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_TABLE = """
CREATE TABLE budgets (
  id               uuid PRIMARY KEY,
  tenant           text NOT NULL REFERENCES tenants (id),
  key_id           uuid REFERENCES api_keys (id),
  images           bigint NOT NULL CHECK (images >= 0),
  images_reserved  bigint NOT NULL DEFAULT 0 CHECK (images_reserved >= 0),
  images_made      bigint NOT NULL DEFAULT 0 CHECK (images_made >= 0),
  created_at       timestamptz NOT NULL DEFAULT now(),
  UNIQUE NULLS NOT DISTINCT (tenant, key_id)
);
ALTER TABLE requests ADD COLUMN budgets uuid[] NOT NULL DEFAULT '{}';
CREATE INDEX items_settled ON items (tenant, settled_at) WHERE settled_at IS NOT NULL;
"""

_WALL = """
ALTER TABLE budgets ENABLE ROW LEVEL SECURITY;
ALTER TABLE budgets FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_wall ON budgets TO presswork_api
  USING (tenant = nullif(current_setting('presswork.tenant', true), ''))
  WITH CHECK (tenant = nullif(current_setting('presswork.tenant', true), ''));
CREATE POLICY line ON budgets TO presswork_worker, CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY audit ON budgets FOR SELECT TO presswork_auditor USING (true);
"""

_GRANTS = """
GRANT SELECT, INSERT, DELETE, UPDATE (images, images_made, images_reserved) ON budgets TO presswork_api;
GRANT SELECT, UPDATE (images_made, images_reserved) ON budgets TO presswork_worker;
GRANT SELECT ON budgets TO presswork_auditor;
"""


def upgrade() -> None:
    for statements in (_TABLE, _WALL, _GRANTS):
        op.execute(statements)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

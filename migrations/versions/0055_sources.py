"""Sources: buckets of tenants that inputs and feeds are read from, with the secrets that open them.

The API reads feeds and their pictures, identify reads inputs: both read the secrets, which are of keys that may only
read.
"""

from __future__ import annotations

from alembic import op

revision = "0055"
down_revision = "0054"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE source_buckets (
  id            uuid PRIMARY KEY,
  tenant        text NOT NULL REFERENCES tenants (id),
  endpoint      text NOT NULL,
  region        text NOT NULL,
  bucket        text NOT NULL CHECK (bucket ~ '^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$'),
  prefix        text NOT NULL CHECK (prefix = '' OR prefix LIKE '%/'),
  access_key_id text NOT NULL,
  created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  deleted_at    timestamptz
);
CREATE UNIQUE INDEX source_buckets_by_bucket ON source_buckets (tenant, bucket) WHERE deleted_at IS NULL;

CREATE TABLE source_secrets (
  source_id uuid PRIMARY KEY REFERENCES source_buckets (id),
  tenant    text NOT NULL,
  secret    text NOT NULL
);
"""

_WALLS = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_wall ON {table} TO presswork_api
  USING (tenant = nullif(current_setting('presswork.tenant', true), ''))
  WITH CHECK (tenant = nullif(current_setting('presswork.tenant', true), ''));
CREATE POLICY identify ON {table} TO presswork_identify, CURRENT_USER USING (true) WITH CHECK (true);
"""

_GRANTS = """
CREATE POLICY audit ON source_buckets FOR SELECT TO presswork_auditor USING (true);
GRANT SELECT, INSERT, UPDATE (deleted_at) ON source_buckets TO presswork_api;
GRANT SELECT, INSERT, DELETE ON source_secrets TO presswork_api;
GRANT SELECT ON source_buckets, source_secrets TO presswork_identify;
GRANT SELECT ON source_buckets TO presswork_auditor;
"""


def upgrade() -> None:
    op.execute(_TABLES)
    for table in ("source_buckets", "source_secrets"):
        op.execute(_WALLS.format(table=table))
    op.execute(_GRANTS)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

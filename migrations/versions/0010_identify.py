"""Identification: fingerprints of what was released, pictures that people ask about, and a role that answers.

`unindexed` is filled by a trigger in the transaction that makes an asset, whoever makes it (a settlement, a review),
and emptied by the transaction that stores its fingerprint: nothing released is forgotten.
"""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_ROLE = """
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'presswork_identify') THEN
    CREATE ROLE presswork_identify NOLOGIN;
  END IF;
END $$
"""

_TABLES = """
CREATE TABLE fingerprints (
  asset_id    uuid PRIMARY KEY REFERENCES assets (id) ON DELETE CASCADE,
  tenant      text NOT NULL,
  whole       bytea NOT NULL CHECK (octet_length(whole) = 32),
  crops       bytea NOT NULL CHECK (octet_length(crops) = 160),
  quality     smallint NOT NULL CHECK (quality BETWEEN 0 AND 100),
  features    integer NOT NULL CHECK (features >= 0),
  identifiable boolean NOT NULL,
  codes       bytea NOT NULL CHECK (octet_length(codes) % 8 = 0 AND octet_length(codes) <= 512),
  indexed_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX fingerprints_by_time ON fingerprints (indexed_at);

CREATE TABLE unindexed (
  asset_id    uuid PRIMARY KEY REFERENCES assets (id) ON DELETE CASCADE,
  attempt     integer NOT NULL DEFAULT 0 CHECK (attempt >= 0),
  not_before  timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO unindexed (asset_id) SELECT id FROM assets;

CREATE FUNCTION remember_unindexed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO public.unindexed (asset_id) SELECT id FROM added;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION remember_unindexed() FROM PUBLIC;
CREATE TRIGGER remember_unindexed AFTER INSERT ON assets
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION remember_unindexed();

CREATE TABLE identifications (
  id           uuid PRIMARY KEY,
  tenant       text NOT NULL REFERENCES tenants (id),
  key_id       uuid NOT NULL,
  state        text NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'failed')),
  object       text NOT NULL UNIQUE CHECK (object LIKE 'inbox/%'),
  bytes        bigint NOT NULL CHECK (bytes >= 1),
  sha256       text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  attempt      integer NOT NULL DEFAULT 0 CHECK (attempt >= 0),
  lease_until  timestamptz,
  answer       jsonb,
  reason       text,
  created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  settled_at   timestamptz,
  CHECK ((state = 'running') = (lease_until IS NOT NULL)),
  CHECK ((state = 'done') = (answer IS NOT NULL)),
  CHECK ((state = 'failed') = (reason IS NOT NULL)),
  CHECK ((state IN ('waiting', 'running')) = (settled_at IS NULL))
);
CREATE INDEX identifications_open ON identifications (tenant, id) WHERE state IN ('waiting', 'running');
CREATE INDEX identifications_settled ON identifications (settled_at) WHERE settled_at IS NOT NULL;
"""

_WALLS = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_wall ON {table} TO presswork_api
  USING (tenant = nullif(current_setting('presswork.tenant', true), ''))
  WITH CHECK (tenant = nullif(current_setting('presswork.tenant', true), ''));
CREATE POLICY identify ON {table} TO presswork_identify, CURRENT_USER USING (true) WITH CHECK (true);
"""
_AUDITED = "CREATE POLICY audit ON {table} FOR SELECT TO presswork_auditor USING (true)"
_READ_ACROSS = ("assets", "renditions")

_ASKED = """
CREATE POLICY api_asks ON identifications AS RESTRICTIVE FOR INSERT TO presswork_api
  WITH CHECK (state = 'waiting' AND attempt = 0 AND answer IS NULL)
"""

_GRANTS = """
GRANT SELECT ON fingerprints TO presswork_api, presswork_auditor;
GRANT SELECT, INSERT ON identifications TO presswork_api;
GRANT SELECT ON identifications TO presswork_auditor;

GRANT SELECT ON assets, renditions TO presswork_identify;
GRANT SELECT, INSERT ON fingerprints TO presswork_identify;
GRANT SELECT, DELETE, UPDATE (attempt, not_before) ON unindexed TO presswork_identify;
GRANT SELECT, DELETE, UPDATE (state, attempt, lease_until, answer, reason, settled_at)
  ON identifications TO presswork_identify;
GRANT USAGE ON SCHEMA audit TO presswork_identify;
GRANT INSERT (event_id, tenant, kind, actor, subjects, recorded_at, body) ON audit.entries TO presswork_identify;
GRANT INSERT ON audit.private TO presswork_identify;
"""


def upgrade() -> None:
    op.execute(_ROLE)
    op.execute(_TABLES)
    for table in ("fingerprints", "identifications"):
        op.execute(_WALLS.format(table=table))
        op.execute(_AUDITED.format(table=table))
    for table in _READ_ACROSS:
        op.execute(f"CREATE POLICY identify ON {table} FOR SELECT TO presswork_identify USING (true)")
    op.execute(_ASKED)
    op.execute(_GRANTS)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

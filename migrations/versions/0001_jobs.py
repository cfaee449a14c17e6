"""Job tables, database roles, row-level security.

Frozen DDL: later changes are later files. Runs as presswork_owner, which owns everything it makes;
the four working roles get the least they need. A deployment gives the roles LOGIN and passwords.
"""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ROLES = """
DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['presswork_api', 'presswork_worker', 'presswork_sealer', 'presswork_auditor'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN', name);
    END IF;
  END LOOP;
END $$
"""

_TABLES = """
CREATE TABLE tenants (
  -- 'presswork' stands in the ledger for what belongs to no one tenant: batches mix tenants
  id          text PRIMARY KEY CHECK (id ~ '^[a-z0-9][a-z0-9-]{0,62}$' AND id <> 'presswork'),
  name        text NOT NULL,
  weight      integer NOT NULL CHECK (weight BETWEEN 1 AND 1000),
  created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE api_keys (
  id          uuid PRIMARY KEY,
  tenant      text NOT NULL REFERENCES tenants (id),
  name        text NOT NULL,
  sha256      bytea NOT NULL UNIQUE CHECK (octet_length(sha256) = 32),
  scopes      text[] NOT NULL CHECK (scopes <@ ARRAY['submit', 'read', 'review', 'audit', 'admin']),
  created_at  timestamptz NOT NULL DEFAULT now(),
  expires_at  timestamptz,
  revoked_at  timestamptz
);
CREATE INDEX api_keys_by_tenant ON api_keys (tenant, id);

CREATE TABLE idempotency_keys (
  tenant       text NOT NULL,
  key          text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
  fingerprint  bytea NOT NULL CHECK (octet_length(fingerprint) = 32),
  status       integer NOT NULL,
  body         jsonb NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant, key)
);

CREATE TABLE requests (
  id            uuid PRIMARY KEY,
  tenant        text NOT NULL REFERENCES tenants (id),
  kind          text NOT NULL CHECK (kind IN ('single', 'campaign')),
  name          text NOT NULL,
  template      text NOT NULL,
  model         text NOT NULL,
  priority      text NOT NULL CHECK (priority IN ('interactive', 'standard', 'bulk')),
  item_count    integer NOT NULL CHECK (item_count >= 1),
  key_id        uuid NOT NULL,
  metadata      jsonb NOT NULL,
  created_at    timestamptz NOT NULL DEFAULT now(),
  cancelled_at  timestamptz
);
CREATE INDEX requests_by_tenant ON requests (tenant, id);

CREATE TABLE recipes (
  id      text PRIMARY KEY,
  recipe  jsonb NOT NULL
);

CREATE TABLE batches (
  id              uuid PRIMARY KEY,
  queue           text NOT NULL,
  recipe_id       text NOT NULL REFERENCES recipes (id),
  state           text NOT NULL CHECK (state IN ('dispatched', 'running', 'finished', 'abandoned')),
  size            integer NOT NULL CHECK (size >= 1),
  attempt         integer NOT NULL CHECK (attempt >= 0),
  given_back      integer NOT NULL CHECK (given_back BETWEEN 0 AND attempt),
  claims_allowed  integer NOT NULL CHECK (claims_allowed >= 1),
  parent_id       uuid,
  lease_until     timestamptz NOT NULL,
  worker          text,
  created_at      timestamptz NOT NULL DEFAULT now(),
  finished_at     timestamptz,
  CHECK (state <> 'running' OR attempt >= 1),
  CHECK ((state IN ('finished', 'abandoned')) = (finished_at IS NOT NULL))
);
CREATE INDEX batches_open ON batches (queue, lease_until) WHERE state IN ('dispatched', 'running');

CREATE TABLE items (
  id               uuid PRIMARY KEY,
  -- both deferred: a submission streams its items first; the request, with their count, and the
  -- recipes, which others may want to store at the same moment, come last
  request_id       uuid NOT NULL REFERENCES requests (id) DEFERRABLE INITIALLY DEFERRED,
  tenant           text NOT NULL,
  "row"            integer NOT NULL CHECK ("row" >= 1),
  custom_id        text NOT NULL,
  variant          integer NOT NULL CHECK (variant >= 0),
  prompt           text NOT NULL,
  negative_prompt  text NOT NULL,
  seed             bigint NOT NULL CHECK (seed BETWEEN 0 AND 9007199254740991),
  recipe_id        text NOT NULL REFERENCES recipes (id) DEFERRABLE INITIALLY DEFERRED,
  queue            text NOT NULL,
  priority         text NOT NULL CHECK (priority IN ('interactive', 'standard', 'bulk')),
  state            text NOT NULL CHECK (state IN
                     ('pending', 'planned', 'released', 'held', 'refused', 'failed', 'cancelled', 'recalled')),
  batch_id         uuid REFERENCES batches (id),
  batch_position   smallint CHECK (batch_position >= 0),
  reason           text,
  verdict          jsonb,
  created_at       timestamptz NOT NULL DEFAULT now(),
  settled_at       timestamptz,
  UNIQUE (request_id, custom_id, variant),
  CHECK ((batch_id IS NULL) = (batch_position IS NULL)),
  CHECK (state <> 'pending' OR batch_id IS NULL),
  CHECK (state NOT IN ('planned', 'released', 'held', 'failed', 'recalled') OR batch_id IS NOT NULL),
  CHECK ((state IN ('pending', 'planned')) = (settled_at IS NULL)),
  CHECK ((state = 'failed') = (reason IS NOT NULL)),
  CHECK (state NOT IN ('released', 'held', 'refused', 'recalled') OR verdict IS NOT NULL)
);
CREATE INDEX items_pending ON items (queue, tenant, priority, id) WHERE state = 'pending';
CREATE UNIQUE INDEX items_by_batch ON items (batch_id, batch_position) WHERE batch_id IS NOT NULL;
CREATE INDEX items_by_request ON items (request_id, id);
CREATE INDEX items_by_request_state ON items (request_id, state);

CREATE TABLE assets (
  id              uuid PRIMARY KEY,
  item_id         uuid NOT NULL UNIQUE REFERENCES items (id),
  request_id      uuid NOT NULL REFERENCES requests (id),
  tenant          text NOT NULL,
  state           text NOT NULL CHECK (state IN ('released', 'recalled')),
  watermark_id    bigint NOT NULL UNIQUE CHECK (watermark_id BETWEEN 0 AND 281474976710655),
  policy_version  text NOT NULL,
  provenance      jsonb NOT NULL,
  released_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX assets_by_request ON assets (request_id, id);

CREATE TABLE renditions (
  asset_id    uuid NOT NULL REFERENCES assets (id),
  name        text NOT NULL,
  tenant      text NOT NULL,
  key         text NOT NULL UNIQUE CHECK (key LIKE 'released/%'),
  media_type  text NOT NULL,
  width       integer NOT NULL CHECK (width >= 1),
  height      integer NOT NULL CHECK (height >= 1),
  bytes       bigint NOT NULL CHECK (bytes >= 1),
  sha256      text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  PRIMARY KEY (asset_id, name)
);
CREATE INDEX renditions_by_sha256 ON renditions (sha256);

CREATE TABLE holds (
  item_id     uuid PRIMARY KEY REFERENCES items (id),
  tenant      text NOT NULL,
  key         text NOT NULL UNIQUE CHECK (key LIKE 'quarantine/%'),
  sha256      text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  verdict     jsonb NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT now(),
  decided_at  timestamptz,
  release     boolean,
  reviewer    text,
  comment     text,
  CHECK ((decided_at IS NULL) = (release IS NULL)),
  CHECK ((decided_at IS NULL) = (reviewer IS NULL))
);

CREATE TABLE turns (
  queue         text NOT NULL,
  lane          text NOT NULL,
  virtual_time  double precision NOT NULL,
  PRIMARY KEY (queue, lane)
);
"""

# The second wall between tenants; the first is the tenant in every query. An unset or reset variable
# reads as '', which no tenant's id is, so a transaction that forgot to name its tenant sees nothing.
_WALLED = ("requests", "items", "assets", "renditions", "holds", "idempotency_keys")
_WALL = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_wall ON {table} TO presswork_api
  USING (tenant = nullif(current_setting('presswork.tenant', true), ''))
  WITH CHECK (tenant = nullif(current_setting('presswork.tenant', true), ''));
CREATE POLICY line ON {table} TO presswork_worker, CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY audit ON {table} FOR SELECT TO presswork_auditor USING (true);
"""

# A column grant says which columns, not which values: without these the API's role could release an
# image that nobody screened.
_ITEMS = """
CREATE POLICY api_submits ON items AS RESTRICTIVE FOR INSERT TO presswork_api
  WITH CHECK (state IN ('pending', 'refused') AND batch_id IS NULL);
CREATE POLICY api_cancels ON items AS RESTRICTIVE FOR UPDATE TO presswork_api
  USING (true) WITH CHECK (state = 'cancelled');
"""

_GRANTS = """
GRANT SELECT, INSERT ON tenants, api_keys, idempotency_keys, requests, recipes, items TO presswork_api;
GRANT SELECT ON assets, renditions, holds TO presswork_api;
GRANT UPDATE (revoked_at) ON api_keys TO presswork_api;
GRANT UPDATE (cancelled_at) ON requests TO presswork_api;
GRANT UPDATE (state, settled_at) ON items TO presswork_api;

GRANT SELECT ON tenants, requests, recipes TO presswork_worker;
GRANT SELECT, INSERT, UPDATE ON batches, turns TO presswork_worker;
GRANT SELECT, INSERT ON assets, renditions, holds TO presswork_worker;
GRANT SELECT ON items TO presswork_worker;
GRANT UPDATE (state, batch_id, batch_position, reason, verdict, settled_at) ON items TO presswork_worker;

GRANT SELECT ON tenants, requests, recipes, batches, items, assets, renditions, holds TO presswork_auditor;
"""


def upgrade() -> None:
    op.execute(_ROLES)
    op.execute(_TABLES)
    for table in _WALLED:
        op.execute(_WALL.format(table=table))
    op.execute(_ITEMS)
    op.execute(_GRANTS)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

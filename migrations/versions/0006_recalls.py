"""Recalls and webhooks: orders to take released pictures back, and who is told of what happens.

An asset is in at most one recall, for ever: its id is the key of recall_assets. The API's role orders for its own
tenant and carries nothing out; the clerk carries out, and the only thing it can make of an asset is a recalled one.
A webhook's secret can be written by the API's role and read by the clerk's alone.
"""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_RECALLS = """
CREATE TABLE recalls (
  id           uuid PRIMARY KEY,
  tenant       text NOT NULL REFERENCES tenants (id),
  criteria     jsonb NOT NULL CHECK (jsonb_typeof(criteria) = 'object' AND criteria <> '{}'),
  reason_code  text NOT NULL CHECK (reason_code ~ '^[a-z]{1,40}$'),
  reason       text NOT NULL CHECK (length(reason) <= 2000),
  ordered_by   text NOT NULL CHECK (ordered_by <> ''),
  assets       integer NOT NULL CHECK (assets >= 1),
  ordered_at   timestamptz NOT NULL DEFAULT now(),
  finished_at  timestamptz
);
CREATE INDEX recalls_by_tenant ON recalls (tenant, id);
CREATE INDEX recalls_open ON recalls (ordered_at) WHERE finished_at IS NULL;

CREATE TABLE recall_assets (
  asset_id     uuid PRIMARY KEY REFERENCES assets (id),
  -- deferred: the order comes after its members, with their count
  recall_id    uuid NOT NULL REFERENCES recalls (id) DEFERRABLE INITIALLY DEFERRED,
  tenant       text NOT NULL,
  state        text NOT NULL CHECK (state IN ('ordered', 'recalled', 'moved')),
  recalled_at  timestamptz,
  moved_at     timestamptz,
  missing      boolean NOT NULL DEFAULT false,
  CHECK ((state = 'ordered') = (recalled_at IS NULL)),
  CHECK ((state = 'moved') = (moved_at IS NOT NULL))
);
CREATE INDEX recall_assets_by_recall ON recall_assets (recall_id, state);
CREATE INDEX recall_assets_open ON recall_assets (state, recall_id, asset_id) WHERE state <> 'moved';

CREATE INDEX assets_by_release ON assets (tenant, released_at);
CREATE INDEX assets_by_policy ON assets (policy_version, tenant);
"""

_WEBHOOKS = """
CREATE TABLE webhooks (
  id             uuid PRIMARY KEY,
  tenant         text NOT NULL REFERENCES tenants (id),
  url            text NOT NULL CHECK (length(url) <= 2000),
  events         text[] NOT NULL CHECK (cardinality(events) >= 1
                   AND events <@ ARRAY['asset.released', 'asset.recalled']),
  created_at     timestamptz NOT NULL DEFAULT now(),
  retry_at       timestamptz NOT NULL DEFAULT now(),
  failures       integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
  failing_since  timestamptz,
  disabled_at    timestamptz,
  disabled_for   text,
  deleted_at     timestamptz,
  CHECK ((failures = 0) = (failing_since IS NULL)),
  CHECK ((disabled_at IS NULL) = (disabled_for IS NULL))
);
CREATE INDEX webhooks_by_tenant ON webhooks (tenant, id);

CREATE TABLE webhook_secrets (
  id          uuid PRIMARY KEY,
  webhook_id  uuid NOT NULL REFERENCES webhooks (id),
  tenant      text NOT NULL,
  secret      text NOT NULL CHECK (secret ~ '^whsec_[A-Za-z0-9+/]{32,88}={0,2}$'),
  created_at  timestamptz NOT NULL DEFAULT now(),
  ends_at     timestamptz
);
CREATE INDEX webhook_secrets_by_webhook ON webhook_secrets (webhook_id, id);

CREATE TABLE webhook_deliveries (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  webhook_id  uuid NOT NULL REFERENCES webhooks (id),
  tenant      text NOT NULL,
  message_id  text NOT NULL CHECK (message_id ~ '^msg_[A-Za-z0-9_-]{1,100}$'),
  event       text NOT NULL,
  body        text NOT NULL,
  state       text NOT NULL CHECK (state IN ('pending', 'delivered', 'given_up')),
  attempts    integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  next_at     timestamptz NOT NULL DEFAULT now(),
  created_at  timestamptz NOT NULL DEFAULT now(),
  settled_at  timestamptz,
  UNIQUE (webhook_id, message_id),
  CHECK ((state = 'pending') = (settled_at IS NULL))
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, next_at, id) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_settled ON webhook_deliveries (settled_at) WHERE state <> 'pending';

CREATE TABLE webhook_attempts (
  delivery_id   bigint NOT NULL REFERENCES webhook_deliveries (id) ON DELETE CASCADE,
  number        integer NOT NULL CHECK (number >= 1),
  tenant        text NOT NULL,
  at            timestamptz NOT NULL DEFAULT now(),
  status        integer,
  error         text,
  milliseconds  integer NOT NULL CHECK (milliseconds >= 0),
  PRIMARY KEY (delivery_id, number)
);
"""

_WALLED = ("recalls", "recall_assets", "webhooks", "webhook_secrets", "webhook_deliveries", "webhook_attempts")
_WALL = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_wall ON {table} TO presswork_api
  USING (tenant = nullif(current_setting('presswork.tenant', true), ''))
  WITH CHECK (tenant = nullif(current_setting('presswork.tenant', true), ''));
CREATE POLICY desk ON {table} TO presswork_clerk, CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY audit ON {table} FOR SELECT TO presswork_auditor USING (true);
"""

# Which values, where a grant says only which columns.
_ORDERS = """
CREATE POLICY api_orders ON recalls AS RESTRICTIVE FOR INSERT TO presswork_api WITH CHECK (finished_at IS NULL);
CREATE POLICY api_orders ON recall_assets AS RESTRICTIVE FOR INSERT TO presswork_api WITH CHECK (state = 'ordered');
CREATE POLICY clerk_recalls ON assets AS RESTRICTIVE FOR UPDATE TO presswork_clerk
  USING (state = 'released') WITH CHECK (state = 'recalled');
CREATE POLICY line ON webhooks FOR SELECT TO presswork_worker USING (true);
CREATE POLICY line ON webhook_deliveries FOR INSERT TO presswork_worker WITH CHECK (state = 'pending');
"""

# The sealer signs what is revoked from the sealed log alone: this view shows it ids and digests of recalled files,
# and nothing else of any body. It runs with its owner's rights; the auditor may look at the same rows.
_REVOKED = """
CREATE INDEX entries_recalled ON audit.entries (id) WHERE kind = 'asset.recalled';
CREATE INDEX entries_models ON audit.entries (id) WHERE kind = 'model.registered';
CREATE VIEW audit.revoked AS
SELECT s.index, said.event ->> 'asset_id' AS asset_id,
       ARRAY(SELECT digest #>> '{}' FROM jsonb_path_query(said.event, '$.sha256[*]') AS digest) AS sha256
FROM audit.entries e
JOIN audit.sequence s ON s.entry_id = e.id
CROSS JOIN LATERAL (SELECT audit.said(e.body) -> 'event' AS event OFFSET 0) AS said
WHERE e.kind = 'asset.recalled';
"""

_GRANTS = """
GRANT SELECT, INSERT ON recalls, recall_assets, webhooks TO presswork_api;
GRANT UPDATE (deleted_at, disabled_at, disabled_for, failures, failing_since, retry_at) ON webhooks TO presswork_api;
GRANT INSERT (id, webhook_id, tenant, secret) ON webhook_secrets TO presswork_api;
GRANT SELECT (id, webhook_id, tenant, created_at, ends_at) ON webhook_secrets TO presswork_api;
GRANT UPDATE (ends_at) ON webhook_secrets TO presswork_api;
GRANT SELECT ON webhook_deliveries, webhook_attempts TO presswork_api;

GRANT SELECT (id, tenant, events, disabled_at, deleted_at) ON webhooks TO presswork_worker;
GRANT INSERT (webhook_id, tenant, message_id, event, body, state) ON webhook_deliveries TO presswork_worker;

GRANT SELECT, INSERT ON recalls, recall_assets TO presswork_clerk;
GRANT UPDATE (finished_at) ON recalls TO presswork_clerk;
GRANT UPDATE (state, recalled_at, moved_at, missing) ON recall_assets TO presswork_clerk;
GRANT UPDATE (state) ON assets, items TO presswork_clerk;
GRANT SELECT ON webhooks, webhook_secrets TO presswork_clerk;
GRANT UPDATE (retry_at, failures, failing_since, disabled_at, disabled_for) ON webhooks TO presswork_clerk;
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_deliveries TO presswork_clerk;
GRANT SELECT, INSERT ON webhook_attempts TO presswork_clerk;

GRANT SELECT ON recalls, recall_assets, webhooks, webhook_deliveries, webhook_attempts TO presswork_auditor;
GRANT SELECT ON audit.revoked TO presswork_sealer, presswork_auditor;
GRANT EXECUTE ON FUNCTION audit.said TO presswork_sealer;
"""


def upgrade() -> None:
    op.execute(_RECALLS)
    op.execute(_WEBHOOKS)
    for table in _WALLED:
        op.execute(_WALL.format(table=table))
    op.execute(_ORDERS)
    op.execute(_REVOKED)
    op.execute(_GRANTS)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

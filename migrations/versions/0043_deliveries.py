"""Delivery: buckets of tenants, the requests whose files go there, and the files that are there.

A secret is written by the API and read by the clerk, as those of webhooks are. A worker that releases a picture says
so to the delivery of its request, and reads nothing else of it.
"""

from __future__ import annotations

from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE delivery_targets (
  id            uuid PRIMARY KEY,
  tenant        text NOT NULL REFERENCES tenants (id),
  name          text NOT NULL CHECK (name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
  endpoint      text NOT NULL,
  region        text NOT NULL,
  bucket        text NOT NULL,
  prefix        text NOT NULL CHECK (prefix = '' OR prefix LIKE '%/'),
  access_key_id text NOT NULL,
  on_recall     text NOT NULL CHECK (on_recall IN ('withdraw', 'list')),
  state         text NOT NULL CHECK (state IN ('checking', 'ready', 'refused')),
  reason        text,
  created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  checked_at    timestamptz,
  deleted_at    timestamptz,
  CHECK ((state = 'refused') = (reason IS NOT NULL))
);
CREATE UNIQUE INDEX delivery_targets_by_name ON delivery_targets (tenant, name) WHERE deleted_at IS NULL;
CREATE INDEX delivery_targets_checking ON delivery_targets (id) WHERE state = 'checking' AND deleted_at IS NULL;

CREATE TABLE delivery_secrets (
  target_id uuid PRIMARY KEY REFERENCES delivery_targets (id),
  tenant    text NOT NULL,
  secret    text NOT NULL
);

CREATE TABLE file_deliveries (
  request_id  uuid PRIMARY KEY REFERENCES requests (id) DEFERRABLE INITIALLY DEFERRED,
  tenant      text NOT NULL,
  target_id   uuid NOT NULL REFERENCES delivery_targets (id),
  prefix      text NOT NULL CHECK (prefix = '' OR prefix LIKE '%/'),
  paused_for  text,
  detail      text NOT NULL DEFAULT '',
  failures    integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
  due_at      timestamptz,
  manifest_at timestamptz,
  created_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX file_deliveries_due ON file_deliveries (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX file_deliveries_by_target ON file_deliveries (target_id);

CREATE TABLE delivered_files (
  item_id      uuid NOT NULL REFERENCES items (id),
  rendition    text NOT NULL,
  asset_id     uuid NOT NULL REFERENCES assets (id),
  request_id   uuid NOT NULL REFERENCES file_deliveries (request_id),
  tenant       text NOT NULL,
  key          text NOT NULL,
  sha256       text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  bytes        bigint NOT NULL CHECK (bytes >= 1),
  state        text NOT NULL DEFAULT 'delivered' CHECK (state IN ('delivered', 'withdrawn', 'listed')),
  delivered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (item_id, rendition)
);
CREATE INDEX delivered_files_by_request ON delivered_files (request_id);
CREATE INDEX delivered_files_by_asset ON delivered_files (asset_id);
"""

_WALLS = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_wall ON {table} TO presswork_api
  USING (tenant = nullif(current_setting('presswork.tenant', true), ''))
  WITH CHECK (tenant = nullif(current_setting('presswork.tenant', true), ''));
CREATE POLICY line ON {table} TO presswork_worker, presswork_clerk, CURRENT_USER
  USING (true) WITH CHECK (true);
CREATE POLICY audit ON {table} FOR SELECT TO presswork_auditor USING (true);
"""

_GRANTS = """
GRANT SELECT, INSERT, UPDATE (state, reason, deleted_at) ON delivery_targets TO presswork_api;
GRANT SELECT, UPDATE (state, reason, checked_at) ON delivery_targets TO presswork_clerk;
GRANT INSERT ON delivery_secrets TO presswork_api;
GRANT SELECT ON delivery_secrets TO presswork_clerk;
GRANT SELECT, INSERT, UPDATE (paused_for, failures, due_at) ON file_deliveries TO presswork_api;
GRANT SELECT (request_id, paused_for, due_at), UPDATE (due_at) ON file_deliveries TO presswork_worker;
GRANT SELECT, UPDATE (paused_for, detail, failures, due_at, manifest_at) ON file_deliveries TO presswork_clerk;
GRANT SELECT ON delivered_files TO presswork_api;
GRANT SELECT, INSERT, UPDATE (state) ON delivered_files TO presswork_clerk;
GRANT SELECT ON delivery_targets, file_deliveries, delivered_files TO presswork_auditor;
"""

_EVENTS = """
ALTER TABLE webhooks DROP CONSTRAINT webhooks_events_check;
ALTER TABLE webhooks ADD CONSTRAINT webhooks_events_check CHECK (cardinality(events) >= 1
  AND events <@ ARRAY['asset.released', 'asset.recalled', 'campaign.pilot_ready', 'request.paused',
                      'request.finished', 'review.waiting', 'budget.low', 'delivery.paused']);
"""


def upgrade() -> None:
    op.execute(_TABLES)
    for table in ("delivery_targets", "delivery_secrets", "file_deliveries", "delivered_files"):
        op.execute(_WALLS.format(table=table))
    op.execute(_GRANTS)
    op.execute(_EVENTS)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

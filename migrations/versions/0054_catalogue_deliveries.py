"""Deliveries of catalogues: where what is live goes, and the objects that are there."""

from __future__ import annotations

from alembic import op

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE catalogue_deliveries (
  catalogue_id uuid PRIMARY KEY REFERENCES catalogues (id),
  tenant       text NOT NULL,
  target_id    uuid NOT NULL REFERENCES delivery_targets (id),
  prefix       text NOT NULL CHECK (prefix LIKE '%/'),
  asked        bigint NOT NULL DEFAULT 1,
  lease_until  timestamptz,
  paused_for   text,
  detail       text NOT NULL DEFAULT '',
  failures     integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
  due_at       timestamptz,
  manifest_at  timestamptz,
  manifest_round bigint,
  run          integer,
  files        integer NOT NULL DEFAULT 0 CHECK (files >= 0),
  created_at   timestamptz NOT NULL DEFAULT now(),
  UNIQUE (target_id, prefix)
);
CREATE INDEX catalogue_deliveries_due ON catalogue_deliveries (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE catalogue_objects (
  catalogue_id uuid NOT NULL REFERENCES catalogues (id),
  key          text NOT NULL,
  tenant       text NOT NULL,
  asset_id     uuid NOT NULL REFERENCES assets (id),
  item_id      uuid NOT NULL,
  rendition    text NOT NULL,
  sha256       text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  bytes        bigint NOT NULL CHECK (bytes >= 1),
  round        bigint NOT NULL,
  unlisted_at  timestamptz,
  delivered_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (catalogue_id, key)
);
CREATE INDEX catalogue_objects_by_asset ON catalogue_objects (asset_id);
CREATE INDEX catalogue_objects_unlisted ON catalogue_objects (catalogue_id, unlisted_at) WHERE unlisted_at IS NOT NULL;
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
GRANT SELECT, INSERT, DELETE, UPDATE (asked, due_at, failures, paused_for) ON catalogue_deliveries TO presswork_api;
GRANT SELECT, DELETE ON catalogue_objects TO presswork_api;
GRANT SELECT, UPDATE (asked, lease_until, paused_for, detail, failures, due_at, manifest_at, manifest_round, run, files)
  ON catalogue_deliveries TO presswork_clerk;
GRANT SELECT, INSERT, DELETE, UPDATE (round, unlisted_at) ON catalogue_objects TO presswork_clerk;
GRANT SELECT ON catalogue_deliveries, catalogue_objects TO presswork_auditor;
"""


def upgrade() -> None:
    op.execute(_TABLES)
    for table in ("catalogue_deliveries", "catalogue_objects"):
        op.execute(_WALL.format(table=table))
    op.execute(_GRANTS)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

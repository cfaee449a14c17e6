"""Catalogues: plans of what a feed asks for, runs that carried one out, and the picture of each slot that is live.

A slot keeps digests of what its picture was made of, not the text. Of one catalogue, one run makes pictures at a time:
a partial unique index says so.
"""

from __future__ import annotations

from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE catalogues (
  id             uuid PRIMARY KEY,
  tenant         text NOT NULL REFERENCES tenants (id),
  name           text NOT NULL CHECK (name ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
  version        integer NOT NULL CHECK (version >= 1),
  spec           jsonb NOT NULL,
  spec_sha256    text NOT NULL,
  key_id         uuid NOT NULL,
  runs           integer NOT NULL DEFAULT 0 CHECK (runs >= 0),
  last_rows      integer CHECK (last_rows >= 0),
  paused_for     text CHECK (paused_for IN ('safeguards', 'rollback')),
  paused_figures jsonb,
  created_at     timestamptz NOT NULL DEFAULT now(),
  updated_at     timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant, name)
);

CREATE TABLE catalogue_plans (
  id           uuid PRIMARY KEY,
  tenant       text NOT NULL,
  catalogue_id uuid NOT NULL REFERENCES catalogues (id),
  state        text NOT NULL CHECK (state IN ('planning', 'ready', 'failed', 'applied')),
  version      integer NOT NULL,
  spec         jsonb NOT NULL,
  after_run    integer NOT NULL,
  key_id       uuid NOT NULL,
  pictures     jsonb NOT NULL,
  feed_key     text CHECK (feed_key LIKE 'files/%'),
  feed_sha256  text CHECK (feed_sha256 ~ '^[0-9a-f]{64}$'),
  attempt      integer NOT NULL DEFAULT 0 CHECK (attempt >= 0),
  lease_until  timestamptz,
  digest       text,
  base         text,
  feed_rows    integer,
  counts       jsonb,
  causes       jsonb,
  safeguards       jsonb,
  forecast     jsonb,
  errors       jsonb,
  created_at   timestamptz NOT NULL DEFAULT now(),
  ready_at     timestamptz,
  expires_at   timestamptz,
  CHECK ((state IN ('ready', 'applied')) = (digest IS NOT NULL)),
  CHECK ((state IN ('ready', 'applied')) = (expires_at IS NOT NULL)),
  CHECK ((state = 'failed') = (errors IS NOT NULL))
);
CREATE INDEX catalogue_plans_of_catalogue ON catalogue_plans (catalogue_id, id);
CREATE INDEX catalogue_plans_feeds ON catalogue_plans (created_at) WHERE feed_key IS NOT NULL;

CREATE TABLE catalogue_changes (
  plan_id         uuid NOT NULL REFERENCES catalogue_plans (id),
  key             text NOT NULL,
  view            smallint NOT NULL CHECK (view >= 1),
  tenant          text NOT NULL,
  kind            text NOT NULL CHECK (kind IN ('create', 'change', 'missing', 'blocked')),
  cause           text NOT NULL,
  "row"           integer,
  line            integer,
  detail          text NOT NULL DEFAULT '',
  picture_digest  text,
  delivery_digest text,
  parts           jsonb,
  input_id        uuid,
  taken           boolean NOT NULL DEFAULT false,
  PRIMARY KEY (plan_id, key, view)
);

CREATE TABLE catalogue_slots (
  catalogue_id    uuid NOT NULL REFERENCES catalogues (id),
  key             text NOT NULL,
  view            smallint NOT NULL CHECK (view >= 1),
  tenant          text NOT NULL,
  asset_id        uuid,
  run             integer NOT NULL,
  picture_digest  text,
  delivery_digest text,
  parts           jsonb,
  tried_digest    text,
  tried_item      uuid,
  retired_at      timestamptz,
  PRIMARY KEY (catalogue_id, key, view),
  CHECK ((asset_id IS NULL) OR (picture_digest IS NOT NULL))
);

CREATE TABLE catalogue_runs (
  id           uuid PRIMARY KEY,
  tenant       text NOT NULL,
  catalogue_id uuid NOT NULL REFERENCES catalogues (id),
  number       integer NOT NULL CHECK (number >= 1),
  kind         text NOT NULL CHECK (kind IN ('apply', 'rollback')),
  state        text NOT NULL CHECK (state IN ('making', 'holding', 'finished')),
  plan_id      uuid,
  request_id   uuid,
  to_run       integer,
  key_id       uuid NOT NULL,
  slots        integer NOT NULL,
  flipped      integer NOT NULL DEFAULT 0,
  counts       jsonb,
  started_at   timestamptz NOT NULL DEFAULT now(),
  ended_at     timestamptz,
  UNIQUE (catalogue_id, number),
  CHECK ((kind = 'apply') = (request_id IS NOT NULL)),
  CHECK ((kind = 'rollback') = (to_run IS NOT NULL)),
  CHECK ((state = 'making') = (ended_at IS NULL))
);
CREATE UNIQUE INDEX catalogue_runs_one_at_a_time ON catalogue_runs (catalogue_id) WHERE state = 'making';
CREATE INDEX catalogue_runs_open ON catalogue_runs (id) WHERE state <> 'finished';

CREATE TABLE catalogue_flips (
  catalogue_id    uuid NOT NULL REFERENCES catalogues (id),
  run             integer NOT NULL,
  key             text NOT NULL,
  view            smallint NOT NULL,
  tenant          text NOT NULL,
  asset_id        uuid,
  picture_digest  text,
  delivery_digest text,
  parts           jsonb,
  flipped_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (catalogue_id, run, key, view)
);

CREATE TABLE catalogue_sources (
  tenant     text NOT NULL,
  url_sha256 text NOT NULL CHECK (url_sha256 ~ '^[0-9a-f]{64}$'),
  etag       text NOT NULL,
  sha256     text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  input_id   uuid NOT NULL,
  seen_at    timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant, url_sha256)
);
"""

_EVENTS = """
ALTER TABLE webhooks DROP CONSTRAINT webhooks_events_check;
ALTER TABLE webhooks ADD CONSTRAINT webhooks_events_check CHECK (cardinality(events) >= 1
  AND events <@ ARRAY['asset.released', 'asset.recalled', 'campaign.pilot_ready', 'request.paused',
                      'request.finished', 'review.waiting', 'budget.low', 'delivery.paused',
                      'catalogue.paused', 'catalogue.run_finished']);
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

_ALL = (
    "catalogues",
    "catalogue_plans",
    "catalogue_changes",
    "catalogue_slots",
    "catalogue_runs",
    "catalogue_flips",
    "catalogue_sources",
)

_GRANTS = """
GRANT SELECT, INSERT, UPDATE (version, spec, spec_sha256, key_id, runs, last_rows, paused_for, paused_figures,
  updated_at) ON catalogues TO presswork_api;
GRANT SELECT, INSERT, UPDATE (state, attempt, lease_until, feed_key, feed_sha256, digest, base, feed_rows, counts,
  causes, safeguards, forecast, errors, ready_at, expires_at) ON catalogue_plans TO presswork_api;
GRANT SELECT, INSERT, DELETE, UPDATE (taken) ON catalogue_changes TO presswork_api;
GRANT SELECT, INSERT, UPDATE (asset_id, run, picture_digest, delivery_digest, parts, retired_at)
  ON catalogue_slots TO presswork_api;
GRANT SELECT, INSERT ON catalogue_runs TO presswork_api;
GRANT SELECT, INSERT ON catalogue_flips TO presswork_api;
GRANT SELECT, INSERT, UPDATE (etag, sha256, input_id, seen_at) ON catalogue_sources TO presswork_api;

GRANT SELECT ON catalogues TO presswork_clerk;
GRANT SELECT, UPDATE (feed_key, pictures) ON catalogue_plans TO presswork_clerk;
GRANT SELECT, DELETE ON catalogue_changes TO presswork_clerk;
GRANT SELECT, INSERT, UPDATE (asset_id, run, picture_digest, delivery_digest, parts, tried_digest, tried_item,
  retired_at) ON catalogue_slots TO presswork_clerk;
GRANT SELECT, UPDATE (state, flipped, counts, ended_at) ON catalogue_runs TO presswork_clerk;
GRANT SELECT, INSERT ON catalogue_flips TO presswork_clerk;

GRANT SELECT ON catalogues, catalogue_plans, catalogue_changes, catalogue_slots, catalogue_runs, catalogue_flips,
  catalogue_sources TO presswork_auditor;
"""


def upgrade() -> None:
    op.execute(_TABLES)
    for table in _ALL:
        op.execute(_WALL.format(table=table))
    op.execute(_GRANTS)
    op.execute(_EVENTS)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

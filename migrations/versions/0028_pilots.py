"""Pilots: the sample of a campaign that is made before the rest, and what people decided about it.

An older process stores no pilot, and a request without one begins to run at once. A decision is written once and never
changed. The columns that the sample follows are kept as places in the request's own list, which an erasure empties.
"""

from __future__ import annotations

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE pilots (
  request_id    uuid PRIMARY KEY REFERENCES requests (id),
  tenant        text NOT NULL REFERENCES tenants (id),
  images        integer NOT NULL CHECK (images BETWEEN 1 AND 1000),
  max_rejected  integer NOT NULL CHECK (max_rejected >= 0 AND max_rejected < images),
  sampled       integer NOT NULL CHECK (sampled >= images),
  strata        integer NOT NULL CHECK (strata BETWEEN 1 AND images),
  stratify_by   integer[] NOT NULL DEFAULT '{}',
  four_eyes     boolean NOT NULL DEFAULT false
);

CREATE TABLE pilot_decisions (
  id          uuid PRIMARY KEY,
  request_id  uuid NOT NULL REFERENCES pilots (request_id),
  tenant      text NOT NULL REFERENCES tenants (id),
  key_id      uuid NOT NULL REFERENCES api_keys (id),
  decision    text NOT NULL CHECK (decision IN ('accept', 'reject')),
  digest      text NOT NULL,
  images      integer NOT NULL CHECK (images >= 0),
  rejected    uuid[] NOT NULL DEFAULT '{}',
  bad         integer NOT NULL CHECK (bad BETWEEN 0 AND images),
  created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX pilot_decisions_accepted ON pilot_decisions (request_id) WHERE decision = 'accept';
CREATE INDEX pilot_decisions_request ON pilot_decisions (request_id, created_at);
CREATE INDEX items_sampled ON items (request_id) WHERE sample AND state IN ('pending', 'planned');
CREATE INDEX items_sample ON items (request_id, id) WHERE sample;
"""

_WALLS = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_wall ON {table} TO presswork_api
  USING (tenant = nullif(current_setting('presswork.tenant', true), ''))
  WITH CHECK (tenant = nullif(current_setting('presswork.tenant', true), ''));
CREATE POLICY line ON {table} TO presswork_worker, CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY audit ON {table} FOR SELECT TO presswork_auditor USING (true);
GRANT SELECT, INSERT ON {table} TO presswork_api;
GRANT SELECT ON {table} TO presswork_auditor;
"""

_EVENTS = """
ALTER TABLE webhooks DROP CONSTRAINT webhooks_events_check;
ALTER TABLE webhooks ADD CONSTRAINT webhooks_events_check CHECK (cardinality(events) >= 1
  AND events <@ ARRAY['asset.released', 'asset.recalled', 'campaign.pilot_ready', 'request.paused',
                      'request.finished']);
DROP POLICY api_tests ON webhook_deliveries;
CREATE POLICY api_tests ON webhook_deliveries AS RESTRICTIVE FOR INSERT TO presswork_api
  WITH CHECK (state = 'pending'
    AND event IN ('webhook.test', 'campaign.pilot_ready', 'request.paused', 'request.finished')
    AND EXISTS (SELECT FROM webhooks w WHERE w.id = webhook_id AND w.tenant = webhook_deliveries.tenant));
"""


def upgrade() -> None:
    op.execute(_TABLES)
    for table in ("pilots", "pilot_decisions"):
        op.execute(_WALLS.format(table=table))
    op.execute(_EVENTS)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

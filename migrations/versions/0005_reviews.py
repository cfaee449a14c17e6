"""Reviews: what people said of held pictures, and what a hold must keep so that a release can follow.

Holds made before this keep no marks and no renditions: they can be refused, never released. The API's role
records what a person said. It can mark a hold as decided only where a final review of exactly these bytes says
so, can move an item on to refused only where its hold was refused, and can release nothing: that is the clerk's.
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_KEYS = """
ALTER TABLE api_keys ADD COLUMN person text CHECK (length(person) BETWEEN 1 AND 200);
"""

# The reviewer and the comment of a hold move to reviews: with four eyes there are two of each. Nothing ever
# wrote the old columns.
_HOLDS = """
ALTER TABLE holds DROP COLUMN reviewer, DROP COLUMN comment;
ALTER TABLE holds
  ADD COLUMN attempt         integer CHECK (attempt >= 1),
  ADD COLUMN asset_id        uuid UNIQUE,
  ADD COLUMN watermark_id    bigint UNIQUE CHECK (watermark_id BETWEEN 0 AND 281474976710655),
  ADD COLUMN provenance      jsonb,
  ADD COLUMN renditions      jsonb,
  ADD COLUMN carried_out_at  timestamptz,
  ADD CHECK ((asset_id IS NULL) = (watermark_id IS NULL)),
  ADD CHECK ((asset_id IS NULL) = (provenance IS NULL)),
  ADD CHECK ((asset_id IS NULL) = (renditions IS NULL)),
  ADD CHECK (renditions IS NULL OR jsonb_array_length(renditions) >= 1),
  ADD CHECK (release IS NOT TRUE OR (asset_id IS NOT NULL AND attempt IS NOT NULL)),
  ADD CHECK (carried_out_at IS NULL OR decided_at IS NOT NULL);
CREATE INDEX holds_open ON holds (tenant, item_id) WHERE decided_at IS NULL;
CREATE INDEX holds_ordered ON holds (decided_at) WHERE decided_at IS NOT NULL AND carried_out_at IS NULL;
"""

_REVIEWS = """
CREATE TABLE reviews (
  id              uuid PRIMARY KEY,
  item_id         uuid NOT NULL REFERENCES holds (item_id),
  tenant          text NOT NULL,
  key_id          uuid NOT NULL,
  reviewer        text NOT NULL,
  person          text NOT NULL CHECK (person <> ''),
  decision        text NOT NULL CHECK (decision IN ('release', 'refuse')),
  final           boolean NOT NULL CHECK (final OR decision = 'release'),
  sha256          text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  comment         text NOT NULL,
  policy_version  text NOT NULL,
  created_at      timestamptz NOT NULL DEFAULT now(),
  UNIQUE (item_id, person, decision)
);
CREATE UNIQUE INDEX reviews_final ON reviews (item_id) WHERE final;
"""

_WALL = """
ALTER TABLE reviews ENABLE ROW LEVEL SECURITY;
ALTER TABLE reviews FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_wall ON reviews TO presswork_api
  USING (tenant = nullif(current_setting('presswork.tenant', true), ''))
  WITH CHECK (tenant = nullif(current_setting('presswork.tenant', true), ''));
CREATE POLICY owner ON reviews TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY desk ON reviews TO presswork_clerk USING (true) WITH CHECK (true);
CREATE POLICY audit ON reviews FOR SELECT TO presswork_auditor USING (true);

-- A decision once, never undone, and only with the review that made it.
CREATE POLICY api_decides ON holds AS RESTRICTIVE FOR UPDATE TO presswork_api
  USING (decided_at IS NULL)
  WITH CHECK (decided_at IS NOT NULL AND EXISTS (
    SELECT FROM reviews r
    WHERE r.item_id = holds.item_id AND r.tenant = holds.tenant AND r.sha256 = holds.sha256
      AND r.final AND (r.decision = 'release') = holds.release));

DROP POLICY api_cancels ON items;
CREATE POLICY api_cancels_and_refuses ON items AS RESTRICTIVE FOR UPDATE TO presswork_api
  USING (true)
  WITH CHECK (state = 'cancelled' OR (state = 'refused' AND EXISTS (
    SELECT FROM holds h WHERE h.item_id = items.id AND h.tenant = items.tenant AND NOT h.release)));
"""

_GRANTS = """
GRANT SELECT, INSERT ON reviews TO presswork_api;
GRANT UPDATE (decided_at, release) ON holds TO presswork_api;
GRANT SELECT ON reviews TO presswork_clerk, presswork_auditor;
GRANT UPDATE (carried_out_at) ON holds TO presswork_clerk;
GRANT UPDATE (state, reason, settled_at) ON items TO presswork_clerk;
GRANT INSERT ON assets, renditions TO presswork_clerk;
"""


def upgrade() -> None:
    for statements in (_KEYS, _HOLDS, _REVIEWS, _WALL, _GRANTS):
        op.execute(statements)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

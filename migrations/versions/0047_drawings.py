"""Drawings: pixels of pictures without marks that are kept, so that other files are made of them without a device.

The API takes one for its own tenant only, and only where the row is there. `hold_released` is for workers too: what is
made of a picture that was recalled meanwhile is not released.
"""

from __future__ import annotations

from alembic import op

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE drawings (
  item_id    uuid PRIMARY KEY REFERENCES items (id),
  tenant     text NOT NULL,
  asset_id   uuid NOT NULL,
  key        text NOT NULL UNIQUE CHECK (key LIKE 'drawings/%'),
  sha256     text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  bytes      bigint NOT NULL CHECK (bytes >= 1),
  position   jsonb NOT NULL,
  product    jsonb,
  lock       jsonb,
  created_at timestamptz NOT NULL DEFAULT now(),
  used_at    timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE items ADD COLUMN drawing_item_id uuid REFERENCES items (id);
ALTER TABLE items ADD CONSTRAINT items_of_drawings CHECK (
  drawing_item_id IS NULL OR (drawing_item_id <> id AND queue = 'finishing' AND reused_asset_id IS NULL));
ALTER TABLE requests ADD COLUMN of_drawings boolean NOT NULL DEFAULT false;
CREATE INDEX requests_of_drawings ON requests (tenant, priority, deadline, id) WHERE of_drawings AND gate <> 'closed';
CREATE INDEX items_waiting_for_drawings ON items (request_id, sample DESC, id)
  WHERE state = 'pending' AND drawing_item_id IS NOT NULL;
ALTER TABLE removals DROP CONSTRAINT removals_object_key_check;
ALTER TABLE removals ADD CONSTRAINT removals_object_key_check
  CHECK (object_key ~ '^(raw|quarantine|released|recalled|inputs|drawings)/');
ALTER TABLE sweeps DROP CONSTRAINT sweeps_place_check;
ALTER TABLE sweeps ADD CONSTRAINT sweeps_place_check
  CHECK (place IN ('quarantine', 'released', 'raw', 'recalled', 'texts', 'drawings'));
CREATE INDEX items_of_drawing ON items (drawing_item_id) WHERE drawing_item_id IS NOT NULL;
"""

_WALLS = """
ALTER TABLE drawings ENABLE ROW LEVEL SECURITY;
ALTER TABLE drawings FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_wall ON drawings TO presswork_api
  USING (tenant = nullif(current_setting('presswork.tenant', true), ''))
  WITH CHECK (tenant = nullif(current_setting('presswork.tenant', true), ''));
CREATE POLICY line ON drawings TO presswork_worker, presswork_clerk, CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY audit ON drawings FOR SELECT TO presswork_auditor USING (true);
CREATE POLICY api_takes_drawings ON items AS RESTRICTIVE FOR INSERT TO presswork_api
  WITH CHECK (drawing_item_id IS NULL OR EXISTS (
    SELECT FROM drawings d WHERE d.item_id = items.drawing_item_id AND d.tenant = items.tenant));
"""

_GRANTS = """
GRANT SELECT, UPDATE (used_at) ON drawings TO presswork_api;
GRANT SELECT, INSERT, UPDATE (used_at) ON drawings TO presswork_worker;
GRANT SELECT, DELETE, UPDATE (used_at) ON drawings TO presswork_clerk;
GRANT SELECT ON drawings TO presswork_auditor;
GRANT EXECUTE ON FUNCTION hold_released(text, uuid[]) TO presswork_worker;
"""


def upgrade() -> None:
    for statements in (_TABLES, _WALLS, _GRANTS):
        op.execute(statements)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

"""Reuse: an item may take a released asset of its tenant instead of being drawn.

The API may store such an item and no other released one: its policy asks whether the asset was made from equal content.
`hold_released` locks assets for the API's transaction, which has no right to change them.
"""

from __future__ import annotations

from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

_COLUMNS = """
ALTER TABLE items ADD COLUMN content_key text CHECK (content_key ~ '^[0-9a-f]{48}$');
ALTER TABLE items ADD COLUMN reused_asset_id uuid REFERENCES assets (id);
ALTER TABLE items ADD COLUMN not_reused text;
ALTER TABLE items DROP CONSTRAINT items_check2;
ALTER TABLE items ADD CONSTRAINT items_drawn_or_reused CHECK (
  state NOT IN ('planned', 'released', 'held', 'failed', 'recalled') OR batch_id IS NOT NULL
  OR (state IN ('released', 'recalled') AND reused_asset_id IS NOT NULL));
ALTER TABLE items ADD CONSTRAINT items_reused_is_settled CHECK (
  reused_asset_id IS NULL OR (state IN ('released', 'recalled') AND batch_id IS NULL));
CREATE INDEX items_by_content ON items (tenant, left(content_key, 32))
  WHERE content_key IS NOT NULL AND state = 'released';
CREATE INDEX items_reusing ON items (reused_asset_id) WHERE reused_asset_id IS NOT NULL;
"""

_HOLD = """
CREATE FUNCTION hold_released(of_tenant text, ids uuid[]) RETURNS SETOF uuid
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT a.id FROM assets a
  WHERE a.id = ANY (ids) AND a.tenant = of_tenant AND a.state = 'released'
    AND of_tenant = coalesce(nullif(current_setting('presswork.tenant', true), ''), of_tenant)
    AND NOT EXISTS (SELECT FROM recall_assets r WHERE r.asset_id = a.id)
  ORDER BY a.id FOR SHARE OF a SKIP LOCKED
$$;
REVOKE ALL ON FUNCTION hold_released(text, uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hold_released(text, uuid[]) TO presswork_api;
"""

_RIGHTS = """
DROP POLICY api_submits ON items;
CREATE POLICY api_submits ON items AS RESTRICTIVE FOR INSERT TO presswork_api
  WITH CHECK (batch_id IS NULL AND (state IN ('pending', 'refused') AND reused_asset_id IS NULL
    OR state = 'released' AND EXISTS (
      SELECT FROM assets a JOIN items i ON i.id = a.item_id
      WHERE a.id = items.reused_asset_id AND a.tenant = items.tenant AND a.state = 'released'
        AND i.content_key = items.content_key)));
GRANT UPDATE (content_key) ON items TO presswork_api, presswork_clerk;
"""


def upgrade() -> None:
    for statements in (_COLUMNS, _HOLD, _RIGHTS):
        op.execute(statements)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

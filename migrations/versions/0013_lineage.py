"""Lineage names the row of the spreadsheet, rewritten texts and discarded drawings; counts know cancelled requests.

The row and the variant are in the signed bytes of what was settled from this revision on, so that they outlive the
job; NULL in what is older.
"""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_LINEAGE = """
CREATE OR REPLACE VIEW audit.lineage WITH (security_invoker = true) AS
SELECT o.*, reviewed.reviews, recalled.recalled_at, recalled.recall_id, recalled.recall_reason,
       own.event -> 'row' AS row, own.event -> 'variant' AS variant, rewritten.rewrites, discarded.discarded
FROM audit.origins o
CROSS JOIN LATERAL (
  SELECT audit.said(e.body) -> 'event' AS event FROM audit.entries e WHERE e.id = o.entry_id OFFSET 0
) AS own
LEFT JOIN LATERAL (
  SELECT coalesce(jsonb_agg(jsonb_build_object(
           'at', r.recorded_at, 'key_id', r.key_id, 'reviewer', r.reviewer, 'decision', r.decision,
           'final', r.final, 'sha256', r.sha256, 'comment', r.comment) ORDER BY r.entry_id), '[]') AS reviews
  FROM audit.reviews r WHERE r.item_id = o.item_id
) AS reviewed ON true
LEFT JOIN LATERAL (
  SELECT c.recorded_at AS recalled_at, c.recall_id, c.reason_code AS recall_reason
  FROM audit.recalled c WHERE c.asset_id = o.asset_id
  ORDER BY c.entry_id LIMIT 1
) AS recalled ON true
LEFT JOIN LATERAL (
  SELECT coalesce(jsonb_agg(jsonb_build_object(
           'at', w.recorded_at, 'policy_version', said.event ->> 'policy_version', 'findings', said.event -> 'findings')
         || coalesce((SELECT jsonb_object_agg(p.field, p.value) FROM audit.private p
                      WHERE p.event_id = w.event_id AND p.field LIKE 'sent%'), '{}') ORDER BY w.id), '[]') AS rewrites
  FROM audit.entries w
  CROSS JOIN LATERAL (SELECT audit.said(w.body) -> 'event' AS event OFFSET 0) AS said
  WHERE w.kind = 'item.rewritten' AND w.subjects @> ARRAY['item:' || o.item_id]
) AS rewritten ON true
LEFT JOIN LATERAL (
  SELECT coalesce(jsonb_agg(jsonb_build_object(
           'at', d.recorded_at, 'attempt', said.event -> 'attempt', 'drawing', said.event -> 'drawing',
           'seed', said.event -> 'seed', 'fault', said.event -> 'fault', 'verdict', said.event -> 'verdict')
         ORDER BY d.id), '[]') AS discarded
  FROM audit.entries d
  CROSS JOIN LATERAL (SELECT audit.said(d.body) -> 'event' AS event OFFSET 0) AS said
  WHERE d.kind = 'picture.discarded' AND d.subjects @> ARRAY['item:' || o.item_id]
) AS discarded ON true;
"""

# A request is cancelled as a whole, in one event that says how many of its items were still open.
_COUNTS = """
CREATE OR REPLACE VIEW audit.counts WITH (security_invoker = true) AS
SELECT day, tenant, decision, CAST(sum(items) AS bigint) AS items
FROM (
  SELECT (e.recorded_at AT TIME ZONE 'UTC')::date AS day, e.tenant, replace(e.kind, 'item.', '') AS decision,
         count(*) AS items
  FROM audit.entries e
  WHERE e.kind IN ('item.released', 'item.held', 'item.refused', 'item.failed', 'item.cancelled')
  GROUP BY 1, 2, 3
  UNION ALL
  SELECT (e.recorded_at AT TIME ZONE 'UTC')::date, e.tenant, 'cancelled', sum(said.items)
  FROM audit.entries e
  CROSS JOIN LATERAL (
    SELECT CASE WHEN jsonb_typeof(told -> 'items') = 'number' THEN CAST(told ->> 'items' AS numeric) END AS items
    FROM (SELECT audit.said(e.body) -> 'event' AS told OFFSET 0) AS read
  ) AS said
  WHERE e.kind = 'request.cancelled' AND said.items > 0
  GROUP BY 1, 2
) AS counted
GROUP BY 1, 2, 3;
"""


def upgrade() -> None:
    for statements in (_LINEAGE, _COUNTS):
        op.execute(statements)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

"""More of what an auditor asks: who reviewed what, what was recalled, what is still public; lineage tells all three.

Like the views before it, these read the ledger's own bytes with the rights of whoever asks.
"""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_INDEXES = """
CREATE INDEX entries_reviews ON audit.entries (id) WHERE kind = 'item.reviewed';
CREATE INDEX entries_by_reviewed ON audit.entries (audit.subject(subjects, 'item')) WHERE kind = 'item.reviewed';
CREATE INDEX entries_by_reviewer ON audit.entries (audit.subject(subjects, 'key'), id) WHERE kind = 'item.reviewed';
CREATE INDEX entries_by_recalled ON audit.entries (audit.subject(subjects, 'asset')) WHERE kind = 'asset.recalled';
CREATE INDEX entries_released ON audit.entries (id) WHERE kind = 'item.released';
"""

_REVIEWS = """
CREATE VIEW audit.reviews WITH (security_invoker = true) AS
SELECT e.id AS entry_id, (SELECT s.index FROM audit.sequence s WHERE s.entry_id = e.id) AS index,
       e.event_id, e.recorded_at, e.tenant,
       audit.subject(e.subjects, 'item') AS item_id,
       audit.subject(e.subjects, 'request') AS request_id,
       audit.subject(e.subjects, 'key') AS key_id,
       said.event ->> 'reviewer' AS reviewer,
       said.event ->> 'decision' AS decision,
       (said.event ->> 'final') = 'true' AS final,
       said.event ->> 'sha256' AS sha256,
       said.event ->> 'policy_version' AS policy_version,
       ARRAY(SELECT DISTINCT found ->> 'category' FROM jsonb_path_query(said.event, '$.findings[*]') AS found
             ORDER BY 1) AS categories,
       ARRAY(SELECT DISTINCT found ->> 'rule' FROM jsonb_path_query(said.event, '$.findings[*]') AS found
             ORDER BY 1) AS rules,
       (SELECT p.value FROM audit.private p WHERE p.event_id = e.event_id AND p.field = 'comment') AS comment
FROM audit.entries e
CROSS JOIN LATERAL (SELECT audit.said(e.body) -> 'event' AS event OFFSET 0) AS said
WHERE e.kind = 'item.reviewed';
"""

_RECALLED = """
CREATE VIEW audit.recalled WITH (security_invoker = true) AS
SELECT e.id AS entry_id, (SELECT s.index FROM audit.sequence s WHERE s.entry_id = e.id) AS index,
       e.event_id, e.recorded_at, e.tenant,
       audit.subject(e.subjects, 'asset') AS asset_id,
       audit.subject(e.subjects, 'item') AS item_id,
       audit.subject(e.subjects, 'request') AS request_id,
       audit.subject(e.subjects, 'recall') AS recall_id,
       said.event ->> 'reason_code' AS reason_code,
       said.event -> 'sha256' AS sha256
FROM audit.entries e
CROSS JOIN LATERAL (SELECT audit.said(e.body) -> 'event' AS event OFFSET 0) AS said
WHERE e.kind = 'asset.recalled';
"""

_PUBLIC = """
CREATE VIEW audit.public WITH (security_invoker = true) AS
SELECT e.id AS entry_id, e.event_id, e.recorded_at AS released_at, e.tenant,
       audit.subject(e.subjects, 'asset') AS asset_id,
       audit.subject(e.subjects, 'item') AS item_id,
       audit.subject(e.subjects, 'request') AS request_id
FROM audit.entries e
WHERE e.kind = 'item.released' AND NOT EXISTS (
  SELECT FROM audit.entries r
  WHERE r.kind = 'asset.recalled' AND audit.subject(r.subjects, 'asset') = audit.subject(e.subjects, 'asset')
);
"""

# What made an asset keeps its view under a name of its own; lineage adds what people decided about it.
_LINEAGE = """
ALTER VIEW audit.lineage RENAME TO origins;
CREATE VIEW audit.lineage WITH (security_invoker = true) AS
SELECT o.*, reviewed.reviews, recalled.recalled_at, recalled.recall_id, recalled.recall_reason
FROM audit.origins o
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
) AS recalled ON true;
"""

_GRANTS = "GRANT SELECT ON audit.reviews, audit.recalled, audit.public, audit.lineage TO presswork_auditor;"


def upgrade() -> None:
    for statements in (_INDEXES, _REVIEWS, _RECALLED, _PUBLIC, _LINEAGE, _GRANTS):
        op.execute(statements)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

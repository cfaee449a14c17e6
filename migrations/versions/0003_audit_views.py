"""Questions an auditor asks, as views over the ledger's own bytes: they outlive the jobs they speak of.

Nothing here reads a job table. Views run with the rights of whoever asks (security_invoker), so only the
auditor, who may read the entries, gets an answer. A body that somebody made unreadable gives NULLs in its
own row and spoils no other; `presswork audit verify` names it.
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# The indexes below call these on every insert, so writers may execute them. They must never raise: what
# cannot be parsed is a question for verification, not a reason to lose an event.
_FUNCTIONS = """
CREATE FUNCTION audit.said(body bytea) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
  RETURN convert_from(body, 'UTF8')::jsonb;
EXCEPTION WHEN OTHERS THEN
  RETURN NULL;
END $$;

CREATE FUNCTION audit.subject(subjects text[], noun text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  subject text;
BEGIN
  FOREACH subject IN ARRAY subjects LOOP
    IF starts_with(subject, noun || ':') THEN
      RETURN substr(subject, length(noun) + 2);
    END IF;
  END LOOP;
  RETURN NULL;
END $$;

CREATE FUNCTION audit.makers(body bytea) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE
  recipe jsonb := audit.said(body) #> '{event,recipe}';
BEGIN
  RETURN array_remove(ARRAY['model:' || (recipe ->> 'model'), 'revision:' || (recipe ->> 'model_revision')], NULL)
    || ARRAY(SELECT 'lora:' || (lora ->> 0) FROM jsonb_path_query(recipe, '$.loras[*]') AS lora);
END $$;

CREATE FUNCTION audit.policy_version(body bytea) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
  RETURN audit.said(body) #>> '{event,verdict,policy_version}';
END $$;

REVOKE ALL ON FUNCTION audit.said, audit.subject, audit.makers, audit.policy_version FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.said, audit.subject, audit.makers, audit.policy_version
  TO presswork_api, presswork_worker, presswork_auditor;
"""

_INDEXES = """
CREATE INDEX entries_by_time ON audit.entries (recorded_at, id);
CREATE INDEX entries_by_tenant ON audit.entries (tenant, recorded_at, id) INCLUDE (kind);
CREATE INDEX entries_by_asset ON audit.entries (audit.subject(subjects, 'asset')) WHERE kind = 'item.released';
CREATE INDEX entries_by_accepted ON audit.entries (audit.subject(subjects, 'request'))
  WHERE kind = 'request.accepted';
CREATE INDEX entries_by_makers ON audit.entries USING gin (audit.makers(body))
  WHERE kind IN ('item.released', 'item.held', 'item.refused');
CREATE INDEX entries_by_policy ON audit.entries (audit.policy_version(body), id)
  WHERE kind IN ('item.held', 'item.refused');
"""

# OFFSET 0 keeps the parsed body a value: without it, every column that reads it would parse it again. The
# leaf index is looked up row by row: joined, the planner reads the whole sequence to answer about one asset.
_EVENTS = """
CREATE VIEW audit.events WITH (security_invoker = true) AS
SELECT e.id AS entry_id, (SELECT s.index FROM audit.sequence s WHERE s.entry_id = e.id) AS index,
       e.event_id, e.recorded_at, e.tenant, e.kind, e.actor, e.subjects,
       said.body -> 'event'
         || coalesce((SELECT jsonb_object_agg(p.field, p.value) FROM audit.private p WHERE p.event_id = e.event_id),
                     '{}') AS event
FROM audit.entries e
CROSS JOIN LATERAL (SELECT audit.said(e.body) AS body OFFSET 0) AS said;
"""

# What was refused by its prompt has no batch: no model ever saw it.
_MADE = """
CREATE VIEW audit.made WITH (security_invoker = true) AS
SELECT e.id AS entry_id, (SELECT s.index FROM audit.sequence s WHERE s.entry_id = e.id) AS index,
       e.event_id, e.recorded_at, e.tenant,
       replace(e.kind, 'item.', '') AS outcome,
       audit.subject(e.subjects, 'asset') AS asset_id,
       audit.subject(e.subjects, 'item') AS item_id,
       audit.subject(e.subjects, 'request') AS request_id,
       audit.subject(e.subjects, 'batch') AS batch_id,
       audit.makers(e.body) AS makers,
       said.event #>> '{recipe,model}' AS model,
       said.event #>> '{recipe,model_revision}' AS model_revision,
       said.event #> '{recipe,loras}' AS loras,
       said.event -> 'recipe' AS recipe,
       said.event ->> 'seed' AS seed,
       said.event #>> '{verdict,policy_version}' AS policy_version,
       coalesce(said.event ->> 'sha256', said.event #>> '{renditions,0,sha256}') AS sha256
FROM audit.entries e
CROSS JOIN LATERAL (SELECT audit.said(e.body) -> 'event' AS event OFFSET 0) AS said
WHERE e.kind IN ('item.released', 'item.held', 'item.refused')
  AND audit.subject(e.subjects, 'batch') IS NOT NULL;
"""

_REFUSALS = """
CREATE VIEW audit.refusals WITH (security_invoker = true) AS
SELECT e.id AS entry_id, (SELECT s.index FROM audit.sequence s WHERE s.entry_id = e.id) AS index,
       e.event_id, e.recorded_at, e.tenant,
       replace(e.kind, 'item.', '') AS outcome,
       audit.subject(e.subjects, 'item') AS item_id,
       audit.subject(e.subjects, 'request') AS request_id,
       audit.subject(e.subjects, 'batch') AS batch_id,
       audit.policy_version(e.body) AS policy_version,
       ARRAY(SELECT DISTINCT found ->> 'category' FROM jsonb_path_query(said.event, '$.verdict.findings[*]') AS found
             ORDER BY 1) AS categories,
       ARRAY(SELECT DISTINCT found ->> 'rule' FROM jsonb_path_query(said.event, '$.verdict.findings[*]') AS found
             ORDER BY 1) AS rules,
       said.event #> '{verdict,findings}' AS findings,
       said.event #> '{verdict,scores}' AS scores,
       (SELECT p.value FROM audit.private p WHERE p.event_id = e.event_id AND p.field = 'prompt') AS prompt
FROM audit.entries e
CROSS JOIN LATERAL (SELECT audit.said(e.body) -> 'event' AS event OFFSET 0) AS said
WHERE e.kind IN ('item.held', 'item.refused');
"""

_LINEAGE = """
CREATE VIEW audit.lineage WITH (security_invoker = true) AS
SELECT audit.subject(e.subjects, 'asset') AS asset_id,
       audit.subject(e.subjects, 'item') AS item_id,
       audit.subject(e.subjects, 'request') AS request_id,
       audit.subject(e.subjects, 'batch') AS batch_id,
       e.id AS entry_id, (SELECT s.index FROM audit.sequence s WHERE s.entry_id = e.id) AS index,
       e.event_id, e.recorded_at AS released_at, e.tenant,
       accepted.event ->> 'name' AS request_name,
       accepted.event ->> 'request_kind' AS request_kind,
       accepted.actor AS requested_by,
       accepted.recorded_at AS requested_at,
       accepted.template,
       (SELECT p.value FROM audit.private p WHERE p.event_id = e.event_id AND p.field = 'prompt') AS prompt,
       (SELECT p.value FROM audit.private p WHERE p.event_id = e.event_id AND p.field = 'negative_prompt')
         AS negative_prompt,
       said.event #>> '{recipe,model}' AS model,
       said.event #>> '{recipe,model_revision}' AS model_revision,
       said.event #> '{recipe,loras}' AS loras,
       said.event -> 'recipe' AS recipe,
       said.event ->> 'seed' AS seed,
       said.event -> 'batch_size' AS batch_size,
       said.event -> 'batch_position' AS batch_position,
       said.event -> 'attempt' AS attempt,
       said.event ->> 'device' AS device,
       claimed.worker,
       said.event #>> '{verdict,policy_version}' AS policy_version,
       said.event #>> '{verdict,decision}' AS decision,
       said.event #> '{verdict,findings}' AS findings,
       said.event #> '{verdict,scores}' AS scores,
       said.event -> 'marks' AS marks,
       said.event -> 'renditions' AS renditions,
       links.given AS links
FROM audit.entries e
CROSS JOIN LATERAL (SELECT audit.said(e.body) -> 'event' AS event OFFSET 0) AS said
LEFT JOIN LATERAL (
  SELECT audit.said(r.body) -> 'event' AS event, r.actor, r.recorded_at,
         (SELECT p.value FROM audit.private p WHERE p.event_id = r.event_id AND p.field = 'template') AS template
  FROM audit.entries r
  WHERE r.kind = 'request.accepted'
    AND audit.subject(r.subjects, 'request') = audit.subject(e.subjects, 'request')
  LIMIT 1
) AS accepted ON true
LEFT JOIN LATERAL (
  SELECT audit.said(c.body) #>> '{event,worker}' AS worker
  FROM audit.entries c
  WHERE c.kind = 'batch.claimed' AND c.subjects @> ARRAY['batch:' || audit.subject(e.subjects, 'batch')]
    AND audit.said(c.body) #> '{event,attempt}' = said.event -> 'attempt'
  LIMIT 1
) AS claimed ON true
LEFT JOIN LATERAL (
  SELECT coalesce(jsonb_agg(jsonb_build_object(
           'at', l.recorded_at, 'key_id', audit.subject(l.subjects, 'key'),
           'rendition', audit.said(l.body) #>> '{event,rendition}',
           'seconds', audit.said(l.body) #> '{event,seconds}') ORDER BY l.id), '[]') AS given
  FROM audit.entries l
  WHERE l.kind = 'asset.linked' AND l.subjects @> ARRAY['asset:' || audit.subject(e.subjects, 'asset')]
) AS links ON true
WHERE e.kind = 'item.released';
"""

# From the columns alone, which verification holds against the bytes: a million entries count in a moment.
_COUNTS = """
CREATE VIEW audit.counts WITH (security_invoker = true) AS
SELECT (e.recorded_at AT TIME ZONE 'UTC')::date AS day, e.tenant, replace(e.kind, 'item.', '') AS decision,
       count(*) AS items
FROM audit.entries e
WHERE e.kind IN ('item.released', 'item.held', 'item.refused', 'item.failed', 'item.cancelled')
GROUP BY 1, 2, 3;
"""

_GRANTS = "GRANT SELECT ON audit.events, audit.made, audit.refusals, audit.lineage, audit.counts TO presswork_auditor;"


def upgrade() -> None:
    for statements in (_FUNCTIONS, _INDEXES, _EVENTS, _MADE, _REFUSALS, _LINEAGE, _COUNTS, _GRANTS):
        op.execute(statements)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

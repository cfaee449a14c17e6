"""Views for an auditor's desk: every question can be asked of a time, maker, rule set, rule, category and campaign.

The columns that a question is narrowed by are appended to each view, so that SQL, command line and HTTP narrow alike.
Like the views before it, these read the ledger's own bytes with the rights of whoever asks.
"""

from __future__ import annotations

from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

# Of a settled item the findings stand in its verdict, of a review beside the decision.
_FUNCTIONS = """
CREATE FUNCTION audit.found(event jsonb, what text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT ARRAY(
    SELECT DISTINCT found ->> what
    FROM jsonb_path_query(event, '$.verdict.findings[*]') AS found
    WHERE found ->> what IS NOT NULL
    UNION
    SELECT DISTINCT found ->> what
    FROM jsonb_path_query(event, '$.findings[*]') AS found
    WHERE found ->> what IS NOT NULL
    ORDER BY 1)
$$;
REVOKE ALL ON FUNCTION audit.found FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.found TO presswork_auditor;
"""

# What was accepted before names were private has its name in the clear.
_CAMPAIGNS = """
CREATE VIEW audit.campaigns WITH (security_invoker = true) AS
SELECT audit.subject(r.subjects, 'request') AS request_id, r.tenant, r.recorded_at AS requested_at,
       r.actor AS requested_by,
       CASE WHEN jsonb_typeof(said.event -> 'name') = 'string' THEN said.event ->> 'name'
            ELSE (SELECT p.value FROM audit.private p WHERE p.event_id = r.event_id AND p.field = 'name') END AS name
FROM audit.entries r
CROSS JOIN LATERAL (SELECT audit.said(r.body) -> 'event' AS event OFFSET 0) AS said
WHERE r.kind = 'request.accepted';
"""

# Who decided: a person where somebody reviewed the item before it was released or refused, else the rules alone.
_SETTLED = """
CREATE VIEW audit.settled WITH (security_invoker = true) AS
SELECT e.id AS entry_id, (SELECT s.index FROM audit.sequence s WHERE s.entry_id = e.id) AS index,
       e.event_id, e.recorded_at, e.tenant,
       replace(e.kind, 'item.', '') AS decision,
       audit.subject(e.subjects, 'asset') AS asset_id,
       audit.subject(e.subjects, 'item') AS item_id,
       audit.subject(e.subjects, 'request') AS request_id,
       audit.makers(e.body) AS makers,
       said.event #>> '{verdict,policy_version}' AS policy_version,
       audit.found(said.event, 'category') AS categories,
       audit.found(said.event, 'rule') AS rules,
       CASE WHEN e.kind NOT IN ('item.released', 'item.refused') THEN NULL
            WHEN EXISTS (SELECT FROM audit.entries r WHERE r.kind = 'item.reviewed'
                         AND audit.subject(r.subjects, 'item') = audit.subject(e.subjects, 'item') AND r.id < e.id)
            THEN 'person' ELSE 'rules' END AS decided_by
FROM audit.entries e
CROSS JOIN LATERAL (SELECT audit.said(e.body) -> 'event' AS event OFFSET 0) AS said
WHERE e.kind IN ('item.released', 'item.held', 'item.refused', 'item.failed', 'item.cancelled');
"""

_MADE = """
CREATE OR REPLACE VIEW audit.made WITH (security_invoker = true) AS
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
       coalesce(said.event ->> 'sha256', said.event #>> '{renditions,0,sha256}') AS sha256,
       audit.found(said.event, 'category') AS categories,
       audit.found(said.event, 'rule') AS rules
FROM audit.entries e
CROSS JOIN LATERAL (SELECT audit.said(e.body) -> 'event' AS event OFFSET 0) AS said
WHERE e.kind IN ('item.released', 'item.held', 'item.refused')
  AND audit.subject(e.subjects, 'batch') IS NOT NULL;
"""

_REFUSALS = """
CREATE OR REPLACE VIEW audit.refusals WITH (security_invoker = true) AS
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
       (SELECT p.value FROM audit.private p WHERE p.event_id = e.event_id AND p.field = 'prompt') AS prompt,
       CASE WHEN NOT EXISTS (SELECT FROM audit.private p WHERE p.event_id = e.event_id AND p.field = 'prompt')
            THEN audit.erased_of(e.event_id) -> 'prompt' END AS prompt_erased,
       audit.makers(e.body) AS makers
FROM audit.entries e
CROSS JOIN LATERAL (SELECT audit.said(e.body) -> 'event' AS event OFFSET 0) AS said
WHERE e.kind IN ('item.held', 'item.refused');
"""

# What made the picture that a person judged stands in the entry that held it, or in a later one.
_REVIEWS = """
CREATE OR REPLACE VIEW audit.reviews WITH (security_invoker = true) AS
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
       (SELECT p.value FROM audit.private p WHERE p.event_id = e.event_id AND p.field = 'comment') AS comment,
       coalesce((SELECT audit.makers(h.body) FROM audit.entries h
                 WHERE h.kind IN ('item.held', 'item.released', 'item.refused')
                   AND h.subjects @> ARRAY['item:' || audit.subject(e.subjects, 'item')] ORDER BY h.id LIMIT 1), '{}')
         AS makers
FROM audit.entries e
CROSS JOIN LATERAL (SELECT audit.said(e.body) -> 'event' AS event OFFSET 0) AS said
WHERE e.kind = 'item.reviewed';
"""

_PUBLIC = """
CREATE OR REPLACE VIEW audit.public WITH (security_invoker = true) AS
SELECT e.id AS entry_id, e.event_id, e.recorded_at AS released_at, e.tenant,
       audit.subject(e.subjects, 'asset') AS asset_id,
       audit.subject(e.subjects, 'item') AS item_id,
       audit.subject(e.subjects, 'request') AS request_id,
       e.recorded_at,
       audit.makers(e.body) AS makers,
       audit.said(e.body) #>> '{event,verdict,policy_version}' AS policy_version,
       audit.found(audit.said(e.body) -> 'event', 'category') AS categories,
       audit.found(audit.said(e.body) -> 'event', 'rule') AS rules
FROM audit.entries e
WHERE e.kind = 'item.released' AND NOT EXISTS (
  SELECT FROM audit.entries r
  WHERE r.kind = 'asset.recalled' AND audit.subject(r.subjects, 'asset') = audit.subject(e.subjects, 'asset')
);
"""

# Documents that decide: when each was first used and under which key or process, and what people decided about models.
_APPROVALS = """
CREATE VIEW audit.approvals WITH (security_invoker = true) AS
SELECT e.id AS entry_id, (SELECT s.index FROM audit.sequence s WHERE s.entry_id = e.id) AS index,
       e.event_id, e.recorded_at, e.tenant, e.actor,
       CASE e.kind WHEN 'policy.registered' THEN 'rule set' WHEN 'verifier.registered' THEN 'verifier'
                   ELSE 'model card' END AS document,
       split_part(e.kind, '.', 2) AS decision,
       coalesce(said.event ->> 'name', said.event ->> 'model', said.event ->> 'format') AS name,
       coalesce(said.event ->> 'policy_version', said.event ->> 'model_revision', said.event ->> 'verifier_sha256')
         AS version,
       (SELECT p.value FROM audit.private p WHERE p.event_id = e.event_id AND p.field = 'person') AS person,
       (SELECT p.value FROM audit.private p WHERE p.event_id = e.event_id AND p.field = 'reason') AS reason,
       said.event -> 'tenants' AS tenants,
       said.event ->> 'expires' AS expires
FROM audit.entries e
CROSS JOIN LATERAL (SELECT audit.said(e.body) -> 'event' AS event OFFSET 0) AS said
WHERE e.kind IN ('policy.registered', 'model.registered', 'verifier.registered', 'model.approved', 'model.retired');
"""

_GRANTS = "GRANT SELECT ON audit.campaigns, audit.settled, audit.approvals TO presswork_auditor;"


def upgrade() -> None:
    for statements in (_FUNCTIONS, _CAMPAIGNS, _SETTLED, _MADE, _REFUSALS, _REVIEWS, _PUBLIC, _APPROVALS, _GRANTS):
        op.execute(statements)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

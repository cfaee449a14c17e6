"""Privacy: text can be erased by the clerk alone, on order or when its time is over, and never under a legal hold.

What is erased stays provable: the events keep their salted digests, the salts are gone, and an event says what went.
A row whose copies of such text were blanked says since when in erased_at; the checks keep a blanked row blank.
"""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# An item that is still to be made, or that waits for a reviewer, needs its prompt.
_COPIES = """
ALTER TABLE items ADD COLUMN erased_at timestamptz,
  ADD CHECK (erased_at IS NULL OR (prompt = '' AND negative_prompt = '')),
  ADD CHECK (erased_at IS NULL OR state NOT IN ('pending', 'planned', 'held'));
ALTER TABLE requests ADD COLUMN erased_at timestamptz,
  ADD CHECK (erased_at IS NULL OR (name = '' AND template = '' AND metadata = '{}'));
ALTER TABLE idempotency_keys ADD COLUMN erased_at timestamptz;
CREATE INDEX items_with_text ON items (settled_at) WHERE erased_at IS NULL AND settled_at IS NOT NULL;
CREATE INDEX requests_with_text ON requests (created_at) WHERE erased_at IS NULL;
CREATE INDEX requests_by_key ON requests (key_id);
CREATE INDEX replies_with_text ON idempotency_keys (created_at) WHERE erased_at IS NULL;
CREATE INDEX entries_of_comments ON audit.entries (recorded_at)
  WHERE kind IN ('item.reviewed', 'recall.ordered', 'hold.placed');
-- whoever reads events asks whether there are any, and which of them speak of a text that is missing
CREATE INDEX entries_erasing ON audit.entries (id) WHERE kind = 'text.erased';
CREATE INDEX entries_by_erased ON audit.entries USING gin (subjects) WHERE kind = 'text.erased';
"""

_ORDERS = """
CREATE TABLE legal_holds (
  id          uuid PRIMARY KEY,
  tenant      text NOT NULL REFERENCES tenants (id),
  request_id  uuid,
  item_id     uuid,
  since       timestamptz,
  until       timestamptz,
  reason      text NOT NULL CHECK (length(reason) <= 2000),
  placed_by   text NOT NULL CHECK (placed_by <> ''),
  placed_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  lifted_at   timestamptz,
  lifted_by   text,
  CHECK (item_id IS NULL OR request_id IS NOT NULL),
  CHECK (since < until),
  CHECK ((lifted_at IS NULL) = (lifted_by IS NULL))
);
CREATE INDEX legal_holds_active ON legal_holds (tenant) WHERE lifted_at IS NULL;

CREATE TABLE erasures (
  id           uuid PRIMARY KEY,
  tenant       text NOT NULL REFERENCES tenants (id),
  scope        jsonb NOT NULL CHECK (jsonb_typeof(scope) = 'object' AND scope <> '{}'),
  sought       text CHECK (length(sought) BETWEEN 3 AND 200),
  state        text NOT NULL CHECK (state IN ('ordered', 'running', 'finished')),
  ordered_by   text NOT NULL CHECK (ordered_by <> ''),
  ordered_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  look_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  finished_at  timestamptz,
  erased       jsonb NOT NULL DEFAULT '{}',
  CHECK (sought IS NULL OR state = 'ordered'),
  CHECK ((state = 'finished') = (finished_at IS NOT NULL))
);
CREATE INDEX erasures_by_tenant ON erasures (tenant, id);
CREATE INDEX erasures_open ON erasures (id) WHERE state <> 'finished';

CREATE TABLE erasure_targets (
  erasure_id  uuid NOT NULL REFERENCES erasures (id),
  kind        text NOT NULL CHECK (kind IN ('item', 'request', 'event', 'reply', 'pictures')),
  target      text NOT NULL,
  tenant      text NOT NULL,
  PRIMARY KEY (erasure_id, kind, target)
);

CREATE TABLE removals (
  object_key  text PRIMARY KEY CHECK (object_key ~ '^(raw|quarantine|released|recalled)/'),
  tenant      text NOT NULL,
  erasure_id  uuid NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE sweeps (
  place       text PRIMARY KEY CHECK (place IN ('texts', 'raw', 'quarantine', 'released', 'recalled')),
  after       text NOT NULL,
  rested_at   timestamptz
);
"""

_WALLED = ("legal_holds", "erasures", "erasure_targets", "removals")
_WALL = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_wall ON {table} TO presswork_api
  USING (tenant = nullif(current_setting('presswork.tenant', true), ''))
  WITH CHECK (tenant = nullif(current_setting('presswork.tenant', true), ''));
CREATE POLICY desk ON {table} TO presswork_clerk, CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY audit ON {table} FOR SELECT TO presswork_auditor USING (true);
"""
_VALUES = """
CREATE POLICY api_orders ON erasures AS RESTRICTIVE FOR INSERT TO presswork_api
  WITH CHECK (state = 'ordered' AND erased = '{}');
CREATE POLICY api_places ON legal_holds AS RESTRICTIVE FOR INSERT TO presswork_api WITH CHECK (lifted_at IS NULL);
CREATE POLICY api_lifts ON legal_holds AS RESTRICTIVE FOR UPDATE TO presswork_api
  USING (lifted_at IS NULL) WITH CHECK (lifted_at IS NOT NULL);
"""

# Rights are not enough: the owner of a table has them all, and a superuser needs none.
_ONLY_THE_CLERK = """
CREATE FUNCTION audit.only_the_clerk() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF pg_has_role(current_user, 'presswork_clerk', 'USAGE')
     AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION 'only the clerk erases private text: % on % refused', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege';
END $$;
REVOKE ALL ON FUNCTION audit.only_the_clerk() FROM PUBLIC;
CREATE TRIGGER only_the_clerk BEFORE DELETE ON audit.private
  FOR EACH ROW EXECUTE FUNCTION audit.only_the_clerk();
ALTER TABLE audit.private ENABLE ALWAYS TRIGGER only_the_clerk;
"""

# A grant says which columns, not which values: whoever may blank a text must not be able to reword it.
_ONLY_BLANKED = """
CREATE FUNCTION only_blanked() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  named text;
  old_row jsonb := to_jsonb(OLD);
  new_row jsonb := to_jsonb(NEW);
BEGIN
  FOREACH named IN ARRAY TG_ARGV LOOP
    IF new_row -> named IS DISTINCT FROM old_row -> named
       AND new_row -> named NOT IN ('""', '{}', to_jsonb('erased-' || (old_row ->> 'id'))) THEN
      RAISE EXCEPTION 'permission denied: % of % is blanked or stays as it is', named, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
    END IF;
  END LOOP;
  RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION only_blanked() FROM PUBLIC;

CREATE TRIGGER only_blanked BEFORE UPDATE OF prompt, negative_prompt, custom_id ON items
  FOR EACH ROW EXECUTE FUNCTION only_blanked('prompt', 'negative_prompt', 'custom_id');
CREATE TRIGGER only_blanked BEFORE UPDATE OF name, template, metadata ON requests
  FOR EACH ROW EXECUTE FUNCTION only_blanked('name', 'template', 'metadata');
CREATE TRIGGER only_blanked BEFORE UPDATE OF comment ON reviews
  FOR EACH ROW EXECUTE FUNCTION only_blanked('comment');
CREATE TRIGGER only_blanked BEFORE UPDATE OF reason ON recalls
  FOR EACH ROW EXECUTE FUNCTION only_blanked('reason');
CREATE TRIGGER only_blanked BEFORE UPDATE OF reason ON legal_holds
  FOR EACH ROW EXECUTE FUNCTION only_blanked('reason');

CREATE POLICY clerk_erases ON idempotency_keys AS RESTRICTIVE FOR UPDATE TO presswork_clerk
  USING (erased_at IS NULL) WITH CHECK (erased_at IS NOT NULL);
"""

_ERASED = """
CREATE FUNCTION audit.erased_of(erased_id uuid) RETURNS jsonb
LANGUAGE sql STABLE AS $$
  SELECT jsonb_object_agg(gone.field #>> '{}', jsonb_build_object(
           'by', e.event_id, 'at', e.recorded_at, 'basis', said.event ->> 'basis',
           'class', said.event ->> 'retention_class'))
  FROM audit.entries e
  CROSS JOIN LATERAL (SELECT audit.said(e.body) -> 'event' AS event OFFSET 0) AS said
  CROSS JOIN LATERAL jsonb_path_query(said.event, '$.fields[*]') AS gone (field)
  WHERE e.kind = 'text.erased' AND e.subjects @> ARRAY['event:' || erased_id::text]
    AND said.event -> 'event_ids' @> to_jsonb(erased_id::text)
$$;
REVOKE ALL ON FUNCTION audit.erased_of(uuid) FROM PUBLIC;

CREATE VIEW audit.erased WITH (security_invoker = true) AS
SELECT of.event #>> '{}' AS event_id, gone.field #>> '{}' AS field,
       e.event_id AS erased_by, e.recorded_at AS erased_at, e.tenant,
       said.event ->> 'erasure_id' AS erasure_id,
       said.event ->> 'basis' AS basis,
       said.event ->> 'retention_class' AS retention_class
FROM audit.entries e
CROSS JOIN LATERAL (SELECT audit.said(e.body) -> 'event' AS event OFFSET 0) AS said
CROSS JOIN LATERAL jsonb_path_query(said.event, '$.event_ids[*]') AS of (event)
CROSS JOIN LATERAL jsonb_path_query(said.event, '$.fields[*]') AS gone (field)
WHERE e.kind = 'text.erased';

CREATE OR REPLACE VIEW audit.events WITH (security_invoker = true) AS
SELECT e.id AS entry_id, (SELECT s.index FROM audit.sequence s WHERE s.entry_id = e.id) AS index,
       e.event_id, e.recorded_at, e.tenant, e.kind, e.actor, e.subjects,
       said.body -> 'event'
         || CASE WHEN jsonb_path_exists(said.body, '$.event.*.commitment') THEN coalesce(
              (SELECT jsonb_object_agg(gone.key, (said.body -> 'event' -> gone.key)
                                                 || jsonb_build_object('erased', gone.value))
               FROM jsonb_each(audit.erased_of(e.event_id)) AS gone),
              '{}') ELSE '{}' END
         || coalesce((SELECT jsonb_object_agg(p.field, p.value) FROM audit.private p WHERE p.event_id = e.event_id),
                     '{}') AS event
FROM audit.entries e
CROSS JOIN LATERAL (SELECT audit.said(e.body) AS body OFFSET 0) AS said;

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
            THEN audit.erased_of(e.event_id) -> 'prompt' END AS prompt_erased
FROM audit.entries e
CROSS JOIN LATERAL (SELECT audit.said(e.body) -> 'event' AS event OFFSET 0) AS said
WHERE e.kind IN ('item.held', 'item.refused');
"""

# A request's name became private with this revision; what was accepted before has it in the clear.
_LINEAGE = """
CREATE OR REPLACE VIEW audit.lineage WITH (security_invoker = true) AS
SELECT audit.subject(e.subjects, 'asset') AS asset_id,
       audit.subject(e.subjects, 'item') AS item_id,
       audit.subject(e.subjects, 'request') AS request_id,
       audit.subject(e.subjects, 'batch') AS batch_id,
       e.id AS entry_id, (SELECT s.index FROM audit.sequence s WHERE s.entry_id = e.id) AS index,
       e.event_id, e.recorded_at AS released_at, e.tenant,
       accepted.name AS request_name,
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
       links.given AS links,
       coalesce(accepted.erased, '{}') || coalesce(audit.erased_of(e.event_id), '{}') AS erased
FROM audit.entries e
CROSS JOIN LATERAL (SELECT audit.said(e.body) -> 'event' AS event OFFSET 0) AS said
LEFT JOIN LATERAL (
  SELECT audit.said(r.body) -> 'event' AS event, r.actor, r.recorded_at,
         (SELECT p.value FROM audit.private p WHERE p.event_id = r.event_id AND p.field = 'template') AS template,
         coalesce((SELECT p.value FROM audit.private p WHERE p.event_id = r.event_id AND p.field = 'name'),
                  (SELECT name #>> '{}' FROM jsonb_path_query(audit.said(r.body), '$.event.name') AS name
                   WHERE jsonb_typeof(name) = 'string')) AS name,
         audit.erased_of(r.event_id) AS erased
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

# The clerk sees no salt and no body; it deletes private text and never writes over it.
_GRANTS = """
GRANT SELECT, INSERT ON legal_holds, erasures TO presswork_api, presswork_clerk;
GRANT SELECT ON erasure_targets, removals TO presswork_api;
GRANT UPDATE (lifted_at, lifted_by) ON legal_holds TO presswork_api, presswork_clerk;
GRANT UPDATE (reason) ON legal_holds TO presswork_clerk;
GRANT UPDATE (state, sought, look_at, finished_at, erased) ON erasures TO presswork_clerk;
GRANT SELECT, INSERT, DELETE ON erasure_targets, removals TO presswork_clerk;
GRANT SELECT, INSERT, UPDATE ON sweeps TO presswork_clerk;
GRANT SELECT ON legal_holds, erasures, erasure_targets, removals TO presswork_auditor;

GRANT SELECT (tenant, key, body, created_at, erased_at) ON idempotency_keys TO presswork_clerk, presswork_auditor;
GRANT UPDATE (body, fingerprint, erased_at) ON idempotency_keys TO presswork_clerk;
GRANT UPDATE (prompt, negative_prompt, custom_id, erased_at) ON items TO presswork_clerk;
GRANT UPDATE (name, template, metadata, erased_at) ON requests TO presswork_clerk;
GRANT UPDATE (comment) ON reviews TO presswork_clerk;
GRANT UPDATE (reason) ON recalls TO presswork_clerk;

GRANT SELECT (id, event_id, tenant, kind, subjects, recorded_at) ON audit.entries TO presswork_clerk;
GRANT SELECT (event_id, field, value), DELETE ON audit.private TO presswork_clerk;
GRANT EXECUTE ON FUNCTION audit.erased_of TO presswork_auditor;
GRANT SELECT ON audit.erased TO presswork_auditor;
"""


def upgrade() -> None:
    op.execute(_COPIES)
    op.execute(_ORDERS)
    for table in _WALLED:
        op.execute(_WALL.format(table=table))
    for statements in (_VALUES, _ONLY_THE_CLERK, _ONLY_BLANKED, _ERASED, _LINEAGE, _GRANTS):
        op.execute(statements)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

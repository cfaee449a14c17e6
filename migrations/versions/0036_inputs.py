"""Inputs: pictures that tenants send in, and which item is made from which of them.

The table is the queue of their intake, as that of identification is: a claim is a conditional update with a lease. A
picture that was sent twice is one input, by the digest of the file as it was sent; what was fetched from an address is
an input of its own each time, as its bytes are known only afterwards.
"""

from __future__ import annotations

from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE inputs (
  id           uuid PRIMARY KEY,
  tenant       text NOT NULL REFERENCES tenants (id),
  key_id       uuid NOT NULL,
  state        text NOT NULL
               CHECK (state IN ('received', 'checking', 'ready', 'refused', 'failed', 'recalled', 'erased')),
  origin       text NOT NULL CHECK (origin IN ('upload', 'address', 'archive')),
  name         text NOT NULL,
  address      text NOT NULL,
  consent      text NOT NULL,
  object       text UNIQUE CHECK (object LIKE 'inbox/%'),
  sent_sha256  text CHECK (sent_sha256 ~ '^[0-9a-f]{64}$'),
  sent_bytes   bigint CHECK (sent_bytes >= 1),
  attempt      integer NOT NULL DEFAULT 0 CHECK (attempt >= 0),
  lease_until  timestamptz,
  media_type   text,
  width        integer CHECK (width >= 1),
  height       integer CHECK (height >= 1),
  transparent  boolean,
  key          text UNIQUE CHECK (key LIKE 'inputs/%'),
  sha256       text CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  original_key text UNIQUE CHECK (original_key LIKE 'inputs/%'),
  marks        jsonb,
  verdict      jsonb,
  reason       text,
  detail       text NOT NULL DEFAULT '',
  created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  settled_at   timestamptz,
  used_at      timestamptz,
  withdrawn_at timestamptz,
  CHECK ((state = 'checking') = (lease_until IS NOT NULL)),
  CHECK ((state IN ('received', 'checking')) = (settled_at IS NULL)),
  CHECK ((state IN ('recalled', 'erased')) = (withdrawn_at IS NOT NULL)),
  CHECK (state <> 'ready' OR (key IS NOT NULL AND sha256 IS NOT NULL AND verdict IS NOT NULL)),
  CHECK (state <> 'refused' OR (key IS NULL AND verdict IS NOT NULL)),
  CHECK (state <> 'failed' OR (key IS NULL AND reason IS NOT NULL))
);
CREATE UNIQUE INDEX inputs_by_content ON inputs (tenant, sent_sha256)
  WHERE origin <> 'address' AND state NOT IN ('failed', 'erased');
CREATE INDEX inputs_open ON inputs (tenant, id) WHERE state IN ('received', 'checking');
CREATE INDEX inputs_settled ON inputs (settled_at) WHERE key IS NOT NULL;
CREATE INDEX inputs_by_tenant ON inputs (tenant, id);

CREATE TABLE item_inputs (
  item_id   uuid NOT NULL REFERENCES items (id),
  role      text NOT NULL CHECK (role IN ('image', 'mask', 'control_image', 'reference_image')),
  input_id  uuid NOT NULL REFERENCES inputs (id),
  tenant    text NOT NULL,
  PRIMARY KEY (item_id, role)
);
CREATE INDEX item_inputs_by_input ON item_inputs (input_id, item_id);
"""

# What made an asset, with the pictures that it was made from and what was found on them.
_LINEAGE = """
CREATE OR REPLACE VIEW audit.lineage WITH (security_invoker = true) AS
SELECT o.*, reviewed.reviews, recalled.recalled_at, recalled.recall_id, recalled.recall_reason,
       own.event -> 'row' AS row, own.event -> 'variant' AS variant, rewritten.rewrites, discarded.discarded,
       made_from.inputs
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
) AS discarded ON true
LEFT JOIN LATERAL (
  SELECT coalesce(jsonb_agg(given.each || coalesce(jsonb_build_object(
           'received_at', looked.recorded_at, 'sent_sha256', looked.event -> 'sent_sha256',
           'decision', looked.event #> '{verdict,decision}', 'marks', looked.event -> 'marks'), '{}')
         ORDER BY given.place), '[]') AS inputs
  FROM jsonb_array_elements(coalesce(own.event -> 'inputs', '[]')) WITH ORDINALITY AS given (each, place)
  LEFT JOIN LATERAL (
    SELECT s.recorded_at, audit.said(s.body) -> 'event' AS event FROM audit.entries s
    WHERE s.kind = 'input.screened' AND s.subjects @> ARRAY['input:' || (given.each ->> 'input_id')]
    ORDER BY s.id LIMIT 1
  ) AS looked ON true
) AS made_from ON true;
"""

_WALLS = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_wall ON {table} TO presswork_api
  USING (tenant = nullif(current_setting('presswork.tenant', true), ''))
  WITH CHECK (tenant = nullif(current_setting('presswork.tenant', true), ''));
CREATE POLICY line ON {table} TO presswork_worker, presswork_clerk, presswork_identify, CURRENT_USER
  USING (true) WITH CHECK (true);
CREATE POLICY audit ON {table} FOR SELECT TO presswork_auditor USING (true);
"""

_GRANTS = """
GRANT SELECT, INSERT, UPDATE (state, used_at, withdrawn_at, name, address, consent, lease_until,
  settled_at) ON inputs
  TO presswork_api;
GRANT SELECT, UPDATE (used_at) ON inputs TO presswork_worker;
GRANT SELECT ON inputs TO presswork_auditor;
GRANT SELECT, UPDATE (state, attempt, lease_until, sent_sha256, sent_bytes, media_type, width, height, transparent, key,
  sha256, original_key, marks, verdict, reason, detail, lease_until, settled_at) ON inputs TO presswork_identify;
GRANT SELECT (item_id, input_id) ON item_inputs TO presswork_identify;
GRANT SELECT (id, queue) ON items TO presswork_identify;
CREATE POLICY identify ON items FOR SELECT TO presswork_identify USING (true);
GRANT SELECT, UPDATE (state, key, original_key, name, address, lease_until, withdrawn_at) ON inputs TO presswork_clerk;

GRANT SELECT, INSERT ON item_inputs TO presswork_api;
GRANT SELECT ON item_inputs TO presswork_worker, presswork_clerk, presswork_auditor;
"""


def upgrade() -> None:
    op.execute(_TABLES)
    for table in ("inputs", "item_inputs"):
        op.execute(_WALLS.format(table=table))
    op.execute(_GRANTS)
    op.execute(_LINEAGE)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

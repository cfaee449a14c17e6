"""Approvals of rule sets by people, and their place among the approvals that an auditor reads."""

from __future__ import annotations

from alembic import op

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None

_TABLE = """
CREATE TABLE policy_approvals (
  policy_version text NOT NULL CHECK (policy_version ~ '^sha256:[0-9a-f]{64}$'),
  person         text NOT NULL CHECK (person <> ''),
  reason         text NOT NULL,
  approved_at    timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (policy_version, person)
);
GRANT SELECT ON policy_approvals TO presswork_api, presswork_auditor;
GRANT SELECT, INSERT ON policy_approvals TO presswork_worker;
"""

_APPROVALS = """
CREATE OR REPLACE VIEW audit.approvals WITH (security_invoker = true) AS
SELECT e.id AS entry_id, (SELECT s.index FROM audit.sequence s WHERE s.entry_id = e.id) AS index,
       e.event_id, e.recorded_at, e.tenant, e.actor,
       CASE WHEN e.kind LIKE 'policy.%' THEN 'rule set' WHEN e.kind = 'verifier.registered' THEN 'verifier'
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
WHERE e.kind IN ('policy.registered', 'policy.approved', 'model.registered', 'verifier.registered', 'model.approved',
                 'model.retired');
"""


def upgrade() -> None:
    op.execute(_TABLE)
    op.execute(_APPROVALS)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

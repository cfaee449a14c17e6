"""Approvals of rule sets are written by the clerk's login alone, and never without their event.

A worker's login lies on every GPU machine; what decides which rules it works under is none of its rights. The process
that screens inputs asks for approvals too, so it may read them.
"""

from __future__ import annotations

from alembic import op

revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None

_GRANTS = """
REVOKE INSERT ON policy_approvals FROM presswork_worker;
GRANT SELECT, INSERT ON policy_approvals TO presswork_clerk;
GRANT SELECT ON policy_approvals TO presswork_identify;
"""

# At the commit, when both are there in whatever order they were written. `xmin`: an older event of the same rule set
# does not count. A dump is restored before its triggers are made.
_WITH_ITS_EVENT = """
CREATE FUNCTION audit.demand_approval_event() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (
    SELECT FROM audit.entries e
    WHERE e.subjects @> ARRAY['policy:' || NEW.policy_version] AND e.kind = 'policy.approved'
      AND e.xmin = pg_current_xact_id()::xid
  ) THEN
    RAISE EXCEPTION 'the approval of % has no event policy.approved in its transaction', NEW.policy_version
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION audit.demand_approval_event() FROM PUBLIC;

CREATE CONSTRAINT TRIGGER with_its_event AFTER INSERT OR UPDATE ON policy_approvals
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit.demand_approval_event();
"""


def upgrade() -> None:
    op.execute(_GRANTS)
    op.execute(_WITH_ITS_EVENT)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

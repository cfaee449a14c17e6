"""Clerk role, for what people order afterwards: it carries out reviews, recalls and erasures.

It reads every job table and passes the tenants' walls, as the line does; what it may write is granted where
each of those came to be.
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ROLE = """
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'presswork_clerk') THEN
    CREATE ROLE presswork_clerk NOLOGIN;
  END IF;
END $$
"""

_WALLED = ("requests", "items", "assets", "renditions", "holds", "idempotency_keys")

_GRANTS = """
GRANT SELECT ON tenants, requests, recipes, batches, items, assets, renditions, holds TO presswork_clerk;
GRANT USAGE ON SCHEMA audit TO presswork_clerk;
GRANT INSERT (event_id, tenant, kind, actor, subjects, recorded_at, body) ON audit.entries TO presswork_clerk;
GRANT INSERT ON audit.private TO presswork_clerk;
GRANT EXECUTE ON FUNCTION audit.said, audit.subject, audit.makers, audit.policy_version TO presswork_clerk;
"""


def upgrade() -> None:
    op.execute(_ROLE)
    for table in _WALLED:
        op.execute(f"CREATE POLICY desk ON {table} TO presswork_clerk USING (true) WITH CHECK (true)")
    op.execute(_GRANTS)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

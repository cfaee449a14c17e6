"""Claims of reviewers: who is looking at which held picture, for two minutes.

A claim holds nobody up and proves nothing, so the API may delete it, and nobody else reads it.
"""

from __future__ import annotations

from alembic import op

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None

_TABLE = """
CREATE TABLE review_claims (
  item_id uuid PRIMARY KEY REFERENCES items (id) ON DELETE CASCADE,
  tenant  text NOT NULL,
  key_id  uuid NOT NULL,
  until   timestamptz NOT NULL
);
CREATE INDEX review_claims_over ON review_claims (tenant, until);
ALTER TABLE review_claims ENABLE ROW LEVEL SECURITY;
ALTER TABLE review_claims FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_wall ON review_claims TO presswork_api
  USING (tenant = nullif(current_setting('presswork.tenant', true), ''))
  WITH CHECK (tenant = nullif(current_setting('presswork.tenant', true), ''));
CREATE POLICY desk ON review_claims TO CURRENT_USER USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, DELETE, UPDATE (key_id, until) ON review_claims TO presswork_api;
"""


def upgrade() -> None:
    op.execute(_TABLE)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

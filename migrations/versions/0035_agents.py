"""Agents' keys: a scope of their own, and how many images a day may be sent with one.

An agent's key may send what was planned, pause and cancel what it sent, read and ask. It has none of the scopes with
which people and services send, review or administer.
"""

from __future__ import annotations

from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

_KEYS = """
ALTER TABLE api_keys DROP CONSTRAINT api_keys_scopes_check;
ALTER TABLE api_keys ADD CONSTRAINT api_keys_scopes_check
  CHECK (scopes <@ ARRAY['submit', 'read', 'review', 'audit', 'admin', 'agent']);
ALTER TABLE api_keys ADD COLUMN daily_images bigint CHECK (daily_images > 0);
ALTER TABLE api_keys ADD CONSTRAINT api_keys_agent_check CHECK (
  ('agent' = ANY (scopes)) = (daily_images IS NOT NULL)
  AND NOT ('agent' = ANY (scopes) AND scopes && ARRAY['submit', 'review', 'admin'])
  AND NOT ('agent' = ANY (scopes) AND person IS NOT NULL));
CREATE INDEX requests_of_key ON requests (key_id, created_at);
"""


def upgrade() -> None:
    op.execute(_KEYS)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

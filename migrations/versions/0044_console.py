"""Sessions of the console: who is signed in, and links that sign in once.

The row holds the digest of a token and the API key encrypted under it. The token is in the browser's cookie alone, so a
copy of the table opens nothing, and a row that is deleted ends the session wherever its cookie went.
"""

from __future__ import annotations

from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

_TABLE = """
CREATE TABLE console_sessions (
  token_sha256 bytea PRIMARY KEY CHECK (octet_length(token_sha256) = 32),
  kind         text NOT NULL CHECK (kind IN ('session', 'link')),
  key_id       uuid NOT NULL REFERENCES api_keys (id),
  sealed_key   text NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at   timestamptz NOT NULL,
  CHECK (expires_at > created_at)
);
CREATE INDEX console_sessions_by_key ON console_sessions (key_id, created_at);
CREATE INDEX console_sessions_by_end ON console_sessions (expires_at);
GRANT SELECT, INSERT, DELETE ON console_sessions TO presswork_api;
"""


def upgrade() -> None:
    op.execute(_TABLE)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

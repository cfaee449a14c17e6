"""Registers of what the ledger's events name by digest, kept for years; and what witnesses said of its heads.

A document's key is the digest of its own bytes, computed by the database, so that no text can stand under
another's digest. Both tables are append-only as the ledger itself is.
"""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE audit.documents (
  sha256      text GENERATED ALWAYS AS (encode(sha256(body), 'hex')) STORED PRIMARY KEY,
  kind        text NOT NULL CHECK (kind IN ('policy', 'card', 'files')),
  name        text NOT NULL CHECK (name <> ''),
  body        bytea NOT NULL CHECK (octet_length(body) BETWEEN 1 AND 4194304),
  first_seen  timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE audit.cosignatures (
  size         bigint NOT NULL CHECK (size >= 1),
  witness      text NOT NULL CHECK (witness <> ''),
  line         text NOT NULL,
  received_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (size, witness)
);
"""

_APPEND_ONLY = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.{table}
  FOR EACH ROW EXECUTE FUNCTION audit.refuse();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit.{table}
  FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse();
ALTER TABLE audit.{table} ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE audit.{table} ENABLE ALWAYS TRIGGER no_truncate;
"""

# Without a conflict target, ON CONFLICT DO NOTHING needs no right to read: who registers sees nothing.
_GRANTS = """
GRANT INSERT (kind, name, body) ON audit.documents TO presswork_api, presswork_worker;
GRANT SELECT ON audit.cosignatures TO presswork_sealer;
GRANT INSERT (size, witness, line) ON audit.cosignatures TO presswork_sealer;
GRANT SELECT ON audit.documents, audit.cosignatures TO presswork_auditor;
"""


def upgrade() -> None:
    op.execute(_TABLES)
    for table in ("documents", "cosignatures"):
        op.execute(_APPEND_ONLY.format(table=table))
    op.execute(_GRANTS)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

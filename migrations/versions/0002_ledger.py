"""Audit ledger: entries that nobody changes, the sealed tree over them, who may do what.

No foreign key leads out of this schema: the ledger outlives what it describes. The triggers that refuse
changes are ENABLE ALWAYS, because plain ones sleep under session_replication_role = replica. A superuser
can still get past all of it; then `presswork audit verify` says so.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TABLES = r"""
CREATE SCHEMA audit;

CREATE TABLE audit.entries (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  event_id     uuid NOT NULL UNIQUE,
  tenant       text NOT NULL CHECK (tenant <> ''),
  kind         text NOT NULL CHECK (kind <> ''),
  actor        text NOT NULL CHECK (actor <> ''),
  subjects     text[] NOT NULL,
  recorded_at  timestamptz NOT NULL,
  body         bytea NOT NULL,
  leaf         bytea NOT NULL GENERATED ALWAYS AS (sha256('\x00'::bytea || body)) STORED
);
CREATE INDEX entries_by_subject ON audit.entries USING gin (subjects);

CREATE TABLE audit.private (
  event_id  uuid NOT NULL,
  field     text NOT NULL,
  salt      bytea NOT NULL CHECK (octet_length(salt) = 16),
  value     text NOT NULL,
  PRIMARY KEY (event_id, field)
);

CREATE TABLE audit.pending (
  entry_id  bigint PRIMARY KEY
);

CREATE TABLE audit.sequence (
  index     bigint PRIMARY KEY CHECK (index >= 0),
  entry_id  bigint NOT NULL UNIQUE,
  event_id  uuid NOT NULL,
  leaf      bytea NOT NULL CHECK (octet_length(leaf) = 32)
);

CREATE TABLE audit.nodes (
  level  smallint NOT NULL CHECK (level >= 1),
  index  bigint NOT NULL CHECK (index >= 0),
  hash   bytea NOT NULL CHECK (octet_length(hash) = 32),
  PRIMARY KEY (level, index)
);

CREATE TABLE audit.checkpoints (
  size       bigint PRIMARY KEY CHECK (size >= 1),
  root       bytea NOT NULL CHECK (octet_length(root) = 32),
  note       text NOT NULL,
  sealed_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
"""

# Writers insert an entry and nothing else; what waits for the sealer is the database's own bookkeeping.
# A pending row becomes visible with its transaction, so a slow one is sealed late and never skipped.
_PENDING = """
CREATE FUNCTION audit.remember_pending() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO audit.pending (entry_id) SELECT id FROM added;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION audit.remember_pending() FROM PUBLIC;

CREATE TRIGGER remember_pending AFTER INSERT ON audit.entries
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION audit.remember_pending();

CREATE FUNCTION audit.refuse() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'the audit ledger is append-only: % on % refused', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege';
END $$;
REVOKE ALL ON FUNCTION audit.refuse() FROM PUBLIC;
"""

_APPEND_ONLY = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.{table}
  FOR EACH ROW EXECUTE FUNCTION audit.refuse();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit.{table}
  FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse();
ALTER TABLE audit.{table} ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE audit.{table} ENABLE ALWAYS TRIGGER no_truncate;
"""

# Private text may one day be erased, by a role made for that, but never reworded. Nobody holds the grant yet.
_NEVER_REWORDED = """
CREATE TRIGGER never_reworded BEFORE UPDATE ON audit.private
  FOR EACH ROW EXECUTE FUNCTION audit.refuse();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit.private
  FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse();
ALTER TABLE audit.private ENABLE ALWAYS TRIGGER never_reworded;
ALTER TABLE audit.private ENABLE ALWAYS TRIGGER no_truncate;
"""

# The sealer signs what it never reads: it sees leaves, not bodies.
_GRANTS = """
GRANT USAGE ON SCHEMA audit TO presswork_api, presswork_worker, presswork_sealer, presswork_auditor;

GRANT INSERT (event_id, tenant, kind, actor, subjects, recorded_at, body) ON audit.entries
  TO presswork_api, presswork_worker;
GRANT INSERT ON audit.private TO presswork_api, presswork_worker;

GRANT SELECT (id, event_id, recorded_at, leaf) ON audit.entries TO presswork_sealer;
GRANT SELECT, DELETE ON audit.pending TO presswork_sealer;
GRANT SELECT, INSERT ON audit.sequence, audit.nodes TO presswork_sealer;
GRANT SELECT ON audit.checkpoints TO presswork_sealer;
GRANT INSERT (size, root, note) ON audit.checkpoints TO presswork_sealer;

GRANT SELECT ON audit.entries, audit.private, audit.pending, audit.sequence, audit.nodes, audit.checkpoints
  TO presswork_auditor;
"""


def upgrade() -> None:
    op.execute(_TABLES)
    op.execute(_PENDING)
    for table in ("entries", "sequence", "nodes", "checkpoints"):
        op.execute(_APPEND_ONLY.format(table=table))
    op.execute(_NEVER_REWORDED)
    op.execute(_GRANTS)


def downgrade() -> None:
    raise RuntimeError("presswork keeps what it recorded: restore a backup instead of migrating down")

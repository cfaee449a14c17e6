"""Database roles and the ledger: what no role needs is refused, to the owner and under replica role too."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from migrations.upgrade import upgrade
from policy.ledger.append import append
from tests.support.ledger import Ledger, failed

TABLES = ("entries", "private", "pending", "sequence", "nodes", "checkpoints", "cosignatures", "documents")
WRITERS = ("api", "worker")
ROLES = (*WRITERS, "sealer", "auditor", "clerk", "identify")
COLUMNS = {"entries": "tenant", "private": "value", "pending": "entry_id", "sequence": "leaf", "nodes": "hash",
           "checkpoints": "note", "cosignatures": "line", "documents": "name"}  # fmt: skip
HASH = "sha256('x')"
ROWS = {
    "entries": "(event_id, tenant, kind, actor, subjects, recorded_at, body) "
    "values (gen_random_uuid(), 'a', 'k', 'a', '{}', now(), 'x')",
    "private": "values (gen_random_uuid(), 'f', '0123456789abcdef', 'v')",
    "pending": "values (999)",
    "sequence": f"values (999, 999, gen_random_uuid(), {HASH})",
    "nodes": f"values (1, 999, {HASH})",
    "checkpoints": f"(size, root, note) values (999, {HASH}, 'n')",
    "cosignatures": "(size, witness, line) values (999, 'w', 'l')",
    "documents": "(kind, name, body) values ('policy', 'n', 'x')",
}
MAY_INSERT = {(role, table) for role in WRITERS for table in ("entries", "private", "documents")} | {
    ("sealer", table) for table in ("sequence", "nodes", "checkpoints", "cosignatures")
}
MAY_INSERT |= {(role, table) for role in ("clerk", "identify") for table in ("entries", "private")}
MAY_DELETE = {("sealer", "pending"), ("clerk", "private")}  # what waits is sealed; text is erased, with an event
MAY_READ = {("auditor", table) for table in TABLES} | {("sealer", table) for table in TABLES[2:-1]}


@pytest.fixture
def ledger(database):
    ledger = Ledger(database)
    ledger.fill(3)
    ledger.append(failed(9))
    return ledger


def refused_to(engine, statement):
    with (
        engine.connect() as conn,
        pytest.raises(ProgrammingError, match=r"permission denied|must be owner|generated column"),
    ):
        conn.execute(text(statement))


def allowed_to(engine, statement):
    with engine.connect() as conn:
        conn.execute(text(statement))


def allowed_for_good(engine, statement):
    with engine.begin() as conn:
        conn.execute(text(statement))


@pytest.mark.parametrize("role", ROLES)
def test_nobody_who_works_may_update_delete_or_truncate(ledger, role):
    engine = ledger.database.engine(role)
    for table, column in COLUMNS.items():
        refused_to(engine, f"update audit.{table} set {column} = {column}")
        refused_to(engine, f"truncate audit.{table}")
        if (role, table) not in MAY_DELETE:
            refused_to(engine, f"delete from audit.{table}")
    refused_to(engine, "alter table audit.entries disable trigger append_only")
    refused_to(engine, "drop table audit.entries")


@pytest.mark.parametrize("role", ROLES)
def test_each_role_inserts_and_reads_what_its_part_needs_and_no_more(ledger, role):
    engine = ledger.database.engine(role)
    for table in TABLES:
        insert, read = f"insert into audit.{table} {ROWS[table]}", f"select * from audit.{table}"
        (allowed_to if (role, table) in MAY_INSERT else refused_to)(engine, insert)
        (allowed_to if (role, table) in MAY_READ else refused_to)(engine, read)


def test_the_sealer_sees_leaves_and_never_bodies(ledger):
    allowed_to(ledger.sealer, "select id, event_id, recorded_at, leaf from audit.entries")
    for column in ("body", "tenant", "actor", "subjects"):
        refused_to(ledger.sealer, f"select {column} from audit.entries")
    allowed_to(ledger.sealer, "delete from audit.pending")


def test_a_writer_cannot_choose_an_id_a_leaf_or_an_hour_of_sealing(ledger):
    refused_to(ledger.worker, "insert into audit.entries (id) overriding system value values (7)")
    refused_to(ledger.worker, "insert into audit.entries (leaf) values ('x')")
    refused_to(ledger.sealer, f"insert into audit.checkpoints values (999, {HASH}, 'n', now())")


@pytest.mark.parametrize(
    ("role", "replication_role"), [("owner", "origin"), ("superuser", "origin"), ("superuser", "replica")]
)
def test_even_the_owner_and_a_replica_session_meet_the_triggers(ledger, role, replication_role):
    ledger.fill(260)  # so that every table holds a row
    allowed_for_good(ledger.sealer, f"insert into audit.cosignatures {ROWS['cosignatures']}")
    allowed_for_good(ledger.worker, f"insert into audit.documents {ROWS['documents']}")
    with ledger.database.engine(role).connect() as conn:
        if role == "superuser":
            conn.execute(text(f"set session_replication_role = {replication_role}"))
            conn.commit()
        for table in ("entries", "sequence", "nodes", "checkpoints", "cosignatures", "documents"):
            column = COLUMNS[table]
            for verb in (f"update audit.{table} set {column} = {column}", f"delete from audit.{table}",
                         f"truncate audit.{table}"):  # fmt: skip
                with pytest.raises(DBAPIError, match=f"append-only: .* on {table} refused"):
                    conn.execute(text(verb))
                conn.rollback()


def test_the_owner_cannot_play_replica(ledger):
    refused_to(ledger.database.engine("owner"), "set session_replication_role = replica")


def test_private_text_is_never_reworded(ledger):
    with ledger.superuser.connect() as conn, pytest.raises(DBAPIError, match="append-only: UPDATE on private"):
        conn.execute(text("update audit.private set value = 'another'"))


@pytest.mark.parametrize("role", WRITERS)
def test_the_api_and_a_worker_can_append(ledger, role):
    with ledger.database.engine(role).begin() as conn:
        append(conn, tenant="acme", actor=role, events=[failed(1)])
    assert ledger.seal().entries == 2
    assert ledger.verify().intact


def test_the_ledger_points_at_no_other_table(ledger):
    assert (
        ledger.rows(
            "select conname from pg_constraint where contype = 'f' "
            "and (connamespace = 'audit'::regnamespace or confrelid in "
            "(select oid from pg_class where relnamespace = 'audit'::regnamespace))"
        )
        == []
    )


def test_migrating_again_changes_nothing(ledger):
    upgrade(ledger.database.url("owner"))
    assert ledger.verify().intact

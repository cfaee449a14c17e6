"""Upgrades: the stored database of each release is migrated, keeps every row, and the new code finishes its work."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, NullPool, create_engine, text

import migrations
from deploy.embedded.stack import Stack
from migrations.upgrade import upgrade
from policy.ledger.tree.notes import Vkey
from policy.ledger.verification.verify import verify
from tests.behaviour.upgrade.store import HERE
from tests.support.databases import Database
from tests.support.ledger import new_signer
from tests.support.line import Line, released
from tests.support.repository import text as text_of
from workers.jobs.settle import settle

REVISIONS = dict(re.findall(r"^\| (\d+\.\d+\.\d+) \| (\d{4}) \|", text_of("docs/releasing.md"), re.MULTILINE))
REWRITTEN: dict[str, set[str]] = {}  # table -> columns that a later revision fills anew, with the reason beside it
_TABLES = """
select format('%I.%I', nspname, relname) from pg_class c join pg_namespace n on n.oid = relnamespace
where relkind = 'r' and nspname in ('public', 'audit') and relname <> 'alembic_version' order by 1
"""


@pytest.fixture(params=sorted(REVISIONS))
def old(request: pytest.FixtureRequest, stack: Stack) -> Iterator[tuple[Database, str]]:
    """A database as that release left it, and the release."""
    release = str(request.param)
    database = Database(f"old_{secrets.token_hex(6)}", stack)
    server = create_engine(
        stack.postgres.url("superuser", database="postgres"), isolation_level="AUTOCOMMIT", poolclass=NullPool
    )
    with server.connect() as conn:
        conn.execute(text(f"create database {database.name} owner presswork_owner"))
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["url"] = database.url("owner")
    command.upgrade(config, REVISIONS[release])
    with database.engine("superuser").begin() as conn:
        conn.exec_driver_sql("set local session_replication_role = replica")  # as a restore: no trigger adds rows
        conn.exec_driver_sql((HERE / f"{release}.sql").read_text().replace("%", "%%"))
    yield database, release
    database.dispose()
    with server.connect() as conn:
        conn.execute(text(f"drop database {database.name} with (force)"))


def test_every_release_has_a_stored_database_and_a_revision() -> None:
    assert set(REVISIONS) == {path.stem for path in HERE.glob("*.sql")} == {path.stem for path in HERE.glob("*.vkey")}
    assert REVISIONS


def test_no_row_is_lost_or_reworded(old: tuple[Database, str]) -> None:
    database, _ = old
    with database.engine("superuser").connect() as conn:
        before = {name: _rows(conn, name) for name in conn.scalars(text(_TABLES))}
    assert sum(map(len, before.values())) > 100
    upgrade(database.url("owner"))
    with database.engine("superuser").connect() as conn:
        for name, rows in before.items():
            after = [_without(row, REWRITTEN.get(name, set())) for row in _rows(conn, name)]
            for row in rows:
                kept = _without(row, REWRITTEN.get(name, set())).items()
                assert any(kept <= now.items() for now in after), (name, row)
            assert len(after) == len(rows), name


def test_the_new_code_finishes_what_the_old_began(old: tuple[Database, str]) -> None:
    database, release = old
    upgrade(database.url("owner"))
    line = Line.on(database)
    held = line.claim(line.batch_ids("dispatched")[0])
    with line.worker.begin() as conn:
        settle(conn, held, [released(held, item) for item in held.items])
    assert {line.item(item.id).state for item in held.items} == {"released"}
    pending = line.pending()
    assert pending
    held = line.claim(line.dispatch(pending))
    with line.worker.begin() as conn:
        settle(conn, held, [released(held, item) for item in held.items])
    assert line.pending() == []
    line.submit("dove", 2)
    assert len(line.pending()) == 2
    with database.engine("auditor").connect() as conn:
        found = verify(conn, [Vkey.parse((HERE / f"{release}.vkey").read_text().strip())], [])
    assert found.intact, found.problems


def test_another_key_does_not_verify_the_stored_ledger(old: tuple[Database, str]) -> None:
    database, _ = old
    upgrade(database.url("owner"))
    with database.engine("auditor").connect() as conn:
        assert not verify(conn, [new_signer().vkey], []).intact


def _rows(conn: Connection, name: str) -> list[dict[str, Any]]:
    found = conn.execute(text(f"select to_jsonb(t) from {name} t")).scalars()
    return [{column: repr(value) for column, value in row.items()} for row in found]


def _without(row: dict[str, Any], columns: set[str]) -> dict[str, Any]:
    return {column: value for column, value in row.items() if column not in columns}

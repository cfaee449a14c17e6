"""Backup and restore drill: what comes back is what was there, with its walls, its ledger, and an event about it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import create_engine, text

from deploy.backup import restore as restoring
from deploy.backup.manifest import DUMP, MANIFEST
from deploy.cli import main
from deploy.embedded.stack import Stack
from policy.ledger.tree.keys import LocalNoteSigner, SealingKeys
from tests.support.databases import Database
from tests.support.ledger import Ledger, MemoryAnchor, failed
from tests.support.line import Line
from workers.sealing.sealer import Sealer


@pytest.fixture
def empty(stack: Stack) -> Iterator[Database]:
    """A database without tables, on a server that has the roles."""
    name = f"restored_{uuid4().hex[:8]}"
    server = create_engine(stack.postgres.url("superuser", database="postgres"), isolation_level="AUTOCOMMIT")
    with server.connect() as conn:
        conn.execute(text(f"create database {name} owner presswork_owner"))
    database = Database(name, stack)
    yield database
    database.dispose()
    with server.connect() as conn:
        conn.execute(text(f"drop database {name} with (force)"))
    server.dispose()


@pytest.fixture
def backup(line: Line, database: Database, tmp_path: Path) -> Path:
    """A backup of three tenants' items, some sealed, some waiting to be."""
    Ledger(database).append(failed(1), failed(2))
    line.submit("acme", 3)
    line.submit("bolt", 2)
    Ledger(database).fill(4)
    line.submit("cole", 1)
    folder = tmp_path / "backup"
    taken = _take(folder, database)
    assert taken.exit_code == 0, taken.output
    return folder


def _take(folder: Path, database: Database, role: str = "superuser") -> Result:
    return CliRunner().invoke(main, ["backup", str(folder), "--admin-url", database.url(role)])


def _restore(folder: Path, database: Database, role: str = "superuser") -> Result:
    words = ["restore", str(folder), "--by", "dana", "--reason", "the disk was lost"]
    return CliRunner().invoke(main, [*words, "--admin-url", database.url(role)])


def _value(database: Database, query: str, role: str = "superuser") -> Any:
    with database.engine(role).connect() as conn:
        return conn.execute(text(query)).scalar()


def test_what_comes_back_is_what_was_there_and_says_so_in_the_ledger(
    backup: Path, database: Database, empty: Database
) -> None:
    done = _restore(backup, empty)
    assert done.exit_code == 0, done.output
    for table in ("items", "requests", "audit.nodes", "audit.private"):
        own = "where true" if table != "audit.private" else "where field <> 'person' and field <> 'reason'"
        query = f"select count(*) || md5(string_agg(t::text, '' order by t::text)) from {table} t {own}"
        assert _value(empty, query) == _value(database, query), table
    told = _value(empty, "select convert_from(body, 'utf8') from audit.entries where kind = 'database.restored'")
    assert json.loads(told)["event"]["size"] == json.loads((backup / MANIFEST).read_text())["contents"]["size"]
    assert "the disk was lost" not in told
    # The walls came back too: without a tenant the API sees nothing, and nobody changes an event.
    assert _value(empty, "select count(*) from items", "api") == 0
    with pytest.raises(Exception, match="permission denied"):
        _value(empty, "delete from audit.entries", "worker")


def test_the_restored_database_goes_on_and_an_older_copy_only_as_a_new_log(
    line: Line, database: Database, empty: Database, tmp_path: Path
) -> None:
    ledger = Ledger(database)
    ledger.fill(3)
    assert _take(tmp_path / "old", database).exit_code == 0
    ledger.fill(2)  # anchored after the dump: the copy lacks it
    assert _restore(tmp_path / "old", empty).exit_code == 0
    copy = Ledger(empty)
    copy.signer, copy.vkeys, copy.anchor = ledger.signer, ledger.vkeys, ledger.anchor
    assert Sealer(copy.sealer, copy.keys, [ledger.anchor], anchor_pause_seconds=0).run_once() == 0
    begun = LocalNoteSigner("presswork.example/test/2", ledger.signer.private_key)
    keys = SealingKeys(begun, (begun.vkey, ledger.signer.vkey))
    assert Sealer(copy.sealer, lambda: keys, [MemoryAnchor()], anchor_pause_seconds=0).run_once() >= 1
    assert _value(empty, "select count(*) from audit.pending") == 0


def test_killed_before_the_event_a_repeat_adds_it_once(
    backup: Path, empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:

        def killed(*_: object) -> None:
            raise KeyboardInterrupt

        patched.setattr(restoring, "_tell", killed)
        assert _restore(backup, empty).exit_code != 0
    assert _restore(backup, empty).exit_code == 0
    again = _restore(backup, empty)
    assert (again.exit_code, "is not empty" in again.output) == (1, True)
    assert _value(empty, "select count(*) from audit.entries where kind = 'database.restored'") == 1


def test_a_dump_that_was_changed_or_cut_short_is_not_restored(backup: Path, empty: Database) -> None:
    whole = (backup / DUMP).read_bytes()
    (backup / DUMP).write_bytes(whole[:-1])
    refused = _restore(backup, empty)
    assert (refused.exit_code, "SHA-256 differs" in refused.output) == (1, True)
    (backup / MANIFEST).unlink()
    refused = _restore(backup, empty)
    assert (refused.exit_code, "no finished backup" in refused.output) == (1, True)
    assert _value(empty, "select to_regclass('public.items') is null")


def test_a_folder_with_a_backup_is_not_written_over(backup: Path, database: Database) -> None:
    refused = _take(backup, database)
    assert (refused.exit_code, "Remedy: name a new folder" in refused.output) == (1, True)


def test_a_login_under_row_level_security_would_dump_a_part_and_is_refused(database: Database, tmp_path: Path) -> None:
    refused = _take(tmp_path / "part", database, "owner")
    assert refused.exit_code == 1
    assert "row-level security" in refused.output
    assert not (tmp_path / "part" / MANIFEST).exists()


def test_an_interrupted_backup_is_begun_again(database: Database, tmp_path: Path) -> None:
    (tmp_path / f".{DUMP}.half").write_text("half")
    (tmp_path / DUMP).write_text("of a run that was killed before its manifest")
    assert _take(tmp_path, database).exit_code == 0

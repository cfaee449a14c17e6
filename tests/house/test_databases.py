"""Databases that tests borrow: an emptied one is as good as a new one, one of another shape is not lent again."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.support.databases import Database, Databases
from tests.support.ledger import Ledger
from tests.support.line import Line

CHANGES = (
    "create table public.left_over ()",
    "alter table public.items add column left_over text",
    "alter table public.items alter column prompt drop not null",
    "alter table public.items add check (prompt <> 'left over')",
    "alter table audit.entries enable trigger append_only",
    "alter table audit.entries disable trigger no_truncate",
    "alter table audit.pending rename to gone",
    "alter table public.items no force row level security",
    "create index left_over on public.items (custom_id)",
    "drop policy if exists left_over on public.items; create policy left_over on public.items using (true)",
    "revoke insert on audit.entries from presswork_api",
    "grant select (prompt) on public.items to presswork_sealer",
    "create or replace function audit.refuse() returns trigger language plpgsql as 'begin return null; end'",
    "create schema left_over",
    "alter database {name} set default_transaction_read_only = on",
    "update public.alembic_version set version_num = '0001'",
)


def test_the_next_borrower_finds_no_row_and_the_first_numbers(databases: Databases):
    with databases.lent() as first:
        seen = _used(first)
    with databases.lent() as again:
        assert again.name == first.name, "emptied, not made anew"
        with again.engine("superuser").connect() as conn:
            assert conn.execute(text("select count(*) from items")).scalar_one() == 0
            assert conn.execute(text("select count(*) from audit.entries")).scalar_one() == 0
        assert _used(again) == seen, "identity columns start at one again"


def test_the_ledger_of_the_next_borrower_refuses_what_a_new_one_refuses(databases: Databases):
    with databases.lent() as first:
        _used(first)
    with databases.lent() as again:
        assert again.name == first.name
        _used(again)
        for statement in ("delete from audit.entries", "truncate audit.entries", "update audit.entries set kind = 'x'"):
            with again.engine("superuser").begin() as conn, pytest.raises(DBAPIError, match="append-only"):
                conn.execute(text(statement))


def test_a_session_that_is_still_open_is_ended(databases: Databases):
    with databases.lent() as first:
        Line.on(first).submit("acme", 2)
        left = first.engine("worker").connect()
        first._engines.clear()  # as a process would that nobody stopped
        left.execute(text("select * from items for update"))
    with databases.lent() as again:
        assert again.name == first.name
        assert Line.on(again).states() == {}
    with pytest.raises(DBAPIError):
        left.execute(text("select 1"))
    left.invalidate()


@pytest.mark.parametrize("change", CHANGES)
def test_a_database_that_changed_in_shape_is_not_lent_again(databases: Databases, change: str):
    with databases.lent() as first, first.engine("superuser", isolation_level="AUTOCOMMIT").connect() as conn:
        conn.execute(text(change.format(name=first.name)))
    with databases.lent() as other:
        assert other.name != first.name


def _used(database: Database) -> list[int]:
    """Rows in many tables; the ledger's numbers."""
    Line.on(database).claimed(3)
    ledger = Ledger(database)
    ledger.fill(2, 3)
    return [row.id for row in ledger.rows("select id from audit.entries order by id")]

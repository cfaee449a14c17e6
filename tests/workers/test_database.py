"""Connections that cannot hang, and which errors of theirs are worth another try."""

from __future__ import annotations

import socket

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DataError, IntegrityError, OperationalError

from tests.support.line import Line, eventually
from workers.database import make_engine, transact
from workers.errors import LeaseLost


def test_a_session_has_limits_on_statements_locks_and_idleness(line: Line):
    engine = make_engine(line.database.url("worker"), name="test")
    with engine.connect() as conn:
        limits = [
            conn.execute(text(f"show {name}")).scalar_one()
            for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "application_name")
        ]
    engine.dispose()
    assert limits == ["1min", "10s", "1min", "presswork-test"]


def test_work_is_repeated_when_its_connection_dies(line: Line):
    tries = []

    def work(conn):
        conn.execute(text("update batches set worker = worker"))
        tries.append(1)
        if len(tries) == 1:
            line.cut_connections("presswork_worker")
            eventually(lambda: conn.execute(text("select false")).scalar_one())
        return "done"

    assert transact(line.worker, work) == "done"
    assert len(tries) == 2


def test_work_is_repeated_after_a_deadlock_or_a_read_only_spell(line: Line):
    for sqlstate in ("40P01", "40001", "55P03", "25006", "57P01", "53300"):
        tries = []

        def work(conn, tries=tries, sqlstate=sqlstate):
            tries.append(1)
            if len(tries) < 3:
                conn.execute(text(f"do $$ begin raise exception using errcode = '{sqlstate}'; end $$"))
            return len(tries)

        assert transact(line.worker, work) == 3, sqlstate


@pytest.mark.parametrize(
    ("statement", "error"),
    [("select 'x'::uuid", DataError), ("insert into turns values (null, 'a', 1)", IntegrityError)],
)
def test_a_bug_is_not_repeated(line: Line, statement, error):
    tries = []

    def work(conn):
        tries.append(1)
        conn.execute(text(statement))

    with pytest.raises(error):
        transact(line.worker, work)
    assert len(tries) == 1


def test_an_answer_of_ours_is_not_an_error_of_the_databases(line: Line):
    tries = []

    def work(conn):
        tries.append(1)
        raise LeaseLost

    with pytest.raises(LeaseLost):
        transact(line.worker, work)
    assert len(tries) == 1


def test_patience_ends(line: Line):
    with socket.socket() as closed:  # bound and not listening: every connection is refused
        closed.bind(("127.0.0.1", 0))
        engine = make_engine(f"postgresql+psycopg://a:b@127.0.0.1:{closed.getsockname()[1]}/c", name="test")
        with pytest.raises(OperationalError):
            transact(engine, lambda conn: None, patience_seconds=0.1)

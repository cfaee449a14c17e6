"""Database connections, and the one place that decides which database errors are worth another try."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import structlog
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

log = structlog.get_logger()
T = TypeVar("T")

_STATEMENT_MS = 60_000  # no statement of ours is slower; a stuck one must not hold a worker
_LOCK_MS = 10_000
_IDLE_IN_TRANSACTION_MS = 60_000
_RETRIED = frozenset({"40001", "40P01", "55P03", "57014"})  # serialization, deadlock, lock or statement timeout
_FIRST_WAIT_SECONDS = 0.05
_LONGEST_WAIT_SECONDS = 2.0


def make_engine(url: str, *, name: str, pool_size: int = 5, pool_seconds: float = 10.0) -> Engine:
    """An engine whose connections cannot hang: every statement, lock and idle transaction has a limit."""
    limits = (
        f"-c statement_timeout={_STATEMENT_MS} -c lock_timeout={_LOCK_MS} "
        f"-c idle_in_transaction_session_timeout={_IDLE_IN_TRANSACTION_MS}"
    )
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=pool_seconds,
        pool_pre_ping=True,
        hide_parameters=True,  # an error's text ends up in logs, and parameters are prompts
        connect_args={"options": limits, "application_name": f"presswork-{name}", "connect_timeout": 5},
    )


def transact(engine: Engine, work: Callable[[Connection], T], *, patience_seconds: float = 10.0) -> T:
    """The result of `work` in a transaction of its own, tried again while the database is away.

    `work` must be safe to repeat: every transition of ours is, as it demands the state it expects.
    After `patience_seconds` the last error is raised.
    """
    give_up = time.monotonic() + patience_seconds
    wait = _FIRST_WAIT_SECONDS
    while True:
        try:
            with engine.begin() as conn:
                return work(conn)
        except DBAPIError as error:
            if not worth_another_try(error) or time.monotonic() + wait > give_up:
                raise
            log.warning("database_retry", error=type(error.orig).__name__, wait_seconds=round(wait, 3))
        time.sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT_SECONDS)


def worth_another_try(error: DBAPIError) -> bool:
    """Connection lost, database starting or read-only, deadlock: yes. A constraint or a bug: no."""
    code = getattr(error.orig, "sqlstate", None)
    if error.connection_invalidated or code in _RETRIED or code == "25006":  # read-only transaction
        return True
    lost = code is None or code[:2] in ("08", "53", "57")
    return lost and isinstance(error, OperationalError | InterfaceError)

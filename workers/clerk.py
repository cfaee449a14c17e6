"""The clerk's loop: carries out what people ordered, one duty after the other, for as long as anything waits.

An order is a row that was committed with its event; a duty takes the next ones with FOR UPDATE SKIP LOCKED, acts
on the object store, and writes down that it was done. Every act on the store can be repeated, so a clerk killed
anywhere is replaced by the next one. Any number may run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

import structlog
from sqlalchemy.exc import SQLAlchemyError

from workers import metrics
from workers.crash import killer
from workers.database import make_engine
from workers.duties import reviewed
from workers.duties.clerk_desk import ClerkDesk
from workers.errors import WorkerError
from workers.settings import Settings
from workers.store import ObjectStore

log = structlog.get_logger()

Duty = Callable[[ClerkDesk], int]
DUTIES: Mapping[str, Duty] = {"reviewed": reviewed.turn}


def serve(settings: Settings, stop: threading.Event) -> None:
    """Take turns until `stop`; wait `poll_seconds` only after a turn in which nothing waited."""
    engine = make_engine(settings.database_url.get_secret_value(), name="clerk", pool_size=2)
    desk = ClerkDesk(engine, ObjectStore(settings), settings, killer(settings.crash_point))
    while not stop.is_set():
        if not turn(desk):
            stop.wait(settings.poll_seconds)
    engine.dispose()


def turn(desk: ClerkDesk, duties: Mapping[str, Duty] = DUTIES) -> int:
    """Every duty once; how much was done. What stops one is logged, stops no other, and is tried again."""
    done = 0
    for name, duty in duties.items():
        try:
            did = duty(desk)
        except (SQLAlchemyError, WorkerError) as error:
            metrics.CLERK_FAILURES.labels(name).inc()
            log.warning("duty_failed", duty=name, error=type(error).__name__, reason=_short(error))
            continue
        metrics.CLERK_ACTS.labels(name).inc(did)
        done += did
    return done


def _short(error: Exception) -> str:
    """A database error's own text may quote rows; ours never does."""
    return "" if isinstance(error, SQLAlchemyError) else str(error)

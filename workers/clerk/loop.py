"""Loop of `python -m workers clerk`: carries out what people ordered, one duty after the other.

An order is a row that was committed with its event; a duty takes the next ones with FOR UPDATE SKIP LOCKED, acts
on the object store, and writes down that it was done. Every act on the store can be repeated, so a clerk killed
anywhere is replaced by the next one. Any number may run.

What was ordered is announced by NOTIFY, in the order's transaction. Between orders the clerk looks every
`rest_seconds`: for what time brings, such as retention, and for an announcement that was lost.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

import structlog
from sqlalchemy.exc import SQLAlchemyError

from workers import metrics
from workers.clerk import (
    catalogue_deliveries,
    catalogues,
    deliveries,
    erasures,
    files,
    inputs,
    recalls,
    releases,
    removals,
    retention,
    schedules,
    webhooks,
)
from workers.clerk.context import ClerkContext
from workers.crash import killer
from workers.database import make_engine
from workers.errors import WorkerError
from workers.loop import Loop, Wakeup, run_all
from workers.settings import Settings
from workers.states import MESSAGE_CHANNEL, ORDER_CHANNEL
from workers.store import ObjectStore

log = structlog.get_logger()
_CONNECTIONS = 8  # the duties' one, one of each delivery at once, and some that couriers share for moments

Duty = Callable[[ClerkContext], int]
DUTIES: Mapping[str, Duty] = {
    "reviews": releases.run_once,
    "recalls": recalls.run_once,
    "erasures": erasures.run_once,
    "retention": retention.run_once,
    "inputs": inputs.run_once,
    "removals": removals.run_once,
    "files": files.run_once,
    "catalogues": catalogues.run_once,
    "schedules": schedules.run_once,
}
DELIVERIES: Mapping[str, Duty] = {  # in a thread of their own: buckets may be slow
    "deliveries": deliveries.run_once,
    "catalogue_deliveries": catalogue_deliveries.run_once,
}
MESSAGES: Mapping[str, Duty] = {"webhooks": webhooks.run_once}  # in a thread of its own: receivers may be slow


def serve(settings: Settings, stop: threading.Event) -> None:
    """Run the clerk's process until `stop`: duties, messages and deliveries, each in a thread."""
    engine = make_engine(settings.database_url.get_secret_value(), name="clerk", pool_size=_CONNECTIONS)
    context = ClerkContext(engine, ObjectStore(settings), settings, killer(settings.crash_point))

    def loop(name: str, duties: Mapping[str, Duty], channel: str, idle: Callable[[], bool]) -> Loop:
        wakeup = Wakeup(settings, channel)
        return Loop(
            name,
            lambda: run_once(context, duties) > 0,
            pause_seconds=settings.poll_seconds,
            wait=wakeup.wait,
            rest_seconds=settings.rest_seconds,
            idle=idle,
            close=wakeup.close,
        )

    loops = [
        loop("duties", DUTIES, ORDER_CHANNEL, lambda: True),
        loop("webhooks", MESSAGES, MESSAGE_CHANNEL, lambda: not webhooks.any_waits(context)),
        loop("deliveries", DELIVERIES, ORDER_CHANNEL, lambda: not deliveries.any_waits(context)),
    ]
    run_all(loops, stop)
    engine.dispose()


def run_once(context: ClerkContext, duties: Mapping[str, Duty] = DUTIES) -> int:
    """Every duty once; how much was done. What stops one is logged, stops no other, and is tried again."""
    done = 0
    for name, duty in duties.items():
        try:
            did = duty(context)
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

"""Looks for what fell by the wayside: overdue leases and lost messages.

Everything it does is a conditional change in one transaction, followed by sends that may be lost too:
killed anywhere, the next look finds the same work.
"""

from __future__ import annotations

import select as readiness
import threading
import time
from datetime import timedelta

import psycopg
import structlog
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from workers import metrics
from workers.crash import Probe, no_probe
from workers.jobs.expire import expire
from workers.jobs.tables import batches, items
from workers.planning import planner
from workers.queue import Queue
from workers.settings import Settings
from workers.states import BATCH_OPEN, WAKE_CHANNEL, BatchState, ItemState, Priority

log = structlog.get_logger()
_MEASURE_SECONDS = 5.0  # counting a long queue costs; dashboards do not need it more often


def run_once(engine: Engine, queue: Queue, settings: Settings) -> int:
    """Send overdue batches again, or split them; how many messages."""
    with engine.begin() as conn:
        sends = expire(conn, timedelta(seconds=settings.lease_seconds))
    for send in sends:
        metrics.LEASES_EXPIRED.labels(send.queue).inc()
        log.info("batch_sent_again", batch_id=send.batch_id, queue=send.queue)
    planner.send_all(engine, queue, sends)
    return len(sends)


def serve(engine: Engine, queue: Queue, settings: Settings, stop: threading.Event, probe: Probe = no_probe) -> None:
    """Reconcile and plan until `stop`: at once on NOTIFY, and every `poll_seconds` whatever happens."""
    alarm = _Alarm(settings)
    measure_at = 0.0
    while not stop.is_set():
        try:
            run_once(engine, queue, settings)
            planner.run_once(engine, queue, settings, probe)
            if time.monotonic() >= measure_at:
                _measure(engine, settings)
                measure_at = time.monotonic() + _MEASURE_SECONDS
        except SQLAlchemyError as error:  # the database is away, restarting or busy: the next look tries again
            log.warning("database_unavailable", error=type(error).__name__)
        alarm.wait(settings.poll_seconds, stop)
    alarm.close()


class _Alarm:
    """Waits for a NOTIFY on a connection of its own; without one it is a plain timer."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.database_url.get_secret_value().replace("postgresql+psycopg://", "postgresql://")
        self._conn: psycopg.Connection | None = None

    def wait(self, seconds: float, stop: threading.Event) -> None:
        try:
            if self._conn is None:
                self._conn = psycopg.connect(self._url, autocommit=True, connect_timeout=2)
                self._conn.execute(f"LISTEN {WAKE_CHANNEL}")
                return  # something may have happened before we listened: look once more
            readiness.select([self._conn], [], [], seconds)
            for _ in self._conn.notifies(timeout=0):
                pass  # what happened is in the tables; the word is only that something did
        except (psycopg.Error, OSError, ValueError):
            self.close()
            stop.wait(seconds)

    def close(self) -> None:
        if self._conn is not None:
            self._conn.close()
            self._conn = None


def _measure(engine: Engine, settings: Settings) -> None:
    """Queue depth and age, for the dashboards."""
    with engine.begin() as conn:
        waiting = {
            (row.queue, row.priority): row
            for row in conn.execute(
                select(
                    items.c.queue,
                    items.c.priority,
                    func.count().label("n"),
                    func.extract("epoch", func.now() - func.min(items.c.created_at)).label("age"),
                )
                .where(items.c.state == ItemState.PENDING)
                .group_by(items.c.queue, items.c.priority)
            )
        }
        in_flight = {
            (row.queue, row.state): row.n
            for row in conn.execute(
                select(batches.c.queue, batches.c.state, func.count().label("n"))
                .where(batches.c.state.in_(BATCH_OPEN))
                .group_by(batches.c.queue, batches.c.state)
            )
        }
    for name in settings.queue_names:
        rows = [waiting.get((name, priority)) for priority in Priority]
        for priority, row in zip(Priority, rows, strict=True):
            metrics.PENDING_ITEMS.labels(name, priority).set(row.n if row else 0)
        metrics.OLDEST_PENDING_SECONDS.labels(name).set(max((float(row.age) for row in rows if row), default=0.0))
        for state in (BatchState.DISPATCHED, BatchState.RUNNING):
            metrics.OPEN_BATCHES.labels(name, state).set(in_flight.get((name, state), 0))

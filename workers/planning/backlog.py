"""Backlog: how many items and batches wait, and since when, as gauges for the dashboards."""

from __future__ import annotations

from sqlalchemy import Engine, func, select

from workers import metrics
from workers.jobs.fleet import members as fleet
from workers.jobs.tables import batches, items, requests
from workers.settings import Settings
from workers.states import BATCH_OPEN, BatchState, ItemState, Priority


def any_open(engine: Engine) -> bool:
    """Whether a batch is open: its lease may run out, and that makes no noise."""
    with engine.connect() as conn:
        return bool(conn.scalar(select(select(batches.c.id).where(batches.c.state.in_(BATCH_OPEN)).exists())))


def measure(engine: Engine, settings: Settings) -> None:
    """Set the gauges of every queue. Counting a long queue costs: call it every few seconds, not every round."""
    with engine.begin() as conn:
        waiting = {
            (row.queue, row.priority): row
            for row in conn.execute(
                select(
                    items.c.queue,
                    requests.c.priority,
                    func.count().label("n"),
                    func.extract("epoch", func.now() - func.min(items.c.created_at)).label("age"),
                )
                .join(requests, requests.c.id == items.c.request_id)
                .where(items.c.state == ItemState.PENDING)
                .group_by(items.c.queue, requests.c.priority)
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
        most = select(batches.c.queue, func.max(batches.c.given_back).label("n")).where(batches.c.state.in_(BATCH_OPEN))
        returns = {row.queue: row.n for row in conn.execute(most.group_by(batches.c.queue))}
        workers = {name: fleet.live(conn, name) for name in settings.queue_names}
        unservable = {name: len(fleet.nobody_can(conn, name)) for name in settings.queue_names}
        metrics.DEVICES_OUT.set(len(fleet.devices_out(conn)))
    for name in settings.queue_names:
        stopped = sum(worker.stopped is not None for worker in workers[name])
        metrics.LIVE_WORKERS.labels(name, "ready").set(len(workers[name]) - stopped)
        metrics.LIVE_WORKERS.labels(name, "stopped").set(stopped)
        metrics.UNSERVABLE_RECIPES.labels(name).set(unservable[name])
        metrics.MOST_RETURNS.labels(name).set(returns.get(name, 0))
        rows = [waiting.get((name, priority)) for priority in Priority]
        for priority, row in zip(Priority, rows, strict=True):
            metrics.PENDING_ITEMS.labels(name, priority).set(row.n if row else 0)
        metrics.OLDEST_PENDING_SECONDS.labels(name).set(max((float(row.age) for row in rows if row), default=0.0))
        for state in (BatchState.DISPATCHED, BatchState.RUNNING):
            metrics.OPEN_BATCHES.labels(name, state).set(in_flight.get((name, state), 0))

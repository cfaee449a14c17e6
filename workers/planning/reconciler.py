"""Reconciler: sends overdue batches again, whether their lease ran out or their message was lost, and ends requests.

Everything it does is a conditional change in one transaction, followed by sends that may be lost too:
killed anywhere, the next look finds the same work.
"""

from __future__ import annotations

from datetime import timedelta

import structlog
from sqlalchemy import Engine

from workers import metrics
from workers.jobs.control import spending
from workers.jobs.control.phases import end_settled, forget_turns, stop_overdue, stop_spent
from workers.jobs.expire import expire
from workers.planning import planner
from workers.queue import Queue
from workers.settings import Settings

log = structlog.get_logger()


def run_once(engine: Engine, queue: Queue, settings: Settings) -> int:
    """Send overdue batches again, or split them; how many messages."""
    with engine.begin() as conn:
        sends = expire(conn, timedelta(seconds=settings.lease_seconds))
    for send in sends:
        metrics.LEASES_EXPIRED.labels(send.queue).inc()
        log.info("batch_sent_again", batch_id=send.batch_id, queue=send.queue)
    planner.send_all(engine, queue, sends)
    return len(sends)


def tidy(engine: Engine) -> None:
    """Stop requests past deadline or budget, end those whose last changes overtook each other, forget old turns."""
    with engine.begin() as conn:
        stop_overdue(conn, actor="reconciler")
        stop_spent(conn, actor="reconciler")
        spending.stop(conn, actor="reconciler")
        spending.tell_low(conn)
    with engine.begin() as conn:
        end_settled(conn, actor="reconciler")
        forget_turns(conn)

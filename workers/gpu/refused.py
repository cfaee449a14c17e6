"""Refused recipes: what a worker does with a batch whose recipe it cannot make.

Another worker can: the batch is passed over, and sent again at once. No live worker of the queue can: it waits, and an
alarm says so; once that has lasted for `PRESSWORK_UNSERVABLE_SECONDS`, its items fail with the reason.
"""

from __future__ import annotations

from datetime import timedelta

import structlog
from sqlalchemy import Connection, Engine, select

from workers.database import transact
from workers.jobs.claim import claim, pass_over
from workers.jobs.fleet import members as fleet
from workers.jobs.settle import settle
from workers.jobs.tables import batches
from workers.jobs.types import Failed
from workers.settings import Settings
from workers.states import BatchState

log = structlog.get_logger()
_TO_ANOTHER = timedelta(seconds=1)


def take_refused(engine: Engine, settings: Settings, batch_id: str, worker: str) -> bool:
    """Whether the batch was left unclaimed because this worker must not make it; passes it over, or fails its items."""
    lease = timedelta(seconds=settings.lease_seconds)

    def work(conn: Connection) -> bool:
        batch = conn.execute(
            select(batches.c.queue, batches.c.recipe_id, fleet.may_claim(worker, batches.c.queue).label("may")).where(
                batches.c.id == batch_id, batches.c.state == BatchState.DISPATCHED
            )
        ).one_or_none()
        if batch is None or batch.may:
            return False
        nobody = fleet.nobody_can(conn, batch.queue).get(batch.recipe_id)
        if nobody is None:
            pass_over(conn, batch_id, _TO_ANOTHER)
            return True
        reason, seconds = nobody
        if seconds < settings.unservable_seconds:
            pass_over(conn, batch_id, timedelta(seconds=settings.return_seconds))
            return True
        held = claim(conn, batch_id, lease, worker, anyway=True)
        if held is not None:
            log.error("items_failed_unservable", batch_id=batch_id, items=len(held.items), reason=reason)
            settle(conn, held, [Failed(item, reason) for item in held.items])
        return True

    return transact(engine, work)

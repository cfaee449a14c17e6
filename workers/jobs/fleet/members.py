"""Fleet of gpu workers: who lives, which recipes each cannot make, which devices are out of use.

A worker's row is renewed by its process every few seconds and counts while it is fresh. Killed: the row grows old, and
what the process could not make is forgotten with it, because its successor may have been mended. Devices are remembered
across processes, since a device error replaces the process.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, any_, cast, delete, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import UUID, insert

from workers.jobs.fleet.tables import devices, gpu_workers, worker_refusals
from workers.jobs.tables import batches
from workers.states import FINISHING

FRESH = timedelta(seconds=45)  # three heartbeats: a worker that was not seen for longer is gone
_FORGOTTEN = timedelta(days=1)
DEVICE_ERRORS = 3  # in a row, over two batches at least, take a device out of use


class LiveWorker(NamedTuple):
    """A worker that was seen lately."""

    name: str
    queues: tuple[str, ...]
    threads: int
    device: str
    stopped: str | None  # why it takes nothing now
    seconds: float  # since it was seen
    device_class: str = ""  # the name that its device gives itself


def seen(
    conn: Connection,
    name: str,
    *,
    queues: Sequence[str],
    threads: int,
    device: str,
    device_class: str = "",
    stopped: str | None = None,
) -> None:
    """Renew the row of this worker, and forget workers that were not seen for a day."""
    about = {"device": device, "device_class": device_class}
    row = {"queues": list(queues), "threads": threads, **about, "stopped": stopped}
    fresh = insert(gpu_workers).values(name=name, seen_at=func.clock_timestamp(), **row)
    conn.execute(
        fresh.on_conflict_do_update(
            index_elements=[gpu_workers.c.name], set_={**row, "seen_at": func.clock_timestamp()}
        )
    )
    conn.execute(delete(gpu_workers).where(gpu_workers.c.seen_at < func.clock_timestamp() - _FORGOTTEN))


def gone(conn: Connection, name: str) -> None:
    """The worker shuts down: nobody waits for it."""
    conn.execute(delete(gpu_workers).where(gpu_workers.c.name == name))


def live(conn: Connection, queue: str | None = None) -> list[LiveWorker]:
    """The workers that were seen lately, of one queue or of all."""
    of_queue = [literal(queue) == any_(gpu_workers.c.queues)] if queue else []
    age = func.extract("epoch", func.clock_timestamp() - gpu_workers.c.seen_at)
    found = conn.execute(select(gpu_workers, age.label("age")).where(_fresh(), *of_queue).order_by(gpu_workers.c.name))
    return [
        LiveWorker(r.name, tuple(r.queues), r.threads, r.device, r.stopped, float(r.age), r.device_class) for r in found
    ]


def refuse(conn: Connection, worker: str, recipe_id: str, reason: str, lasting: timedelta | None = None) -> None:
    """This worker cannot make this recipe: it is not offered it again, or not for `lasting`."""
    until = None if lasting is None else func.clock_timestamp() + lasting
    row = {"reason": reason, "refused_at": func.clock_timestamp(), "until": until}
    statement = insert(worker_refusals).values(worker=worker, recipe_id=recipe_id, **row)
    # The first refusal says since when: a repeated one does not renew it.
    conn.execute(
        statement.on_conflict_do_update(
            index_elements=[worker_refusals.c.worker, worker_refusals.c.recipe_id],
            set_={"reason": reason, "until": until},
        )
    )


def may_claim(worker: str, queue: ColumnElement[str]) -> ColumnElement[bool]:
    """Condition on `batches`: neither refused by this worker nor blamed on it while another one could try."""
    refused = select(worker_refusals.c.worker).where(
        worker_refusals.c.worker == worker, worker_refusals.c.recipe_id == batches.c.recipe_id, _holds()
    )
    others = select(gpu_workers.c.name).where(
        gpu_workers.c.name != worker, _fresh(), gpu_workers.c.stopped.is_(None), any_(gpu_workers.c.queues) == queue
    )
    made_of_drawings = batches.c.queue == FINISHING  # no model is asked
    blamed = and_(literal(worker) == any_(batches.c.blamed), others.exists())
    return and_(or_(made_of_drawings, ~refused.exists()), ~blamed)


def nobody_can(conn: Connection, queue: str) -> dict[str, tuple[str, float]]:
    """Recipes that every live worker of the queue refused: the reason, and for how many seconds that is so."""
    rows = conn.execute(_refused_by_all(queue)).all()
    return {row.recipe_id: (row.reason, float(row.seconds)) for row in rows}


def device_failed(conn: Connection, device: str, batch_id: str) -> bool:
    """Count an error of the device against it and against the batch; whether the device is out of use now."""
    conn.execute(update(batches).where(batches.c.id == batch_id).values(device_errors=batches.c.device_errors + 1))
    this = cast(batch_id, UUID(as_uuid=False))
    first = insert(devices).values(id=device, errors=1, batch_ids=[batch_id], failed_at=func.clock_timestamp())
    row = conn.execute(
        first.on_conflict_do_update(
            index_elements=[devices.c.id],
            set_={
                "errors": devices.c.errors + 1,
                "batch_ids": func.array_append(func.array_remove(devices.c.batch_ids, this), this),
                "failed_at": func.clock_timestamp(),
            },
        ).returning(devices.c.errors, devices.c.batch_ids)
    ).one()
    # Errors with one batch only may be the batch's: it is counted against the batch instead (workers/gpu/unsettled.py).
    if row.errors >= DEVICE_ERRORS and len(row.batch_ids) > 1:
        conn.execute(update(devices).where(devices.c.id == device).values(out_at=func.clock_timestamp()))
        return True
    return False


def device_errors_of(conn: Connection, batch_id: str) -> int:
    """How often a device failed with this batch."""
    return int(conn.execute(select(batches.c.device_errors).where(batches.c.id == batch_id)).scalar_one())


def device_worked(conn: Connection, device: str) -> None:
    """The device made a batch: its errors were not in a row. A device that is out stays out."""
    mended = update(devices).where(devices.c.id == device, devices.c.errors > 0, devices.c.out_at.is_(None))
    conn.execute(mended.values(errors=0, batch_ids=[]))


def device_has_failed(conn: Connection, device: str) -> bool:
    """Whether it failed since it last made a batch."""
    return conn.scalar(select(devices.c.id).where(devices.c.id == device, devices.c.errors > 0)) is not None


def device_is_out(conn: Connection, device: str) -> bool:
    """Whether a person must look at it first (`presswork workers readmit`)."""
    return conn.scalar(select(devices.c.id).where(devices.c.id == device, devices.c.out_at.is_not(None))) is not None


def devices_out(conn: Connection) -> list[str]:
    """The devices that are out of use."""
    return list(conn.scalars(select(devices.c.id).where(devices.c.out_at.is_not(None)).order_by(devices.c.id)))


def readmit(conn: Connection, device: str) -> bool:
    """Use the device again. False if it was not out of use."""
    back = update(devices).where(devices.c.id == device, devices.c.out_at.is_not(None))
    return conn.execute(back.values(errors=0, batch_ids=[], out_at=None)).rowcount == 1


def _fresh() -> ColumnElement[bool]:
    return gpu_workers.c.seen_at > func.clock_timestamp() - FRESH


def _holds() -> ColumnElement[bool]:
    return or_(worker_refusals.c.until.is_(None), worker_refusals.c.until > func.clock_timestamp())


def _refused_by_all(queue: str) -> Select[tuple[str, str, float]]:
    of_queue = and_(_fresh(), literal(queue) == any_(gpu_workers.c.queues))
    workers = select(func.count()).select_from(gpu_workers).where(of_queue).scalar_subquery()
    return (
        select(
            worker_refusals.c.recipe_id,
            func.min(worker_refusals.c.reason).label("reason"),
            func.extract("epoch", func.clock_timestamp() - func.max(worker_refusals.c.refused_at)).label("seconds"),
        )
        .join(gpu_workers, gpu_workers.c.name == worker_refusals.c.worker)
        .where(of_queue, _holds())
        .group_by(worker_refusals.c.recipe_id)
        .having(func.count() == workers)
    )

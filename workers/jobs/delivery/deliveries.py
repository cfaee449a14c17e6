"""Deliveries: the released files of one request on their way to one target.

    begin      with the request                                            caller: submit
    delivers   whether a request has one                                   caller: claim
    wake       something was released or recalled: it is due               callers: settle, review, recall
    take       the next that is due, leased                                caller: clerk
    delivered  a file is there, with its event                             caller: clerk
    withdrawn  the object of a recalled file is gone, or stays as listed   caller: clerk
    rested     nothing is left to do now                                   caller: clerk
    paused     the target does not take it: again later, longer each time  caller: clerk

Killed between an object's write and `delivered`: the next round finds the object by its digest and writes none.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Update, exists, func, select, true
from sqlalchemy.dialects.postgresql import insert

from policy import events
from policy.ledger.append import append
from workers.jobs.delivery import catalogue_deliveries
from workers.jobs.delivery.tables import delivered_files, delivery_targets, file_deliveries
from workers.jobs.tables import assets, requests
from workers.jobs.types import NewDelivery, new_id
from workers.jobs.webhooks.deliveries import Notification, notify, wait_seconds
from workers.states import ORDER_CHANNEL, REQUEST_OVER, AssetState

LEASE = timedelta(minutes=10)
MANIFEST_EVERY = timedelta(seconds=60)  # while the request runs


@dataclass(frozen=True, slots=True)
class DeliveredFile:
    """A file that is in the tenant's bucket."""

    asset_id: str
    item_id: str
    rendition: str
    key: str
    sha256: str
    bytes: int


class RecalledFile(NamedTuple):
    """A delivered file of an asset that was recalled since."""

    item_id: str
    asset_id: str
    rendition: str
    key: str


@dataclass(frozen=True, slots=True)
class TakenDelivery:
    """A delivery that this clerk works on."""

    request_id: str
    tenant: str
    target_id: str
    prefix: str
    paused_for: str | None
    failures: int
    columns: tuple[str, ...]
    templates: dict[str, str]
    is_over: bool  # its request
    manifest_due: bool


def begin(conn: Connection, tenant: str, request_id: str, wanted: NewDelivery) -> None:
    conn.execute(
        file_deliveries.insert().values(
            request_id=request_id, tenant=tenant, target_id=wanted.target_id, prefix=wanted.prefix, due_at=func.now()
        )
    )
    _announce(conn, 1)


def delivers() -> ColumnElement[bool]:
    """Whether the row of `requests` around it has a delivery, which it has from its first commit or never."""
    of = file_deliveries.c.request_id  # all that a worker may read
    return exists(select(of).where(of == requests.c.id)).correlate(requests)


def wake(conn: Connection, request_ids: Collection[str]) -> None:
    """Those that stand still keep their wait."""
    _announce(conn, conn.execute(_woken().where(file_deliveries.c.request_id.in_(request_ids))).rowcount)


def wake_recalled(conn: Connection, asset_ids: Collection[str]) -> None:
    """Every delivery that has a file of these assets, also of requests that reused them, and of catalogues."""
    delivered_to = select(delivered_files.c.request_id).where(delivered_files.c.asset_id.in_(asset_ids))
    _announce(conn, conn.execute(_woken().where(file_deliveries.c.request_id.in_(delivered_to))).rowcount)
    catalogue_deliveries.wake_recalled(conn, asset_ids)


def any_waits(conn: Connection) -> bool:
    """Whether a target waits for its check, or a delivery for its time."""
    checking = exists().where(delivery_targets.c.state == "checking", delivery_targets.c.deleted_at.is_(None))
    waiting = exists().where(file_deliveries.c.due_at.is_not(None))
    return bool(conn.execute(select(checking | waiting | catalogue_deliveries.waits())).scalar_one())


def take(conn: Connection) -> TakenDelivery | None:
    """The one that is due longest, leased. A target that is not ready lets its deliveries wait."""
    due = (
        select(file_deliveries.c.request_id)
        .join(delivery_targets, delivery_targets.c.id == file_deliveries.c.target_id)
        .where(file_deliveries.c.due_at <= func.clock_timestamp(), delivery_targets.c.state == "ready")
        .order_by(file_deliveries.c.due_at)
        .limit(1)
        .with_for_update(of=file_deliveries, skip_locked=True)
    )
    ids = list(conn.scalars(due))
    if not ids:
        return None
    row = conn.execute(
        file_deliveries.update()
        .where(file_deliveries.c.request_id == ids[0])
        .values(due_at=func.clock_timestamp() + LEASE)
        .returning(file_deliveries, func.clock_timestamp().label("now"))
    ).one()
    of = requests.c
    asked = conn.execute(select(of.carried_columns, of.file_templates, of.phase).where(of.id == row.request_id)).one()
    is_over = asked.phase in REQUEST_OVER
    return TakenDelivery(
        *(row.request_id, row.tenant, row.target_id, row.prefix, row.paused_for, row.failures),
        tuple(asked.carried_columns),
        dict(asked.file_templates),
        is_over,
        is_over or row.manifest_at is None or row.manifest_at + MANIFEST_EVERY <= row.now,
    )


def there(conn: Connection, request_id: str) -> dict[tuple[str, str], str]:
    """State by (item, rendition) of what was delivered."""
    ours = delivered_files.c.request_id == request_id
    columns = delivered_files.c.item_id, delivered_files.c.rendition, delivered_files.c.state
    return {(row.item_id, row.rendition): row.state for row in conn.execute(select(*columns).where(ours))}


def recalled(conn: Connection, request_id: str) -> list[RecalledFile]:
    """Delivered files whose assets were recalled since."""
    files = delivered_files.c
    gone = (
        select(files.item_id, files.asset_id, files.rendition, files.key)
        .join(assets, assets.c.id == files.asset_id)
        .where(files.request_id == request_id, files.state == "delivered", assets.c.state == AssetState.RECALLED)
    )
    return [RecalledFile(*row) for row in conn.execute(gone)]


def delivered(conn: Connection, taken: TakenDelivery, file: DeliveredFile) -> None:
    """Repeating it changes nothing."""
    values = asdict(file)
    stored = conn.execute(
        insert(delivered_files)
        .values(request_id=taken.request_id, tenant=taken.tenant, **values)
        .on_conflict_do_nothing()
    )
    if stored.rowcount:
        happened = events.AssetDelivered(file.asset_id, file.item_id, file.rendition, taken.target_id, file.sha256)
        append(conn, tenant=taken.tenant, actor="clerk", events=[happened])


def withdrawn(conn: Connection, taken: TakenDelivery, file: RecalledFile, *, state: str) -> None:
    """DELIVERED -> WITHDRAWN, or LISTED where the target keeps recalled files."""
    ours = (delivered_files.c.item_id == file.item_id, delivered_files.c.rendition == file.rendition)
    changed = conn.execute(
        delivered_files.update().where(*ours, delivered_files.c.state == "delivered").values(state=state)
    )
    if changed.rowcount:
        gone = events.DeliveryWithdrawn(file.asset_id, file.item_id, file.rendition, taken.target_id, state)
        append(conn, tenant=taken.tenant, actor="clerk", events=[gone])


def rested(conn: Connection, taken: TakenDelivery, *, wrote_manifest: bool, again_at: datetime | None) -> None:
    """Unless something woke it meanwhile. `again_at` is None where nothing is left to do. A pause ends, and is told."""
    values = {"manifest_at": func.clock_timestamp()} if wrote_manifest else {}
    healthy = {"paused_for": None, "detail": "", "failures": 0}
    ours = file_deliveries.c.request_id == taken.request_id
    done = conn.execute(file_deliveries.update().where(ours, _mine()).values(due_at=again_at, **healthy, **values))
    if done.rowcount and taken.paused_for:
        resumed = events.DeliveryResumed(taken.request_id, taken.target_id)
        append(conn, tenant=taken.tenant, actor="clerk", events=[resumed])


def paused(conn: Connection, taken: TakenDelivery, reason: str, detail: str) -> None:
    """It is tried again by itself. The tenant is told once for a reason."""
    wait = timedelta(seconds=wait_seconds(taken.failures + 1, 1.0))
    conn.execute(
        file_deliveries.update()
        .where(
            file_deliveries.c.request_id == taken.request_id, file_deliveries.c.paused_for.is_distinct_from("removed")
        )
        .values(
            paused_for=reason,
            detail=detail[:500],
            failures=file_deliveries.c.failures + 1,
            due_at=func.clock_timestamp() + wait,
        )
    )
    if taken.paused_for == reason:
        return
    append(
        conn,
        tenant=taken.tenant,
        actor="clerk",
        events=[events.DeliveryPaused(taken.request_id, taken.target_id, reason)],
    )
    content = {"request_id": taken.request_id, "catalogue": None, "target_id": taken.target_id, "reason": reason}
    notify(conn, taken.tenant, "delivery.paused", [Notification(new_id(), content)])


def _announce(conn: Connection, deliveries: int) -> None:
    if deliveries:
        conn.execute(select(func.pg_notify(ORDER_CHANNEL, "")))


def _woken() -> Update:
    later = func.coalesce(file_deliveries.c.due_at > func.now(), true())
    return file_deliveries.update().where(file_deliveries.c.paused_for.is_(None), later).values(due_at=func.now())


def _mine() -> ColumnElement[bool]:
    """The lease still stands: nothing woke the delivery since it was taken."""
    return file_deliveries.c.due_at > func.clock_timestamp()

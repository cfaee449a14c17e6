"""Deliveries of catalogues: what is live, on its way to one target, again after each change of it.

    follow    the catalogue's file names a target, another one, or none          caller: api, at the apply
    wake      something is live or is live no longer: it is due                  callers: flips, runs, recall
    take      the next that is due, leased                                       caller: clerk
    there     which of these objects are there; they are of this round           caller: clerk
    put       an object is there, with its event                                 caller: clerk
    moved     whether something changed since the round began                    caller: clerk
    listed    the manifest names this round's objects, and no others             caller: clerk
    gone      an object that no manifest names was deleted                       caller: clerk
    rested, paused                                                               caller: clerk

`asked` counts the changes. A round is of one value of it: where it moved on, no manifest is written, since what was
read may be half of one state and half of the next. One clerk has the lease, so an older manifest never follows a newer.
Killed anywhere, the lease runs out: objects that are there are found by their digest.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Update, case, func, null, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from policy import events
from policy.ledger.append import append
from workers.errors import Conflict
from workers.jobs.delivery.tables import catalogue_deliveries, catalogue_objects, delivery_targets
from workers.jobs.tables import assets
from workers.jobs.types import NewDelivery, new_id
from workers.jobs.webhooks.deliveries import Notification, notify, wait_seconds
from workers.states import ORDER_CHANNEL, AssetState

LEASE = timedelta(minutes=10)
KEPT = timedelta(days=30)  # an object that no manifest names any more: what a shop has cached, and rollbacks, need it
ACTOR = "clerk"


class TakenCatalogue(NamedTuple):
    """A delivery that this clerk works on. `asked` is its round."""

    catalogue_id: str
    tenant: str
    target_id: str
    prefix: str
    asked: int
    paused_for: str | None
    failures: int


class CatalogueObject(NamedTuple):
    """An object in the tenant's bucket: a file of a picture that is or was live."""

    key: str
    asset_id: str
    item_id: str
    rendition: str
    sha256: str
    bytes: int


def follow(conn: Connection, catalogue_id: str, tenant: str, wanted: NewDelivery | None) -> None:
    """Delivers there from now on; what lies at an earlier place stays. Raises Conflict for a place that is taken."""
    table, objects = catalogue_deliveries, catalogue_objects
    mine = select(table).where(table.c.catalogue_id == catalogue_id).with_for_update()
    row = conn.execute(mine).one_or_none()
    if row is not None and wanted is not None and (row.target_id, row.prefix) == (wanted.target_id, wanted.prefix):
        return
    conn.execute(objects.delete().where(objects.c.catalogue_id == catalogue_id))
    conn.execute(table.delete().where(table.c.catalogue_id == catalogue_id))
    if wanted is None:
        return
    place = {"target_id": wanted.target_id, "prefix": wanted.prefix, "due_at": func.clock_timestamp()}
    try:
        with conn.begin_nested():
            conn.execute(table.insert().values(catalogue_id=catalogue_id, tenant=tenant, **place))
    except IntegrityError as error:
        raise Conflict(
            f"another catalogue delivers to {wanted.prefix} of this target already; give each a prefix of its own"
        ) from error


def wake(conn: Connection, catalogue_id: str) -> None:
    """One that stands still keeps its wait."""
    _wake(conn, catalogue_deliveries.c.catalogue_id == catalogue_id)


def wake_recalled(conn: Connection, asset_ids: Collection[str]) -> None:
    """Every catalogue that has delivered a file of these assets."""
    having = select(catalogue_objects.c.catalogue_id).where(catalogue_objects.c.asset_id.in_(asset_ids))
    _wake(conn, catalogue_deliveries.c.catalogue_id.in_(having))


def take(conn: Connection) -> TakenCatalogue | None:
    """The one that is due longest, leased. A target that is not ready lets its deliveries wait."""
    table = catalogue_deliveries
    free = table.c.lease_until.is_(None) | (table.c.lease_until < func.clock_timestamp())
    due = (
        select(table.c.catalogue_id)
        .join(delivery_targets, delivery_targets.c.id == table.c.target_id)
        .where(table.c.due_at <= func.clock_timestamp(), free, delivery_targets.c.state == "ready")
        .order_by(table.c.due_at)
        .limit(1)
        .with_for_update(of=table, skip_locked=True)
    )
    id = conn.execute(due).scalar_one_or_none()
    if id is None:
        return None
    leased = table.update().where(table.c.catalogue_id == id).values(lease_until=func.clock_timestamp() + LEASE)
    row = conn.execute(leased.returning(*(table.c[name] for name in TakenCatalogue._fields))).one()
    return TakenCatalogue(*row)


def there(conn: Connection, taken: TakenCatalogue, keys: Sequence[str]) -> set[str]:
    """Those of these objects that are there. They are of this round, so the next manifest keeps them."""
    objects = catalogue_objects
    mine = objects.c.catalogue_id == taken.catalogue_id, objects.c.key.in_(keys)
    seen = objects.update().where(*mine).values(round=taken.asked)
    return set(conn.scalars(seen.returning(objects.c.key)))


def put(conn: Connection, taken: TakenCatalogue, new: CatalogueObject) -> None:
    """Repeating it changes nothing. Where the catalogue goes elsewhere by now, it is not recorded, and stays."""
    here = select(catalogue_deliveries.c.asked).where(_mine(taken)).with_for_update(read=True)
    if conn.execute(here).first() is None:
        return
    row = {"catalogue_id": taken.catalogue_id, "tenant": taken.tenant, "round": taken.asked, **new._asdict()}
    if conn.execute(insert(catalogue_objects).values(**row).on_conflict_do_nothing()).rowcount:
        told = events.AssetDelivered(new.asset_id, new.item_id, new.rendition, taken.target_id, new.sha256)
        append(conn, tenant=taken.tenant, actor=ACTOR, events=[told])


def moved(conn: Connection, taken: TakenCatalogue) -> bool:
    """Whether something changed since the round began, or it goes elsewhere."""
    table = catalogue_deliveries
    return conn.execute(select(table.c.asked).where(_mine(taken), table.c.asked == taken.asked)).first() is None


def listed(conn: Connection, taken: TakenCatalogue, *, run: int, files: int) -> list[tuple[CatalogueObject, bool]]:
    """The manifest is written. What is to be deleted now, and whether it is since its picture was recalled."""
    table, objects, now = catalogue_deliveries, catalogue_objects, func.clock_timestamp()
    mine = objects.c.catalogue_id == taken.catalogue_id
    old = objects.c.round != taken.asked
    unlisted = case((old, func.coalesce(objects.c.unlisted_at, now)), else_=null())
    shows = {"manifest_at": now, "manifest_round": taken.asked, "run": run, "files": files}
    if not conn.execute(table.update().where(_mine(taken)).values(**shows)).rowcount:
        return []
    conn.execute(objects.update().where(mine, old | objects.c.unlisted_at.is_not(None)).values(unlisted_at=unlisted))
    told = events.CatalogueDelivered(taken.catalogue_id, run, taken.target_id, files)
    append(conn, tenant=taken.tenant, actor=ACTOR, events=[told])
    recalled = assets.c.state == AssetState.RECALLED
    query = (
        select(*(objects.c[name] for name in CatalogueObject._fields), recalled.label("recalled"))
        .join(assets, assets.c.id == objects.c.asset_id)
        .where(mine, objects.c.unlisted_at.is_not(None), recalled | (objects.c.unlisted_at < now - KEPT))
    )
    return [(CatalogueObject(*row[:-1]), row.recalled) for row in conn.execute(query)]


def gone(conn: Connection, taken: TakenCatalogue, old: CatalogueObject, state: str) -> None:
    """`state`: withdrawn | listed | replaced, as its event says."""
    objects = catalogue_objects
    mine = objects.c.catalogue_id == taken.catalogue_id, objects.c.key == old.key
    if conn.execute(objects.delete().where(*mine)).rowcount:
        told = events.DeliveryWithdrawn(old.asset_id, old.item_id, old.rendition, taken.target_id, state)
        append(conn, tenant=taken.tenant, actor=ACTOR, events=[told])


def rested(conn: Connection, taken: TakenCatalogue, *, is_whole: bool) -> None:
    """Due again at once where something changed or is left, else when an object's time is over. A pause ends."""
    table, objects = catalogue_deliveries, catalogue_objects
    oldest = select(func.min(objects.c.unlisted_at)).where(objects.c.catalogue_id == taken.catalogue_id)
    later = oldest.scalar_subquery() + KEPT
    again = case((table.c.asked == taken.asked, later), else_=func.clock_timestamp())
    values = {"due_at": again if is_whole else func.clock_timestamp(), "lease_until": None}
    healthy = {"paused_for": None, "detail": "", "failures": 0}
    done = conn.execute(table.update().where(_mine(taken), _not_removed()).values(**values, **healthy))
    if done.rowcount and taken.paused_for:
        resumed = events.DeliveryResumed(None, taken.target_id, taken.catalogue_id)
        append(conn, tenant=taken.tenant, actor=ACTOR, events=[resumed])


def paused(conn: Connection, taken: TakenCatalogue, name: str, reason: str, detail: str) -> None:
    """It is tried again by itself. The tenant is told once for a reason."""
    table = catalogue_deliveries
    wait = timedelta(seconds=wait_seconds(taken.failures + 1, 1.0))
    values = {"paused_for": reason, "detail": detail[:500], "failures": table.c.failures + 1, "lease_until": None}
    still = table.update().where(_mine(taken), _not_removed())
    if not conn.execute(still.values(**values, due_at=func.clock_timestamp() + wait)).rowcount:
        return
    if taken.paused_for == reason:
        return
    told = events.DeliveryPaused(None, taken.target_id, reason, taken.catalogue_id)
    append(conn, tenant=taken.tenant, actor=ACTOR, events=[told])
    content = {"request_id": None, "catalogue": name, "target_id": taken.target_id, "reason": reason}
    notify(conn, taken.tenant, "delivery.paused", [Notification(new_id(), content)])


def try_now(conn: Connection, target_id: str) -> None:
    """What stands still is tried at once: its target is checked anew."""
    table = catalogue_deliveries
    ours = table.c.target_id == target_id, table.c.paused_for.is_not(None)
    conn.execute(table.update().where(*ours).values(due_at=func.clock_timestamp(), failures=0))


def remove(conn: Connection, target_id: str) -> None:
    """Nothing is delivered there any more."""
    table = catalogue_deliveries
    conn.execute(table.update().where(table.c.target_id == target_id).values(paused_for="removed", due_at=None))


def waits() -> ColumnElement[bool]:
    """Whether one of all waits for its time."""
    return select(catalogue_deliveries.c.catalogue_id).where(catalogue_deliveries.c.due_at.is_not(None)).exists()


def _wake(conn: Connection, whose: ColumnElement[bool]) -> None:
    table = catalogue_deliveries
    due = case((table.c.paused_for.is_(None), func.clock_timestamp()), else_=table.c.due_at)
    woken: Update = table.update().where(whose).values(asked=table.c.asked + 1, due_at=due)
    if conn.execute(woken).rowcount:
        conn.execute(select(func.pg_notify(ORDER_CHANNEL, "")))


def _mine(taken: TakenCatalogue) -> ColumnElement[bool]:
    """It still goes where it went when it was taken."""
    table = catalogue_deliveries
    place = (table.c.target_id == taken.target_id) & (table.c.prefix == taken.prefix)
    return (table.c.catalogue_id == taken.catalogue_id) & place


def _not_removed() -> ColumnElement[bool]:
    return catalogue_deliveries.c.paused_for.is_distinct_from("removed")

"""Targets of delivery: a tenant's own bucket is registered, checked by a write, checked again, removed.

    register  -> CHECKING, with its secret, which nobody can show again       caller: api
    recheck   READY | REFUSED -> CHECKING, and what stood still goes on       caller: api
    checked   CHECKING -> READY | REFUSED                                     caller: clerk
    remove    no delivery goes on; what was delivered stays                   caller: api

Killed between the write of a check and `checked`: the target is checked once more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, func, select

from policy import events
from policy.events import Private
from policy.ledger.append import append
from workers.errors import Conflict, LimitExceeded, NotFound
from workers.jobs.delivery import catalogue_deliveries
from workers.jobs.delivery.tables import delivery_secrets, delivery_targets, file_deliveries
from workers.jobs.types import new_id
from workers.states import ORDER_CHANNEL

MAX_TARGETS = 20  # of a tenant


@dataclass(frozen=True, slots=True)
class NewTarget:
    """A bucket as it is registered."""

    name: str
    endpoint: str
    region: str
    bucket: str
    prefix: str
    access_key_id: str
    secret: str
    on_recall: str


@dataclass(frozen=True, slots=True)
class CheckedTarget:
    """A target that the clerk may open."""

    id: str
    tenant: str
    endpoint: str
    region: str
    bucket: str
    prefix: str
    access_key_id: str
    secret: str
    on_recall: str


def register(conn: Connection, tenant: str, target: NewTarget, *, actor: str) -> str:
    """The id. Raises LimitExceeded, and Conflict where the tenant has one of that name."""
    live = (delivery_targets.c.tenant == tenant, delivery_targets.c.deleted_at.is_(None))
    names = list(conn.scalars(select(delivery_targets.c.name).where(*live)))
    if len(names) >= MAX_TARGETS:
        raise LimitExceeded(f"a tenant has at most {MAX_TARGETS} targets; remove one first")
    if target.name in names:
        raise Conflict(f"there is a target named '{target.name}' already; remove it first, or choose another name")
    id = new_id()
    values = {name: getattr(target, name) for name in target.__slots__ if name != "secret"}
    conn.execute(delivery_targets.insert().values(id=id, tenant=tenant, state="checking", **values))
    conn.execute(delivery_secrets.insert().values(target_id=id, tenant=tenant, secret=target.secret))
    _announce(conn)
    place = f"{target.endpoint}/{target.bucket}/{target.prefix}"
    _record(conn, tenant, id, "registered", actor=actor, place=place)
    return id


def recheck(conn: Connection, tenant: str, target_id: str, *, actor: str) -> None:
    """It is checked anew, and deliveries that stand still are tried at once. Raises NotFound."""
    _change(conn, tenant, target_id, state="checking", reason=None)
    ours = (file_deliveries.c.target_id == target_id, file_deliveries.c.paused_for.is_not(None))
    conn.execute(file_deliveries.update().where(*ours).values(due_at=func.now(), failures=0))
    catalogue_deliveries.try_now(conn, target_id)
    _announce(conn)
    _record(conn, tenant, target_id, "rechecked", actor=actor)


def remove(conn: Connection, tenant: str, target_id: str, *, actor: str) -> None:
    """Nothing is delivered to it any more. Raises NotFound, also for a repeat."""
    _change(conn, tenant, target_id, deleted_at=func.now())
    ours = file_deliveries.c.target_id == target_id
    conn.execute(file_deliveries.update().where(ours).values(paused_for="removed", due_at=None))
    catalogue_deliveries.remove(conn, target_id)
    _record(conn, tenant, target_id, "removed", actor=actor)


def find(conn: Connection, tenant: str, name: str) -> tuple[str, str, str] | None:
    """Id, prefix and state of the tenant's target of this name."""
    live = (delivery_targets.c.tenant == tenant, delivery_targets.c.deleted_at.is_(None))
    columns = delivery_targets.c.id, delivery_targets.c.prefix, delivery_targets.c.state
    row = conn.execute(select(*columns).where(*live, delivery_targets.c.name == name)).one_or_none()
    return None if row is None else (row.id, row.prefix, row.state)


def to_check(conn: Connection, limit: int) -> list[CheckedTarget]:
    """Targets that wait for their check, those that were never checked first. None is locked: a check may take long,
    and of two clerks that check one, the first tells.
    """
    waiting = _opened().where(delivery_targets.c.state == "checking", delivery_targets.c.deleted_at.is_(None))
    order = delivery_targets.c.checked_at.nulls_first(), delivery_targets.c.id
    return [CheckedTarget(*found) for found in conn.execute(waiting.order_by(None).order_by(*order).limit(limit))]


def get_target(conn: Connection, target_id: str) -> CheckedTarget:
    """For the clerk, with its secret."""
    return CheckedTarget(*conn.execute(_opened().where(delivery_targets.c.id == target_id)).one())


def checked(conn: Connection, target: CheckedTarget, reason: str | None) -> None:
    """CHECKING -> READY, or REFUSED with its reason. Of one that was removed meanwhile, nothing is told."""
    this = delivery_targets.c.id == target.id, delivery_targets.c.deleted_at.is_(None)
    changed = conn.execute(
        delivery_targets.update()
        .where(*this, delivery_targets.c.state == "checking")
        .values(state="refused" if reason else "ready", reason=reason, checked_at=func.now())
    )
    if changed.rowcount:
        _record(conn, target.tenant, target.id, f"refused: {reason}" if reason else "ready", actor="clerk")


def _opened() -> Select[Any]:
    columns = [delivery_targets.c[name] for name in CheckedTarget.__slots__ if name != "secret"]
    columns.insert(-1, delivery_secrets.c.secret)
    return (
        select(*columns)
        .select_from(delivery_targets)
        .join(delivery_secrets, delivery_secrets.c.target_id == delivery_targets.c.id)
        .order_by(delivery_targets.c.id)
    )


def _change(conn: Connection, tenant: str, target_id: str, **values: object) -> None:
    ours = (delivery_targets.c.id == target_id, delivery_targets.c.tenant == tenant)
    changed = conn.execute(
        delivery_targets.update().where(*ours, delivery_targets.c.deleted_at.is_(None)).values(**values)
    )
    if changed.rowcount != 1:
        raise NotFound(f"no target {target_id}")


def _announce(conn: Connection) -> None:
    conn.execute(select(func.pg_notify(ORDER_CHANNEL, "")))


def _record(conn: Connection, tenant: str, target_id: str, change: str, *, actor: str, place: str = "") -> None:
    append(conn, tenant=tenant, actor=actor, events=[events.DeliveryTargetChanged(target_id, change, Private(place))])

"""Legal holds: while one is active, nothing in its scope is erased, on order or by retention.

A hold and an erasure of one tenant never overlap: placing takes the tenant's lock for itself, every step that erases
shares it and asks for holds in the very statements that choose what to erase. So a hold that has committed is seen by
every later step, and one that is being placed waits for the step under way: a few hundred rows. Killed before its
commit, a hold was never there.

A hold covers a thing as a whole. With a range of time it covers what was there at some moment of it: an item from its
submission to its settlement, a request from its submission on until its last item is settled. A hold on one item also
covers the texts of its request.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    DateTime,
    Row,
    Select,
    Text,
    and_,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
)

from policy.events import LegalHoldLifted, LegalHoldPlaced, Private
from policy.ledger.append import append, timestamp
from policy.ledger.tables import entries
from workers.errors import NotFound
from workers.jobs.privacy.tables import legal_holds
from workers.jobs.tables import assets, idempotency_keys, items, requests
from workers.jobs.types import new_id

_LOCKS = 0x1E6A1  # seed of the lock's number: other locks by name use another
_FOREVER = literal("infinity", DateTime(timezone=True))


@dataclass(frozen=True, slots=True)
class HoldScope:
    """What a hold covers in its tenant: all, or one request, item or asset; at all times, or in a range."""

    request_id: str | None = None
    item_id: str | None = None
    asset_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class LegalHold:
    """A hold as it is stored. The reason is for those who may place holds."""

    id: str
    tenant: str
    request_id: str | None
    item_id: str | None
    since: datetime | None
    until: datetime | None
    reason: str
    placed_by: str
    placed_at: datetime
    lifted_at: datetime | None
    lifted_by: str | None


def place(conn: Connection, tenant: str, scope: HoldScope, *, reason: str, actor: str) -> LegalHold:
    """Nothing in the scope is erased from this commit on. Raises NotFound for what the tenant does not have."""
    conn.execute(select(func.pg_advisory_xact_lock(_lock(tenant))))
    request_id, item_id = _resolved(conn, tenant, scope)
    row = conn.execute(
        legal_holds.insert()
        .values(
            id=new_id(),
            tenant=tenant,
            request_id=request_id,
            item_id=item_id,
            since=scope.since,
            until=scope.until,
            reason=reason,
            placed_by=actor,
        )
        .returning(*legal_holds.c)
    ).one()
    named = {"request": request_id if item_id is None else None, "item": item_id}
    times = {"from": scope.since, "to": scope.until}
    said: dict[str, Any] = {noun: id for noun, id in named.items() if id} | {
        noun: timestamp(at) for noun, at in times.items() if at
    }
    append(conn, tenant=tenant, actor=actor, events=[LegalHoldPlaced(row.id, said, Private(reason))])
    return _hold(row)


def lift(conn: Connection, tenant: str, hold_id: str, *, actor: str) -> bool:
    """Whether the hold was active until now. Raises NotFound."""
    this = (legal_holds.c.id == hold_id) & (legal_holds.c.tenant == tenant)
    lifted = conn.execute(
        legal_holds.update()
        .where(this, legal_holds.c.lifted_at.is_(None))
        .values(lifted_at=func.clock_timestamp(), lifted_by=actor)
    ).rowcount
    if lifted:
        append(conn, tenant=tenant, actor=actor, events=[LegalHoldLifted(hold_id)])
    elif conn.execute(select(legal_holds.c.id).where(this)).first() is None:
        raise NotFound(f"no legal hold {hold_id}")
    return bool(lifted)


def get_hold(conn: Connection, tenant: str, hold_id: str) -> LegalHold:
    """Raises NotFound."""
    row = conn.execute(
        select(legal_holds).where(legal_holds.c.id == hold_id, legal_holds.c.tenant == tenant)
    ).one_or_none()
    if row is None:
        raise NotFound(f"no legal hold {hold_id}")
    return _hold(row)


def list_holds(
    conn: Connection, tenant: str | None, *, limit: int, after: str | None = None, lifted: bool = True
) -> list[LegalHold]:
    """Oldest first, of one tenant or (None) of all; without those that were lifted if `lifted` is False."""
    query = select(legal_holds).order_by(legal_holds.c.id).limit(limit)
    if tenant is not None:
        query = query.where(legal_holds.c.tenant == tenant)
    if after is not None:
        query = query.where(legal_holds.c.id > after)
    if not lifted:
        query = query.where(legal_holds.c.lifted_at.is_(None))
    return [_hold(row) for row in conn.execute(query)]


def keep_holds_out(conn: Connection, tenant: str) -> None:
    """Until this transaction ends, no hold of the tenant is placed; those placed before are seen by what follows."""
    conn.execute(select(func.pg_advisory_xact_lock_shared(_lock(tenant))))


def is_free(conn: Connection, item_id: str) -> bool:
    """Whether no hold covers the item; until this transaction ends, none is placed on it."""
    tenant = conn.scalar(select(items.c.tenant).where(items.c.id == item_id))
    if tenant is None:
        return True
    keep_holds_out(conn, tenant)
    return conn.execute(select(items.c.id).where(items.c.id == item_id, on_item())).first() is None


def covering(
    conn: Connection, item_ids: Select[Any], request_ids: Select[Any], event_ids: Select[Any]
) -> tuple[str, ...]:
    """The active holds that cover any of these; a loose event is of no item and no request."""
    any_item = exists(select(items.c.id).where(_item_terms(), items.c.id.in_(item_ids)))
    any_request = exists(select(requests.c.id).where(_request_terms(), requests.c.id.in_(request_ids)))
    any_event = exists(select(entries.c.event_id).where(_entry_terms(), entries.c.event_id.in_(event_ids)))
    found = select(legal_holds.c.id).where(or_(any_item, any_request, any_event)).order_by(legal_holds.c.id)
    return tuple(conn.scalars(found))


def on_item() -> ColumnElement[bool]:
    """Whether a hold covers the row of `items` in the statement around it."""
    return exists(select(legal_holds.c.id).where(_item_terms()))


def on_request() -> ColumnElement[bool]:
    """Whether a hold covers the row of `requests` in the statement around it."""
    return exists(select(legal_holds.c.id).where(_request_terms()))


def on_entry() -> ColumnElement[bool]:
    """Whether a hold covers the row of audit.entries in the statement around it, which is of no item or request."""
    return exists(select(legal_holds.c.id).where(_entry_terms()))


def on_reply() -> ColumnElement[bool]:
    """Whether a hold covers the row of `idempotency_keys` around it: its request's, or any if it names none."""
    made = select(requests.c.id).where(
        requests.c.tenant == idempotency_keys.c.tenant,
        cast(requests.c.id, Text) == idempotency_keys.c.body["id"].astext,
    )
    of_any = exists(
        select(legal_holds.c.id).where(
            legal_holds.c.tenant == idempotency_keys.c.tenant, legal_holds.c.lifted_at.is_(None)
        )
    )
    return or_(made.where(on_request()).exists(), and_(~made.exists(), of_any))


def _item_terms() -> ColumnElement[bool]:
    return and_(
        _active(items.c.tenant, items.c.created_at, func.coalesce(items.c.settled_at, _FOREVER)),
        or_(legal_holds.c.request_id.is_(None), legal_holds.c.request_id == items.c.request_id),
        or_(legal_holds.c.item_id.is_(None), legal_holds.c.item_id == items.c.id),
    )


def _request_terms() -> ColumnElement[bool]:
    own = items.alias("of_request")
    last = select(func.max(func.coalesce(own.c.settled_at, _FOREVER))).where(own.c.request_id == requests.c.id)
    end = func.coalesce(last.correlate(requests).scalar_subquery(), requests.c.created_at)
    return and_(
        _active(requests.c.tenant, requests.c.created_at, end),
        or_(legal_holds.c.request_id.is_(None), legal_holds.c.request_id == requests.c.id),
    )


def _entry_terms() -> ColumnElement[bool]:
    at = entries.c.recorded_at
    return and_(_active(entries.c.tenant, at, at), legal_holds.c.request_id.is_(None))


def _active(tenant: ColumnElement[str], begin: ColumnElement[datetime], end: ColumnElement[Any]) -> ColumnElement[bool]:
    """Not lifted, of this tenant, and in range for what was there from `begin` to `end`."""
    return and_(
        legal_holds.c.tenant == tenant,
        legal_holds.c.lifted_at.is_(None),
        or_(legal_holds.c.since.is_(None), legal_holds.c.since <= end),
        or_(legal_holds.c.until.is_(None), legal_holds.c.until > begin),
    )


def _resolved(conn: Connection, tenant: str, scope: HoldScope) -> tuple[str | None, str | None]:
    """(request, item) of a scope."""
    if scope.asset_id:
        own = select(assets.c.request_id, assets.c.item_id).where(assets.c.id == scope.asset_id)
        row = conn.execute(own.where(assets.c.tenant == tenant)).one_or_none()
    elif scope.item_id:
        own = select(items.c.request_id, items.c.id).where(items.c.id == scope.item_id)
        row = conn.execute(own.where(items.c.tenant == tenant)).one_or_none()
    elif scope.request_id:
        mine = select(requests.c.id).where(requests.c.id == scope.request_id, requests.c.tenant == tenant)
        found = conn.execute(mine).one_or_none()
        if found is None:
            raise NotFound(f"no request {scope.request_id}")
        return found.id, None
    else:
        return None, None
    if row is None:
        raise NotFound(f"no item or asset {scope.asset_id or scope.item_id}")
    return row[0], row[1]


def _lock(tenant: str) -> ColumnElement[int]:
    return func.hashtextextended(f"legal hold\n{tenant}", _LOCKS)


def _hold(row: Row[Any]) -> LegalHold:
    return LegalHold(**dict(row._mapping))

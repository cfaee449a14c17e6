"""Orders to erase: written by the API or a command, carried out by the clerk in steps of a few hundred rows.

    ordered   stored; the text to look for is still in the row             order()     caller: api, presswork privacy
    running   what is to be erased is listed, the sought text is gone      carry_out() caller: clerk
    finished  everything listed is erased, the objects too                 carry_out() caller: clerk

An order that meets a legal hold or an item that still needs its prompt is refused. What a hold placed later covers
waits until it is lifted. Killed anywhere: the list shrinks in the transactions that erase, so the next step goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Select, Text, cast, func, insert, literal, select, tuple_

from policy.events import ErasureFinished, ErasureOrdered
from policy.ledger.append import append
from policy.ledger.erase import Why
from policy.ledger.tables import entries
from workers.errors import Conflict, NotFound, UnderLegalHold
from workers.jobs.privacy import legal_holds
from workers.jobs.privacy.erase import (
    erase_events,
    erase_items,
    erase_replies,
    erase_requests,
    unsettled_request,
)
from workers.jobs.privacy.select import CLERK, UNSETTLED, ErasureCounts, ErasureScope, ended_checks, targets
from workers.jobs.privacy.tables import erasure_targets, erasures, removals
from workers.jobs.tables import idempotency_keys, items, requests
from workers.jobs.types import new_id
from workers.jobs.uploads.campaign_checks import forget
from workers.states import ORDER_CHANNEL

REQUESTED = "request"  # basis of the events, and their class
STEP = 100  # rows of one transaction: what a hold that is being placed waits for
LOOK_AGAIN = timedelta(seconds=60)  # after a step that found everything left under a hold


@dataclass(frozen=True, slots=True)
class ErasureStatus:
    """An order, and how far it has come; `left` counts what is still to be erased, by kind."""

    id: str
    scope: Mapping[str, Any]
    state: str
    ordered_by: str
    ordered_at: datetime
    finished_at: datetime | None
    erased: Mapping[str, int]
    left: Mapping[str, int]


class Step(NamedTuple):
    """What one step of the clerk did."""

    erasure_id: str
    tenant: str
    erased: Mapping[str, int]
    finished: bool = False
    waits: bool = False  # what is left lies under a hold, or in the store


def refuse_where_it_cannot(scope: ErasureScope, found: ErasureCounts) -> None:
    """Raises NotFound, UnderLegalHold or Conflict, saying what to do, for an order that must not be written."""
    if found.nothing and scope.noun not in ("tenant", "text"):
        raise NotFound(f"no {scope.noun} {scope.value}")
    if found.legal_holds:
        named = ", ".join(found.legal_holds)
        raise UnderLegalHold(f"nothing was ordered: legal hold {named} covers part of it. It has to be lifted first")
    if found.unsettled_items:
        raise Conflict(
            f"nothing was ordered: {found.unsettled_items} of the items still need their prompt. "
            "Cancel what is pending or planned and review what is held, then order again"
        )
    if found.open_checks:
        raise Conflict(
            f"nothing was ordered: {found.open_checks} large campaigns are being checked, and may hold such a text. "
            "Cancel them (POST /v1/campaigns/ID/cancel) or wait, then order again"
        )


def order(conn: Connection, tenant: str, scope: ErasureScope, *, actor: str) -> str:
    """The id of a new order. Ask `refuse_where_it_cannot` before: the clerk skips what is under a hold by then."""
    erasure_id = new_id()
    conn.execute(
        erasures.insert().values(
            id=erasure_id,
            tenant=tenant,
            scope=scope.to_json(),
            sought=scope.value if scope.noun == "text" else None,
            state="ordered",
            ordered_by=actor,
        )
    )
    append(conn, tenant=tenant, actor=actor, events=[ErasureOrdered(erasure_id, scope.to_json())])
    conn.execute(select(func.pg_notify(ORDER_CHANNEL, "")))
    return erasure_id


def get_erasure(conn: Connection, tenant: str, erasure_id: str) -> ErasureStatus:
    """Raises NotFound."""
    row = conn.execute(
        select(erasures).where(erasures.c.id == erasure_id, erasures.c.tenant == tenant)
    ).one_or_none()  # fmt: skip
    if row is None:
        raise NotFound(f"no erasure {erasure_id}")
    return _erasure(row, _left(conn, [row.id]).get(row.id, {}))


def list_erasures(
    conn: Connection, tenant: str | None, *, limit: int, before: str | None = None, open_only: bool = False
) -> list[ErasureStatus]:
    """Newest first, of one tenant or (None) of all."""
    query = select(erasures).order_by(erasures.c.id.desc()).limit(limit)
    if tenant is not None:
        query = query.where(erasures.c.tenant == tenant)
    if before is not None:
        query = query.where(erasures.c.id < before)
    if open_only:
        query = query.where(erasures.c.state != "finished")
    rows = conn.execute(query).all()
    left = _left(conn, [row.id for row in rows])
    return [_erasure(row, left.get(row.id, {})) for row in rows]


def count_open(conn: Connection) -> int:
    """Orders that are not finished."""
    query = select(func.count()).select_from(erasures).where(erasures.c.state != "finished")
    return int(conn.execute(query).scalar_one())


def carry_out(conn: Connection) -> Step | None:
    """The next step of the oldest order that does not wait; None if there is none. One clerk an order."""
    waiting = select(erasures).where(erasures.c.state != "finished", erasures.c.look_at <= func.clock_timestamp())
    row = conn.execute(waiting.order_by(erasures.c.id).limit(1).with_for_update(skip_locked=True)).one_or_none()
    if row is None:
        return None
    legal_holds.keep_holds_out(conn, row.tenant)
    if row.state == "ordered":
        _list_targets(conn, row)
        return Step(row.id, row.tenant, {})
    erased = _erase_some(conn, row)
    total = dict(Counter(row.erased) + Counter(erased))
    if erased:
        conn.execute(erasures.update().where(erasures.c.id == row.id).values(erased=total))
        return Step(row.id, row.tenant, erased)
    if finished := not _left(conn, [row.id]):
        conn.execute(
            erasures.update()
            .where(erasures.c.id == row.id, erasures.c.state == "running")
            .values(state="finished", finished_at=func.clock_timestamp())
        )
        append(conn, tenant=row.tenant, actor=CLERK, events=[ErasureFinished(row.id, total)])
    else:
        later = func.clock_timestamp() + LOOK_AGAIN
        conn.execute(erasures.update().where(erasures.c.id == row.id).values(look_at=later))
    return Step(row.id, row.tenant, {}, finished=finished, waits=not finished)


def _list_targets(conn: Connection, row: Row[Any]) -> None:
    """Write down what the order means, once, and forget what it searched for."""
    ((noun, value),) = row.scope.items()
    scope = ErasureScope(noun, row.sought or str(value))
    forget(conn, ended_checks(row.tenant, scope, row.ordered_at))
    found = targets(row.tenant, scope, row.ordered_at)
    kinds = ("item", "request", "event", "reply", "pictures")
    for kind, chosen in zip(kinds, found, strict=True):
        column = chosen.subquery().c[0]
        listed = select(literal(row.id, erasures.c.id.type), literal(kind), cast(column, Text), literal(row.tenant))
        conn.execute(insert(erasure_targets).from_select(["erasure_id", "kind", "target", "tenant"], listed))
    conn.execute(
        erasures.update()
        .where(erasures.c.id == row.id, erasures.c.state == "ordered")
        .values(state="running", sought=None)
    )


def _erase_some(conn: Connection, row: Row[Any]) -> dict[str, int]:
    """Up to STEP targets of one kind that may be erased now; {} if none may. Pictures are the store's: not here."""
    why = Why(row.id, REQUESTED, REQUESTED)
    free_items = select(items.c.id).where(
        items.c.tenant == row.tenant, items.c.state.not_in(UNSETTLED), ~legal_holds.on_item()
    )
    if ids := _take(conn, row.id, "item", _with_target(free_items, items.c.id)):
        return erase_items(conn, ids, tenant=row.tenant, why=why, comments=True)
    free_requests = select(requests.c.id).where(
        requests.c.tenant == row.tenant, ~unsettled_request(), ~legal_holds.on_request()
    )
    if ids := _take(conn, row.id, "request", _with_target(free_requests, requests.c.id)):
        return erase_requests(conn, ids, tenant=row.tenant, why=why)
    free_events = select(entries.c.event_id).where(entries.c.tenant == row.tenant, ~legal_holds.on_entry())
    if ids := _take(conn, row.id, "event", _with_target(free_events, entries.c.event_id)):
        return erase_events(conn, ids, tenant=row.tenant, why=why)
    free_replies = select(idempotency_keys.c.key).where(
        idempotency_keys.c.tenant == row.tenant,
        idempotency_keys.c.key == erasure_targets.c.target,
        ~legal_holds.on_reply(),
    )
    if keys := _take(conn, row.id, "reply", free_replies.correlate(erasure_targets).exists()):
        return erase_replies(conn, keys, tenant=row.tenant, why=why)
    return {}


def _with_target(free: Select[Any], id: ColumnElement[Any]) -> ColumnElement[bool]:
    return free.where(id == cast(erasure_targets.c.target, id.type)).correlate(erasure_targets).exists()


def _take(conn: Connection, erasure_id: str, kind: str, lawful: ColumnElement[bool]) -> list[str]:
    """Strike some targets off the list. The same transaction erases them."""
    mine = (erasure_targets.c.erasure_id == erasure_id, erasure_targets.c.kind == kind)
    some = select(erasure_targets.c.kind, erasure_targets.c.target).where(*mine, lawful)
    chosen = some.order_by(erasure_targets.c.target).limit(STEP)
    struck = erasure_targets.delete().where(
        *mine, tuple_(erasure_targets.c.kind, erasure_targets.c.target).in_(chosen)
    )  # fmt: skip
    return list(conn.scalars(struck.returning(erasure_targets.c.target)))


def _left(conn: Connection, erasure_ids: list[str]) -> dict[str, dict[str, int]]:
    """By order and kind; objects that were given up and may still lie in the store count, too."""
    left: dict[str, dict[str, int]] = {}
    listed = select(erasure_targets.c.erasure_id, erasure_targets.c.kind, func.count().label("n"))
    given_up = select(removals.c.erasure_id, literal("objects"), func.count())
    for table, query in ((erasure_targets, listed.group_by(erasure_targets.c.kind)), (removals, given_up)):
        own = query.where(table.c.erasure_id.in_(erasure_ids)).group_by(table.c.erasure_id)
        for erasure_id, kind, count in conn.execute(own):
            left.setdefault(erasure_id, {})[kind] = count
    return left


def _erasure(row: Row[Any], left: Mapping[str, int]) -> ErasureStatus:
    return ErasureStatus(
        id=row.id,
        scope=row.scope,
        state=row.state,
        ordered_by=row.ordered_by,
        ordered_at=row.ordered_at,
        finished_at=row.finished_at,
        erased=row.erased,
        left=left,
    )

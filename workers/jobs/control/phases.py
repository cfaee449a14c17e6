"""Phase of a request: it is paused, goes on, and ends. Each step is one conditional update, with its event.

A repeat changes nothing and leaves no trace. Killed before the commit, nothing happened; after it, the planner sees the
gate as the phase says. What is in flight is finished in any phase: a pause costs nothing that was sampled already.

A request ends with the change that settles its last open item. Two changes at once may each see the other's item
open; `end_settled` of the planner finds what they left.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, any_, case, delete, exists, func, select, text

from policy import events
from policy.ledger.append import append
from workers.errors import Conflict, NotFound
from workers.jobs.control import budget, pilots
from workers.jobs.delivery import deliveries
from workers.jobs.tables import budgets, items, requests, turns
from workers.jobs.types import new_id
from workers.jobs.webhooks.deliveries import Notification, notify
from workers.states import (
    ITEM_OPEN,
    ORDER_CHANNEL,
    REQUEST_OPEN,
    REQUEST_OVER,
    WAKE_CHANNEL,
    Gate,
    ItemState,
    PauseReason,
    RequestPhase,
)

AT_ONCE = 200  # requests of one look
# The sums of its breaker begin again: whoever resumes it has seen what was wrong (control/breaker.py counts it).
_RESTART_BREAKER = text(
    """
    INSERT INTO breaker_notes (request_id, tenant, kind)
    SELECT request_id, tenant, 'restart' FROM breakers WHERE request_id = :request_id
    """
)
_UNPAUSED: Mapping[str, None] = dict.fromkeys(("paused_for", "paused_from", "paused_figures"))
_PAUSABLE = tuple(map(str, REQUEST_OPEN))


def pause(
    conn: Connection,
    tenant: str,
    request_id: str,
    *,
    actor: str,
    reason: PauseReason = PauseReason.PERSON,
    figures: Mapping[str, Any] | None = None,
) -> bool:
    """-> PAUSED; False if it is paused already. Raises NotFound, and Conflict for a request that is over."""
    ours = (requests.c.id == request_id, requests.c.tenant == tenant)
    changed = conn.execute(
        requests.update()
        .where(*ours, requests.c.phase.in_(_PAUSABLE))
        .values(phase=RequestPhase.PAUSED, paused_for=reason, paused_from=requests.c.phase, paused_figures=figures)
    )
    if changed.rowcount != 1:
        _demand_not_over(conn, tenant, request_id, "paused")
        return False
    measured = dict(figures) if figures else None
    append(conn, tenant=tenant, actor=actor, events=[events.RequestPaused(request_id, reason, measured)])
    notify_paused(conn, tenant, request_id, reason, measured)
    return True


def notify_paused(
    conn: Connection, tenant: str, request_id: str, reason: str, figures: Mapping[str, Any] | None = None
) -> None:
    """The webhook message about a pause, under an id of its own: a request may be paused again."""
    content = {"request_id": request_id, "reason": str(reason), "figures": dict(figures) if figures else None}
    notify(conn, tenant, "request.paused", [Notification(new_id(), content)])


def resume(conn: Connection, tenant: str, request_id: str, *, actor: str) -> bool:
    """PAUSED -> the phase it came from; False if it is not paused.

    Raises NotFound, and Conflict for a request that is over or whose deadline has passed.
    """
    ours = (requests.c.id == request_id, requests.c.tenant == tenant)
    on_time = requests.c.deadline.is_(None) | (requests.c.deadline > func.clock_timestamp())
    went_on = conn.execute(
        requests.update()
        .where(*ours, requests.c.phase == RequestPhase.PAUSED, on_time)
        .values(phase=requests.c.paused_from, **_UNPAUSED)
        .returning(requests.c.phase, requests.c.queue)
    ).one_or_none()
    if went_on is None:
        row = _demand_not_over(conn, tenant, request_id, "resumed")
        if row.phase == RequestPhase.PAUSED:
            raise Conflict(f"the deadline of request {request_id} has passed; set a later one, or none, and resume it")
        return False
    append(conn, tenant=tenant, actor=actor, events=[events.RequestResumed(request_id, went_on.phase)])
    conn.execute(_RESTART_BREAKER, {"request_id": request_id})
    conn.execute(select(func.pg_notify(WAKE_CHANNEL, went_on.queue)))
    end_settled(conn, [request_id], actor=actor)
    return True


def end_settled(conn: Connection, request_ids: Collection[str] | None = None, *, actor: str) -> int:
    """Requests with no open item -> FINISHED, or CANCELLED where their tenant cancelled them; how many.

    A pilot with no open image left waits for a person from now on. `None` looks at all of them. A row that another
    transaction has locked is left to a later look.
    """
    among = [] if request_ids is None else [requests.c.id.in_(list(request_ids))]
    is_over = ~_has_open_items()
    sampled = (requests.c.phase == RequestPhase.PILOT) & ~pilots.has_open_sample()
    over = (
        select(requests.c.id, is_over.label("is_over"))
        .where(*among, requests.c.ended_at.is_(None), is_over | sampled)
        .order_by(requests.c.id)
        .limit(AT_ONCE)
        .with_for_update(key_share=True, skip_locked=True)
        .cte("over")
    )
    cancelled = requests.c.cancelled_at.is_not(None)
    moved = conn.execute(
        requests.update()
        .where(requests.c.id == over.c.id, requests.c.ended_at.is_(None))
        .values(
            phase=case(
                (~over.c.is_over, str(RequestPhase.AWAITING_ACCEPTANCE)),
                (cancelled, str(RequestPhase.CANCELLED)),
                else_=str(RequestPhase.FINISHED),
            ),
            **_UNPAUSED,
            ended_at=case((over.c.is_over, func.clock_timestamp())),
        )
        .returning(requests.c.id, requests.c.tenant, requests.c.phase, requests.c.round)
    ).all()
    ended = [row for row in moved if row.phase in REQUEST_OVER]
    _record_ends(conn, ended, actor)
    if ended:
        deliveries.wake(conn, {row.id for row in ended})
    pilots.record_ready(conn, [row for row in moved if row.phase not in REQUEST_OVER], actor=actor)
    return len(ended)


def stop_overdue(conn: Connection, *, actor: str) -> int:
    """Requests past their deadline -> PAUSED, or EXPIRED where they were sent so; how many.

    What waits of an expired request is cancelled; what is in flight is finished and released.
    """
    overdue = conn.execute(
        select(requests.c.id, requests.c.tenant, requests.c.at_deadline, requests.c.phase)
        .where(
            requests.c.ended_at.is_(None),
            requests.c.deadline <= func.clock_timestamp(),
            requests.c.phase.in_(_PAUSABLE) | (requests.c.at_deadline == "expire"),
        )
        .order_by(requests.c.id)
        .limit(AT_ONCE)
        .with_for_update(key_share=True, skip_locked=True)
    ).all()
    for row in overdue:
        if row.at_deadline == "expire":
            _expire(conn, row, actor)
        else:
            pause(conn, row.tenant, row.id, actor=actor, reason=PauseReason.DEADLINE)
    return len(overdue)


def stop_spent(conn: Connection, *, actor: str) -> int:
    """Requests that draw on a budget whose GPU seconds or money are used up -> PAUSED; how many.

    What was reserved fits, so it is work that was not measured, or took more than its P90, that comes here.
    """
    spent = (budgets.c.gpu_seconds_made >= budgets.c.gpu_seconds) | (budgets.c.cost_made >= budgets.c.cost)
    drawing = conn.execute(
        select(requests.c.id, requests.c.tenant)
        .join(budgets, (budgets.c.tenant == requests.c.tenant) & (budgets.c.id == any_(requests.c.budgets)))
        .where(spent, requests.c.ended_at.is_(None), requests.c.phase.in_(_PAUSABLE))
        .order_by(requests.c.id)
        .limit(AT_ONCE)
        .with_for_update(key_share=True, skip_locked=True, of=requests)
    ).all()
    for id, tenant in dict.fromkeys((row.id, row.tenant) for row in drawing):
        pause(conn, tenant, id, actor=actor, reason=PauseReason.BUDGET)
    return len(drawing)


def forget_turns(conn: Connection) -> None:
    """Accounts of campaigns whose gate is closed. One that opens again starts at the clock of its tenant."""
    of_request = turns.c.lane.like("request:%")
    account = func.right(turns.c.lane, 36)
    waits = exists().where(requests.c.id == account.cast(requests.c.id.type), requests.c.gate != "closed")
    conn.execute(delete(turns).where(of_request, ~waits))


def resting_requests(conn: Connection, tenant: str, request_ids: Sequence[str]) -> set[str]:
    """Of these requests those that nothing is made of now: over, paused, or waiting for a person; unknown ones too."""
    busy = select(requests.c.id).where(
        requests.c.id.in_(list(request_ids)), requests.c.tenant == tenant, requests.c.gate != Gate.CLOSED
    )
    return set(request_ids) - set(conn.scalars(busy))


def lock(conn: Connection, tenant: str, request_id: str) -> Row[Any]:
    """The request's row, locked. No stronger than an update takes: a settlement that holds the items refers to this
    row by foreign key. Raises NotFound.
    """
    ours = select(requests).where(requests.c.id == request_id, requests.c.tenant == tenant)
    row: Row[Any] | None = conn.execute(ours.with_for_update(key_share=True)).one_or_none()
    if row is None:
        raise NotFound(f"no request {request_id}")
    return row


def _expire(conn: Connection, row: Row[*tuple[Any, ...]], actor: str) -> None:
    conn.execute(
        requests.update()
        .where(requests.c.id == row.id)
        .values(phase=RequestPhase.EXPIRED, **_UNPAUSED, ended_at=func.clock_timestamp())
    )
    # What the planner holds at this moment is planned, and so is in flight; `dispatch` waits for this row otherwise.
    waiting = (
        select(items.c.id)
        .where(items.c.request_id == row.id, items.c.state == ItemState.PENDING)
        .order_by(items.c.id)
        .with_for_update()
        .cte("waiting")
    )
    gone = conn.scalars(
        items.update()
        .where(items.c.id == waiting.c.id)
        .values(state=ItemState.CANCELLED, settled_at=func.clock_timestamp())
        .returning(items.c.id)
    ).all()
    budget.settle(conn, gone)
    append(conn, tenant=row.tenant, actor=actor, events=[events.RequestExpired(row.id, len(gone))])


def _demand_not_over(conn: Connection, tenant: str, request_id: str, verb: str) -> Row[Any]:
    row = conn.execute(
        select(requests.c.phase).where(requests.c.id == request_id, requests.c.tenant == tenant)
    ).one_or_none()
    if row is None:
        raise NotFound(f"no request {request_id}")
    if row.phase in REQUEST_OVER:
        raise Conflict(f"request {request_id} is {row.phase} and cannot be {verb}")
    return row


def _record_ends(conn: Connection, ended: Sequence[Row[Any]], actor: str) -> None:
    if not ended:
        return
    counts: dict[str, dict[str, int]] = {row.id: {} for row in ended}
    counted = select(items.c.request_id, items.c.state, func.count()).where(items.c.request_id.in_(list(counts)))
    for request_id, state, count in conn.execute(counted.group_by(items.c.request_id, items.c.state)):
        counts[request_id][state] = count
    for tenant in sorted({row.tenant for row in ended}):
        happened = [events.RequestFinished(row.id, row.phase, counts[row.id]) for row in ended if row.tenant == tenant]
        append(conn, tenant=tenant, actor=actor, events=happened)
        told = [_notification(row, counts[row.id]) for row in ended if row.tenant == tenant]
        notify(conn, tenant, "request.finished", told)
    conn.execute(select(func.pg_notify(ORDER_CHANNEL, "")))  # the clerk makes the pictures of a catalogue live


def _notification(row: Row[Any], counts: Mapping[str, int]) -> Notification:
    """The webhook message about the end of a request: how many of its items came to what."""
    summary = {str(state): counts.get(state, 0) for state in ItemState if state not in ITEM_OPEN}
    content = {"request_id": row.id, "phase": row.phase, "items": sum(counts.values()), "summary": summary}
    return Notification(f"{row.id}-round-{row.round}" if row.round else row.id, content)


def _has_open_items() -> ColumnElement[bool]:
    return exists().where(items.c.request_id == requests.c.id, items.c.state.in_([*map(str, ITEM_OPEN)]))

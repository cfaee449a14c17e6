"""Spending while work goes on: the budget of one request, and the message that a budget runs low.

    begin         a request is stored with a budget of its own                      caller: submit
    set_limits    it is set, changed or taken away while the request runs           caller: api
    stop          requests whose own budget is used up -> PAUSED (budget)           caller: planner
    tell_low      budgets of which much is used: one message for each threshold     caller: planner

A budget of a request counts everything that was made of it, whenever it was set. It refuses nothing at submit: the
request runs until it is reached and is paused then; a raise lets it go on. What is in flight is finished.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, func, literal, select, text

from policy import events
from policy.ledger.append import append
from workers.cost.limits import Limits
from workers.errors import Conflict
from workers.jobs.control import budget
from workers.jobs.control.phases import AT_ONCE, lock, pause, resume
from workers.jobs.tables import budgets, items, requests
from workers.jobs.types import new_id
from workers.jobs.webhooks.deliveries import Notification, notify
from workers.states import ITEM_OPEN, REQUEST_OVER, PauseReason, RequestPhase

_COUNTED = text(
    """
    SELECT count(*) FILTER (WHERE state IN ('pending', 'planned') AND drawing_item_id IS NULL) AS images_reserved,
      count(*) FILTER (WHERE made) AS images_made,
      coalesce(sum(gpu_seconds_reserved) FILTER (WHERE state IN ('pending', 'planned')), 0) AS gpu_seconds_reserved,
      coalesce(sum(gpu_seconds) FILTER (WHERE made), 0) AS gpu_seconds_made,
      coalesce(sum(cost_reserved) FILTER (WHERE state IN ('pending', 'planned')), 0) AS cost_reserved,
      coalesce(sum(cost) FILTER (WHERE made AND currency = :currency), 0) AS cost_made
    FROM (
      SELECT *, reused_asset_id IS NULL AND drawing_item_id IS NULL AND (state IN ('released', 'held', 'recalled')
        OR state = 'refused' AND EXISTS (SELECT FROM holds h WHERE h.item_id = items.id)) AS made
      FROM items WHERE request_id = :request_id
    ) AS i
    """
)
_IN_FLIGHT = (
    "SELECT count(*) FROM items i WHERE i.request_id = r.id AND i.state = 'planned' AND i.drawing_item_id IS NULL"
)
_SPENT = text(
    f"""
    SELECT CAST(r.id AS text) AS id, r.tenant FROM requests r JOIN budgets b ON b.request_id = r.id
    WHERE r.ended_at IS NULL AND r.phase IN ('pilot', 'awaiting_acceptance', 'running')
      AND EXISTS (SELECT FROM items i WHERE i.request_id = r.id AND i.state = 'pending')
      AND (b.images_made + ({_IN_FLIGHT}) >= b.images OR b.gpu_seconds_made >= b.gpu_seconds OR b.cost_made >= b.cost)
    ORDER BY r.id LIMIT :most FOR NO KEY UPDATE OF r SKIP LOCKED
    """  # noqa: S608 - a statement of our own
)
_LOW = text(
    """
    WITH used AS (
      SELECT id, least(100, floor(100 * greatest(
        CAST(images_made AS numeric) / nullif(images, 0), gpu_seconds_made / gpu_seconds, cost_made / cost))) AS percent
      FROM budgets
    ), reached AS (
      SELECT id, percent, CASE WHEN percent >= 100 THEN 100 WHEN percent >= 90 THEN 90 ELSE 80 END AS threshold
      FROM used WHERE percent >= 80
    )
    UPDATE budgets b SET told_percent = reached.threshold FROM reached
    WHERE reached.id = b.id AND b.told_percent < reached.threshold
    RETURNING b.*, reached.threshold, CAST(reached.percent AS integer) AS percent
    """
)


def begin(conn: Connection, tenant: str, request_id: str, limits: Limits, wanted: budget.Reservation) -> str:
    """The id of the budget of a request that is being stored, with what its images reserve."""
    reserved = {
        "images_reserved": wanted.images,
        "gpu_seconds_reserved": wanted.gpu_seconds,
        "cost_reserved": wanted.cost,
    }
    id = new_id()
    conn.execute(budgets.insert().values(id=id, tenant=tenant, request_id=request_id, **asdict(limits), **reserved))
    return id


def set_limits(conn: Connection, tenant: str, request_id: str, limits: Limits, *, actor: str) -> bool:
    """Whether something changed; no limits take the budget away. A request that was paused for it goes on.

    Raises NotFound, and Conflict for a request that is over.
    """
    row = lock(conn, tenant, request_id)
    if row.phase in REQUEST_OVER:
        raise Conflict(f"request {request_id} is {row.phase} and cannot be changed")
    standing = conn.execute(select(budgets).where(budgets.c.request_id == request_id).with_for_update()).one_or_none()
    was = Limits(*(getattr(standing, name) for name in Limits.__slots__)) if standing else Limits()
    if was == limits:
        return False
    _store(conn, row, limits, standing)
    changed = events.BudgetChanged(
        None, was.images, limits.images, budget.recorded(was), budget.recorded(limits), request_id=request_id
    )
    append(conn, tenant=tenant, actor=actor, events=[changed])
    if row.phase == RequestPhase.PAUSED and row.paused_for == PauseReason.BUDGET:
        resume(conn, tenant, request_id, actor=actor)  # still spent: the next look pauses it again
    return True


def budget_of(conn: Connection, tenant: str, request_id: str) -> budget.Budget | None:
    """The request's own budget."""
    mine = select(budgets).where(budgets.c.request_id == request_id, budgets.c.tenant == tenant)
    row = conn.execute(mine).one_or_none()
    return budget.budget_of_row(row) if row else None


def stop(conn: Connection, *, actor: str) -> int:
    """Requests that wait for more than their own budget has -> PAUSED; how many."""
    spent = conn.execute(_SPENT, {"most": AT_ONCE}).all()
    for row in spent:
        pause(conn, row.tenant, row.id, actor=actor, reason=PauseReason.BUDGET)
    return len(spent)


def tell_low(conn: Connection) -> int:
    """One message for each budget that reached a threshold since the last look; how many."""
    low = conn.execute(_LOW).all()
    for row in low:
        content: dict[str, Any] = {
            "budget": "request" if row.request_id else "key" if row.key_id else "tenant",
            "request_id": str(row.request_id) if row.request_id else None,
            "key_id": str(row.key_id) if row.key_id else None,
            "threshold_percent": row.threshold,
            "used_percent": row.percent,
        }
        notify(conn, row.tenant, "budget.low", [Notification(new_id(), content)])
    return len(low)


def _store(conn: Connection, request: Any, limits: Limits, standing: Any) -> None:
    """The row as the limits say. Open items are locked: what settles now is in the sums, or finds the row."""
    mine = budgets.c.request_id == request.id
    if not limits:
        conn.execute(budgets.delete().where(mine))
        left = func.array_remove(requests.c.budgets, literal(standing.id, budgets.c.id.type))
        conn.execute(requests.update().where(requests.c.id == request.id).values(budgets=left))
        return
    is_open = (items.c.request_id == request.id, items.c.state.in_([*map(str, ITEM_OPEN)]))
    conn.execute(select(items.c.id).where(*is_open).order_by(items.c.id).with_for_update()).all()
    counted = conn.execute(_COUNTED, {"request_id": request.id, "currency": limits.currency}).one()
    values = {**asdict(limits), **counted._mapping, "told_percent": 0}
    if standing is not None:
        conn.execute(budgets.update().where(mine).values(**values))
        return
    id = new_id()
    conn.execute(budgets.insert().values(id=id, tenant=request.tenant, request_id=request.id, **values))
    more = func.array_append(requests.c.budgets, literal(id, budgets.c.id.type))
    conn.execute(requests.update().where(requests.c.id == request.id).values(budgets=more))

"""Cancellation: the open items of a request, of a part of it, or one item, become CANCELLED at once, wherever they are.

The row lock decides the race with a settlement: the first commit wins. A running worker
learns of it at its next lease renewal and drops the item; once this commit is done, nothing of the
item can be released.
"""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from policy import events
from policy.ledger.append import append
from policy.marks.renditions import RENDITIONS
from workers.errors import Conflict, NotFound
from workers.jobs.control import budget
from workers.jobs.control.phases import end_settled, lock
from workers.jobs.control.selection import ItemSelection
from workers.jobs.tables import items, requests
from workers.states import ITEM_OPEN, ItemState

EVERYTHING = ItemSelection()


def cancel_request(
    conn: Connection, tenant: str, request_id: str, actor: str, selection: ItemSelection = EVERYTHING
) -> int:
    """Open items of a request, or of the selected part of it -> CANCELLED; how many.

    Where nothing selected is open, nothing is written: no time of a cancel, no event. Raises NotFound, and Conflict for
    a column or a channel that the request has not.
    """
    row = lock(conn, tenant, request_id)
    columns = row.carried_columns
    if unknown := sorted({column for column, _ in selection.cells} - set(columns)):
        raise Conflict(f"request {request_id} has no column {unknown[0]!r}; it has: {', '.join(columns) or 'none'}")
    files = {*RENDITIONS, *(channel["name"] for channel in row.channels)}
    if unknown := sorted(set(selection.channels) - files):
        raise Conflict(f"request {request_id} has no channel {unknown[0]!r}; there are: {', '.join(sorted(files))}")
    # Locked in one order everywhere, so that two cancels, or a cancel and a settlement, do not deadlock.
    open_items = (
        selection.of(request_id, tenant)
        .where(items.c.state.in_(ITEM_OPEN))
        .order_by(items.c.id)
        .with_for_update()
        .cte("open_items")
    )
    cancelled = conn.scalars(
        items.update()
        .where(items.c.id == open_items.c.id)
        .values(state=ItemState.CANCELLED, settled_at=func.clock_timestamp())
        .returning(items.c.id)
    ).all()
    if cancelled:
        budget.settle(conn, cancelled)
        if selection == EVERYTHING:
            conn.execute(requests.update().where(requests.c.id == request_id).values(cancelled_at=func.now()))
        event = events.RequestCancelled(request_id, len(cancelled), selection.criteria)
        append(conn, tenant=tenant, actor=actor, events=[event])
        end_settled(conn, [request_id], actor=actor)
    return len(cancelled)


def cancel_item(conn: Connection, tenant: str, item_id: str, actor: str) -> bool:
    """An open item -> CANCELLED; False if it was settled already. Raises NotFound."""
    ours = select(items.c.state, items.c.request_id).where(items.c.id == item_id, items.c.tenant == tenant)
    row = conn.execute(ours.with_for_update()).one_or_none()
    if row is None:
        raise NotFound(f"no item {item_id}")
    if row.state not in ITEM_OPEN:
        return False
    conn.execute(
        items.update().where(items.c.id == item_id).values(state=ItemState.CANCELLED, settled_at=func.clock_timestamp())
    )
    budget.settle(conn, [item_id])
    append(conn, tenant=tenant, actor=actor, events=[events.ItemCancelled(row.request_id, item_id)])
    end_settled(conn, [row.request_id], actor=actor)
    return True

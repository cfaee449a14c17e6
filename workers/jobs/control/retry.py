"""Retry of a request: its failed items are made again, as another round, with the same ids and seeds.

    item     FAILED -> PENDING        request  FINISHED -> RUNNING

A refused item is never made again: its text has to change first. An item that failed after a person released it keeps
its hold and is not made again either. What a round takes is reserved as at submit. Attempts go on counting, so that no
two of them share an object. One transaction, with an event for each item; a repeat finds nothing failed and leaves no
trace.
"""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, bindparam, exists, func, select

from policy import events
from policy.ledger.append import append
from workers.errors import Conflict
from workers.jobs.control import budget
from workers.jobs.control.phases import lock
from workers.jobs.control.selection import ItemSelection
from workers.jobs.control.spending import budget_of
from workers.jobs.tables import batches, holds, items, requests
from workers.states import WAKE_CHANNEL, ItemState, RequestPhase

_OVER = (RequestPhase.CANCELLED, RequestPhase.EXPIRED)


class Retried(NamedTuple):
    """How many items are made again, and the round that they belong to: 1 is the first retry."""

    items: int
    round: int


def retry(
    conn: Connection,
    tenant: str,
    request_id: str,
    key_id: str,
    *,
    selection: ItemSelection | None = None,
    new_seed: bool = False,
    currency: str = "",
    actor: str,
) -> Retried:
    """The failed items, or those of a selection. Raises NotFound, Conflict for a request that is cancelled or expired,
    and BudgetExceeded, and then nothing is made again.
    """
    request = lock(conn, tenant, request_id)
    if request.phase in _OVER:
        raise Conflict(f"request {request_id} is {request.phase} and cannot be retried; send its rows again")
    failed = _lock_failed(conn, tenant, request_id, selection or ItemSelection())
    if not failed:
        return Retried(0, request.round)
    number = request.round + 1
    changes: dict[str, object] = {"round": number}
    if request.phase == RequestPhase.FINISHED:
        changes |= {"phase": RequestPhase.RUNNING, "ended_at": None}
    changes |= _reserve(conn, request, key_id, failed, currency)
    conn.execute(requests.update().where(requests.c.id == request_id).values(**changes))
    seeds = {row.id: _another(row.seed, number) if new_seed else row.seed for row in failed}
    _put_back(conn, failed, seeds)
    if new_seed:  # what they show is not what their rows ask for any more
        changed = items.update().where(items.c.id.in_([row.id for row in failed]))
        conn.execute(changed.values(content_key=None))
    happened = [events.ItemRetried(request_id, row.id, number, str(seeds[row.id]), row.reason) for row in failed]
    append(conn, tenant=tenant, actor=actor, events=happened)
    for queue in sorted({row.queue for row in failed}):
        conn.execute(select(func.pg_notify(WAKE_CHANNEL, queue)))
    return Retried(len(failed), number)


def _lock_failed(conn: Connection, tenant: str, request_id: str, selection: ItemSelection) -> list[Row[Any]]:
    held = exists().where(holds.c.item_id == items.c.id)
    ours = selection.of(request_id, tenant).where(items.c.state == ItemState.FAILED, ~held)
    found = (
        select(items, func.coalesce(batches.c.attempt, 0).label("attempt"))
        .outerjoin(batches, batches.c.id == items.c.batch_id)
        .where(items.c.id.in_(ours))
        .order_by(items.c.id)
        .with_for_update(of=items)
    )
    return list(conn.execute(found))


def _reserve(
    conn: Connection,
    request: Row[Any],
    key_id: str,
    failed: list[Row[Any]],
    currency: str,
) -> dict[str, object]:
    """In the budgets of now where no image of the request is open, or else in those that its open images are in."""
    wanted = budget.Reservation(currency)
    wanted.add([{**row._mapping, "state": ItemState.PENDING} for row in failed])
    if request.phase == RequestPhase.FINISHED:
        own = [one.id for one in [budget_of(conn, request.tenant, request.id)] if one]
        shared = budget.reserve(conn, request.tenant, key_id, wanted)
        return {"budgets": shared + budget.reserve(conn, request.tenant, key_id, wanted, among=own)}
    budget.reserve(conn, request.tenant, key_id, wanted, among=request.budgets)
    return {}


def _put_back(conn: Connection, failed: list[Row[Any]], seeds: dict[str, int]) -> None:
    conn.execute(
        items.update()
        .where(items.c.id == bindparam("b_id"), items.c.state == ItemState.FAILED)
        .values(
            state=ItemState.PENDING,
            batch_id=None,
            batch_position=None,
            reason=None,
            settled_at=None,
            attempts_before=bindparam("b_attempts"),
            seed=bindparam("b_seed"),
            **dict.fromkeys(("gpu_seconds", "energy_joules", "cost", "currency")),
        ),
        [
            {"b_id": row.id, "b_attempts": max(row.attempt, row.attempts_before), "b_seed": seeds[row.id]}
            for row in failed
        ],
    )


def _another(seed: int, number: int) -> int:
    """32 bits that follow from the seed and the round."""
    return int.from_bytes(hashlib.sha256(f"{seed}\nround {number}".encode()).digest()[:4])

"""Expiry, the one retry mechanism: sends overdue batches again, and finds the item that breaks what makes it.

An attempt that ends with an error of the item counts (`fail_claim`). A batch that used up its claims is halved until
the poison item stands alone, and only that one fails, once a second worker met the error too, if there is a second.

A lease that runs out says that a worker died, which is no evidence against an item: the claim does not count, and the
next attempt samples half as many at once, so that something is settled between two deaths. An item that no attempt
outlives while it is sampled alone fails (workers/jobs/fleet/faults.py says after how many), and its batch goes on.

A batch that was not claimed (message lost, or still waiting) is only sent again.
Killed anywhere: one transaction, so the next look finds the same work.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, func, select

from policy import events
from policy.ledger.append import SYSTEM_TENANT, append
from workers.errors import LeaseLost
from workers.jobs.control import breaker, budget
from workers.jobs.dispatch import new_batch
from workers.jobs.fleet import faults
from workers.jobs.fleet import members as fleet
from workers.jobs.tables import batches, items
from workers.jobs.types import Claim
from workers.states import BATCH_OPEN, WAKE_CHANNEL, BatchState, ItemState

WORKER_LOST = "worker_lost"  # item's reason when no worker outlived it
LEASE_OVER = "lease_over"  # reason of an expiry that nobody reported
_SPLIT_CLAIMS = 1  # a batch split from a killer is halved at once when it kills too
_ALONE_CLAIMS = 2  # an item that stands alone gets a second chance before it fails
_COMPARED = 200  # newest batches of a queue that say how often its workers die anyhow
AT_ONCE = 100  # batches a look; the next look follows at once


class Send(NamedTuple):
    """A message to send after the commit."""

    queue: str
    batch_id: str


def expire(conn: Connection, lease: timedelta) -> list[Send]:
    """Overdue batches -> DISPATCHED, same members; the messages to send after the commit."""
    overdue = conn.execute(
        select(batches)
        .where(batches.c.state.in_(BATCH_OPEN), batches.c.lease_until < func.clock_timestamp())
        .order_by(batches.c.lease_until)
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    ).all()
    return [send for batch in overdue for send in _expire_one(conn, batch, lease)]


def fail_claim(conn: Connection, held: Claim, reason: str, lease: timedelta, worker: str | None = None) -> list[Send]:
    """The worker itself says that its items broke this claim: it counts, and is blamed on them. Raises LeaseLost."""
    batch = conn.execute(
        select(batches)
        .where(
            batches.c.id == held.batch_id,
            batches.c.state == BatchState.RUNNING,
            batches.c.attempt == held.attempt,
        )
        .with_for_update()
    ).one_or_none()
    if batch is None:
        raise LeaseLost(held.batch_id)
    _append_expired(conn, batch, reason)
    blamed = [*(name for name in batch.blamed if name != worker), *([worker] if worker else [])]
    conn.execute(batches.update().where(batches.c.id == batch.id).values(blamed=blamed))
    if batch.attempt - batch.given_back >= batch.claims_allowed:
        members = _open_members(conn, batch)
        if len(members) > 1 or _is_agreed(conn, batch.queue, blamed):
            return _abandon(conn, batch, members, reason, lease)
    return [_send_again(conn, batch, lease)]


def _expire_one(conn: Connection, batch: Row[*tuple[Any, ...]], lease: timedelta) -> list[Send]:
    if batch.state != BatchState.RUNNING:  # its message was lost: nothing changes but when it is due
        due = {"lease_until": func.clock_timestamp() + lease}
        conn.execute(batches.update().where(batches.c.id == batch.id).values(due))
        return [Send(batch.queue, batch.id)]
    _append_expired(conn, batch, LEASE_OVER)
    died = {"given_back": batch.given_back + 1, "deaths": batch.deaths + 1, "lost": batch.lost + 1}
    if batch.deaths + 1 < faults.FEWEST_DEATHS:
        return [_send_again(conn, batch, lease, **died)]
    members = _open_members(conn, batch)
    if not members or not faults.is_poison(len(members), batch.deaths + 1, *_deaths_of_others(conn, batch)):
        return [_send_again(conn, batch, lease, **died)]
    _fail(conn, batch, members[0], WORKER_LOST)
    if len(members) > 1:
        return [_send_again(conn, batch, lease, **{**died, "deaths": 0})]
    conn.execute(batches.update().where(batches.c.id == batch.id).values(**died))
    return _abandon(conn, batch, [], LEASE_OVER, lease)


def _append_expired(conn: Connection, batch: Row[*tuple[Any, ...]], reason: str) -> None:
    expired = events.BatchExpired(batch.id, batch.attempt, reason)
    append(conn, tenant=SYSTEM_TENANT, actor="reconciler", events=[expired])


def _send_again(conn: Connection, batch: Row[*tuple[Any, ...]], lease: timedelta, **changes: int) -> Send:
    again = {"state": BatchState.DISPATCHED, "worker": None, "lease_until": func.clock_timestamp() + lease}
    conn.execute(batches.update().where(batches.c.id == batch.id).values(again | changes))
    return Send(batch.queue, batch.id)


def _deaths_of_others(conn: Connection, batch: Row[*tuple[Any, ...]]) -> tuple[int, int]:
    """Lost claims and all claims of the newest other batches of the queue."""
    newest = (
        select(batches.c.lost, batches.c.attempt)
        .where(batches.c.queue == batch.queue, batches.c.id != batch.id, batches.c.parent_id.is_(None))
        .order_by(batches.c.id.desc())
        .limit(_COMPARED)
        .subquery()
    )
    row = conn.execute(
        select(func.coalesce(func.sum(newest.c.lost), 0), func.coalesce(func.sum(newest.c.attempt), 0))
    ).one()
    return int(row[0]), int(row[1])


def _is_agreed(conn: Connection, queue: str, blamed: Sequence[str]) -> bool:
    """Two workers met an error with the item, or there is no second one to ask."""
    able = [worker for worker in fleet.live(conn, queue) if worker.stopped is None]
    return len(blamed) > 1 or not any(worker.name not in blamed for worker in able)


def _open_members(conn: Connection, batch: Row[*tuple[Any, ...]]) -> list[Row[*tuple[Any, ...]]]:
    """In batch order; locked by id, as cancel locks them."""
    locked = conn.execute(
        select(items.c.id, items.c.tenant, items.c.request_id, items.c.batch_position)
        .where(items.c.batch_id == batch.id, items.c.state == ItemState.PLANNED)
        .order_by(items.c.id)
        .with_for_update()
    ).all()
    return sorted(locked, key=lambda member: int(member.batch_position))


def _abandon(
    conn: Connection,
    batch: Row[*tuple[Any, ...]],
    members: Sequence[Row[*tuple[Any, ...]]],
    reason: str,
    lease: timedelta,
) -> list[Send]:
    """RUNNING -> ABANDONED; open members into two new batches, or, where one stands alone, FAILED."""
    conn.execute(
        batches.update()
        .where(batches.c.id == batch.id)
        .values(state=BatchState.ABANDONED, finished_at=func.clock_timestamp(), worker=None)
    )
    into: list[Send] = []
    if len(members) == 1:
        _fail(conn, batch, members[0], reason)
    elif members:
        into = _halves(conn, batch, [member.id for member in members], lease)
    abandoned = events.BatchAbandoned(batch.id, batch.attempt, tuple(send.batch_id for send in into))
    append(conn, tenant=SYSTEM_TENANT, actor="reconciler", events=[abandoned])
    conn.execute(select(func.pg_notify(WAKE_CHANNEL, batch.queue)))
    return into


def _halves(conn: Connection, batch: Row[*tuple[Any, ...]], members: Sequence[str], lease: timedelta) -> list[Send]:
    middle = (len(members) + 1) // 2
    return [
        Send(
            batch.queue,
            new_batch(
                conn,
                batch.queue,
                batch.recipe_id,
                half,
                lease=lease,
                claims_allowed=_ALONE_CLAIMS if len(half) == 1 else _SPLIT_CLAIMS,
                parent_id=batch.id,
                after_attempt=batch.attempt,
            ),
        )
        for half in (members[:middle], members[middle:])
    ]


def _fail(conn: Connection, batch: Row[*tuple[Any, ...]], member: Row[*tuple[Any, ...]], reason: str) -> None:
    conn.execute(
        items.update()
        .where(items.c.id == member.id)
        .values(state=ItemState.FAILED, reason=reason, settled_at=func.clock_timestamp())
    )
    budget.settle(conn, [member.id])
    breaker.note(conn, [member.id])
    failed = events.ItemFailed(member.request_id, member.id, batch.id, batch.attempt, reason)
    append(conn, tenant=member.tenant, actor="reconciler", events=[failed])

"""Expiry, the one retry mechanism: sends overdue batches again, and splits a batch that used up its claims.

A batch that kills its worker twice is halved until the poison item stands alone, and only that one
fails. Attempts count claims: a batch that was not claimed (message lost, or still waiting) is only sent again.
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
from workers.jobs.dispatch import new_batch
from workers.jobs.tables import batches, items
from workers.jobs.types import Claim
from workers.states import BATCH_OPEN, WAKE_CHANNEL, BatchState, ItemState

WORKER_LOST = "worker_lost"  # item's reason when every claim of its batch ended without a settlement
_SPLIT_CLAIMS = 1  # a batch split from a killer is halved at once when it kills too
_ALONE_CLAIMS = 2  # an item that stands alone gets a second chance before it fails
AT_ONCE = 100  # batches a look; the next look follows at once


class Send(NamedTuple):
    """A message to send after the commit."""

    queue: str
    batch_id: str


def expire(conn: Connection, lease: timedelta) -> list[Send]:
    """Overdue batches -> DISPATCHED, same members, or split; the messages to send after the commit."""
    overdue = conn.execute(
        select(batches)
        .where(batches.c.state.in_(BATCH_OPEN), batches.c.lease_until < func.clock_timestamp())
        .order_by(batches.c.lease_until)
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    ).all()
    return [send for batch in overdue for send in _expire_one(conn, batch, "lease_over", lease)]


def fail_claim(conn: Connection, held: Claim, reason: str, lease: timedelta) -> list[Send]:
    """The worker itself says that this claim came to nothing: do now what expiry would. Raises LeaseLost."""
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
    return _expire_one(conn, batch, reason, lease)


def _expire_one(conn: Connection, batch: Row[*tuple[Any, ...]], reason: str, lease: timedelta) -> list[Send]:
    this = batches.update().where(batches.c.id == batch.id)
    if batch.state == BatchState.RUNNING:
        expired = events.BatchExpired(batch.id, batch.attempt, reason)
        append(conn, tenant=SYSTEM_TENANT, actor="reconciler", events=[expired])
        if batch.attempt - batch.given_back >= batch.claims_allowed:
            return _abandon(conn, batch, reason, lease)
    conn.execute(this.values(state=BatchState.DISPATCHED, worker=None, lease_until=func.clock_timestamp() + lease))
    return [Send(batch.queue, batch.id)]


def _abandon(conn: Connection, batch: Row[*tuple[Any, ...]], reason: str, lease: timedelta) -> list[Send]:
    """RUNNING -> ABANDONED; open members into two new batches, or, where one stands alone, FAILED."""
    # Locked by id, as cancel locks them; split by position.
    locked = conn.execute(
        select(items.c.id, items.c.tenant, items.c.request_id, items.c.batch_position)
        .where(items.c.batch_id == batch.id, items.c.state == ItemState.PLANNED)
        .order_by(items.c.id)
        .with_for_update()
    ).all()
    members = sorted(locked, key=lambda member: int(member.batch_position))
    conn.execute(
        batches.update()
        .where(batches.c.id == batch.id)
        .values(state=BatchState.ABANDONED, finished_at=func.clock_timestamp(), worker=None)
    )
    into: list[Send] = []
    if len(members) == 1:
        _fail(conn, batch, members[0], WORKER_LOST if reason == "lease_over" else reason)
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
    failed = events.ItemFailed(member.request_id, member.id, batch.id, batch.attempt, reason)
    append(conn, tenant=member.tenant, actor="reconciler", events=[failed])

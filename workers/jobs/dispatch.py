"""Dispatch: puts pending items into a batch, for life. The message follows after the commit.

Killed before the commit: the items are still pending. Killed after it and before the message is sent:
the batch stays DISPATCHED until `lease_until`, when the reconciler sends it (again).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from sqlalchemy import Connection, Integer, bindparam, column, func, select
from sqlalchemy.dialects.postgresql import ARRAY, UUID, insert

from policy import events
from policy.ledger.append import SYSTEM_TENANT, append
from workers.jobs.inputs.uses import all_settled
from workers.jobs.tables import batches, items, recipes, requests, turns
from workers.jobs.types import new_id
from workers.states import BatchState, Gate, ItemState


def dispatch(
    conn: Connection,
    queue: str,
    recipe_id: str,
    item_ids: Sequence[str],
    *,
    lease: timedelta,
    claims_allowed: int,
) -> str | None:
    """PENDING -> PLANNED, in the order given; the id of the new batch.

    None if none of the items was pending any more (cancelled meanwhile), or none of their requests lets them (paused
    meanwhile). A request that somebody is changing at this moment is left to the next look; one that is locked here
    is paused after this commit, and what is planned here is then in flight.
    """
    gates = conn.execute(
        select(requests.c.id, requests.c.gate)
        .where(requests.c.id.in_(select(items.c.request_id).where(items.c.id.in_(item_ids))))
        .where(requests.c.gate != Gate.CLOSED)
        .order_by(requests.c.id)
        .with_for_update(read=True, skip_locked=True)
    ).all()
    still = select(items.c.id, items.c.attempts_before).where(
        items.c.id.in_(item_ids),
        items.c.state == ItemState.PENDING,
        all_settled(),
        items.c.request_id.in_([row.id for row in gates if row.gate == Gate.OPEN])
        | (items.c.sample & items.c.request_id.in_([row.id for row in gates if row.gate == Gate.SAMPLE])),
    )
    locked = {row.id: row.attempts_before for row in conn.execute(still.with_for_update(skip_locked=True))}
    members = [id for id in item_ids if id in locked]
    if not members:
        return None
    before = max(locked[id] for id in members)  # of retried items
    return new_batch(conn, queue, recipe_id, members, lease=lease, claims_allowed=claims_allowed, after_attempt=before)


def new_batch(
    conn: Connection,
    queue: str,
    recipe_id: str,
    members: Sequence[str],
    *,
    lease: timedelta,
    claims_allowed: int,
    parent_id: str | None = None,
    after_attempt: int = 0,
) -> str:
    """Insert a DISPATCHED batch and move `members`, whose rows the caller has locked, into it.

    A batch split from another goes on counting from `after_attempt`: an item never sees the same
    attempt twice, so no two attempts share an object key.
    """
    batch_id = new_id()
    conn.execute(
        batches.insert().values(
            id=batch_id,
            queue=queue,
            recipe_id=recipe_id,
            state=BatchState.DISPATCHED,
            size=len(members),
            attempt=after_attempt,
            given_back=after_attempt,
            claims_allowed=claims_allowed,
            parent_id=parent_id,
            lease_until=func.clock_timestamp() + lease,
        )
    )
    ids = bindparam("ids", list(members), type_=ARRAY(UUID(as_uuid=False)))
    place = func.unnest(ids).table_valued(column("id", UUID(as_uuid=False)), with_ordinality="n").render_derived()
    conn.execute(
        items.update()
        .where(items.c.id == place.c.id)
        .values(state=ItemState.PLANNED, batch_id=batch_id, batch_position=place.c.n.cast(Integer) - 1)
    )
    recipe = conn.scalar(select(recipes.c.recipe).where(recipes.c.id == recipe_id))
    dispatched = events.BatchDispatched(batch_id, queue, recipe or {}, tuple(members))
    append(conn, tenant=SYSTEM_TENANT, actor="planner", events=[dispatched])
    return batch_id


def take_turns(conn: Connection, queue: str, virtual_times: Mapping[str, float]) -> None:
    """Remember how far each lane has come, so that fairness survives a restart of the planner."""
    if not virtual_times:
        return
    statement = insert(turns)
    rows = [{"queue": queue, "lane": lane, "virtual_time": at} for lane, at in sorted(virtual_times.items())]
    conn.execute(
        statement.on_conflict_do_update(
            index_elements=[turns.c.queue, turns.c.lane], set_={"virtual_time": statement.excluded.virtual_time}
        ),
        rows,
    )


def unsent(conn: Connection, batch_ids: Sequence[str]) -> None:
    """The broker took none of these messages: send them at the reconciler's next look."""
    waiting = batches.update().where(batches.c.id.in_(batch_ids), batches.c.state == BatchState.DISPATCHED)
    conn.execute(waiting.values(lease_until=func.clock_timestamp()))

"""Claim of a batch: its lease is taken, renewed and given back, always on the state and the attempt it expects.

Killed while holding a claim: the lease runs out on the database's clock and the reconciler sends the
batch again; whatever the dead worker stored is under its own attempt's keys and is never referred to.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select, true

from policy import events
from policy.ledger.append import SYSTEM_TENANT, append
from policy.marks.channels.channel import Channel
from policy.marks.provenance.origin import StatedOrigin
from policy.verdict import Finding
from workers.errors import LeaseLost
from workers.jobs.delivery.deliveries import delivers
from workers.jobs.drawings.drawings import of_batch
from workers.jobs.fleet.members import may_claim
from workers.jobs.inputs.uses import WITHOUT_INPUTS, inputs_of_batch
from workers.jobs.tables import batches, items, recipes, requests
from workers.jobs.types import Claim, ClaimedItem, TextsRead
from workers.recipes import Recipe
from workers.states import FINISHING, BatchState, ItemState


def claim(conn: Connection, batch_id: str, lease: timedelta, worker: str, *, anyway: bool = False) -> Claim | None:
    """DISPATCHED -> RUNNING. None if another worker has it, it is over, or nothing in it is wanted any more.

    Nor is what this worker cannot make claimed (workers/jobs/fleet/members.py), unless `anyway`.
    """
    offered = true() if anyway else may_claim(worker, batches.c.queue)
    taken = conn.execute(
        batches.update()
        .where(batches.c.id == batch_id, batches.c.state == BatchState.DISPATCHED, offered)
        .values(
            state=BatchState.RUNNING,
            attempt=batches.c.attempt + 1,
            lease_until=func.clock_timestamp() + lease,
            worker=worker,
        )
        .returning(batches.c.attempt, batches.c.queue, batches.c.recipe_id, batches.c.deaths)
    ).one_or_none()
    if taken is None:
        return None
    claimed = events.BatchClaimed(batch_id, taken.attempt, worker)
    append(conn, tenant=SYSTEM_TENANT, actor=f"worker:{worker}", events=[claimed])
    recipe = conn.execute(select(recipes.c.recipe).where(recipes.c.id == taken.recipe_id)).scalar_one()
    made_from = {} if recipe["task"] in WITHOUT_INPUTS else inputs_of_batch(conn, batch_id)
    drawn = of_batch(conn, batch_id) if taken.queue == FINISHING else {}
    members = tuple(
        ClaimedItem(
            row.id,
            row.request_id,
            row.tenant,
            row.custom_id,
            row.variant,
            row.prompt,
            row.negative_prompt,
            row.seed,
            row.row,
            texts_read=TextsRead(row.prompt_read_chars, row.negative_prompt_read_chars),
            campaign=row.campaign,
            rewrites=tuple(map(Finding.from_json, row.rewrites or ())),
            renditions=tuple(row.renditions or row.asked_renditions),
            publish_prompt=row.publish_prompt,
            channels=tuple(map(Channel.from_json, row.channels)),
            label_language=_label_language(row),
            inputs=made_from.get(row.id, ()),
            delivers=row.delivers,
            drawing=(kept := drawn.get(row.id)),
            made_of={"item_id": kept.item_id, "sha256": kept.sha256} if kept else None,
            origin=StatedOrigin.from_json(row.origin) if row.origin else None,
        )
        for row in conn.execute(
            select(
                items,
                requests.c.name.label("campaign"),
                requests.c.renditions.label("asked_renditions"),
                requests.c.publish_prompt,
                requests.c.channels,
                requests.c.carried_columns,
                requests.c.origin,
                delivers().label("delivers"),
            )
            .join(requests, requests.c.id == items.c.request_id)
            .where(items.c.batch_id == batch_id, items.c.state == ItemState.PLANNED)
            .order_by(items.c.batch_position)
        )
    )
    if not members:
        _finish_empty(conn, batch_id, taken.attempt, worker)
        return None
    return Claim(batch_id, taken.attempt, Recipe.from_json(recipe), taken.queue, members, taken.deaths)


def renew(conn: Connection, held: Claim, lease: timedelta) -> frozenset[str]:
    """Keep the lease; the ids of members cancelled meanwhile. Raises LeaseLost."""
    kept = conn.execute(batches.update().where(*_ours(held)).values(lease_until=func.clock_timestamp() + lease))
    if kept.rowcount != 1:
        raise LeaseLost(held.batch_id)
    gone = select(items.c.id).where(items.c.batch_id == held.batch_id, items.c.state == ItemState.CANCELLED)
    return frozenset(conn.scalars(gone))


def give_back(conn: Connection, held: Claim, reason: str, delay: timedelta = timedelta(0)) -> None:
    """RUNNING -> DISPATCHED, same members, claim not counted; sent again after `delay`. Raises LeaseLost."""
    returned = conn.execute(
        batches.update()
        .where(*_ours(held))
        .values(
            state=BatchState.DISPATCHED,
            given_back=batches.c.given_back + 1,
            lease_until=func.clock_timestamp() + delay,
            worker=None,
        )
    )
    if returned.rowcount != 1:
        raise LeaseLost(held.batch_id)
    event = events.BatchReturned(held.batch_id, held.attempt, reason)
    append(conn, tenant=SYSTEM_TENANT, actor="worker", events=[event])


def _label_language(row: Row[Any]) -> str:
    """What the row's own cell says, where a channel's label asks for a column; the API has checked its values."""
    columns = {channel["label"]["language_column"] for channel in row.channels if channel.get("label")} - {""}
    cells = dict(zip(row.carried_columns, row.carried, strict=False))
    return next((cells[column].strip().lower() for column in columns if cells.get(column, "").strip()), "")


def pass_over(conn: Connection, batch_id: str, delay: timedelta) -> None:
    """A worker that does not take this batch: the reconciler sends it again after `delay`, not after a whole lease."""
    soon = func.clock_timestamp() + delay
    waiting = batches.update().where(
        batches.c.id == batch_id, batches.c.state == BatchState.DISPATCHED, batches.c.lease_until > soon
    )
    conn.execute(waiting.values(lease_until=soon))


def _finish_empty(conn: Connection, batch_id: str, attempt: int, worker: str) -> None:
    over = batches.update().where(batches.c.id == batch_id, batches.c.state == BatchState.RUNNING)
    conn.execute(over.values(state=BatchState.FINISHED, finished_at=func.clock_timestamp()))
    finished = events.BatchFinished(batch_id, attempt)
    append(conn, tenant=SYSTEM_TENANT, actor=f"worker:{worker}", events=[finished])


def _ours(held: Claim) -> tuple[ColumnElement[bool], ...]:
    return (
        batches.c.id == held.batch_id,
        batches.c.state == BatchState.RUNNING,
        batches.c.attempt == held.attempt,
    )

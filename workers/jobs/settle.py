"""Write down what became of a batch: once, and only by the worker that holds its current attempt.

Killed before the commit: the batch expires and is made again under the next attempt. Killed after it:
everything is settled and a repeated message finds the batch FINISHED. Commit done but reply lost: the
repeated settle recognises its own attempt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from policy import events
from policy.events import Event, Private
from policy.ledger.append import append
from workers.errors import Conflict, LeaseLost
from workers.jobs.dispatch import LINE
from workers.jobs.submit import WAKE_CHANNEL
from workers.jobs.tables import assets, batches, holds, items, renditions
from workers.jobs.types import Claim, Failed, Held, Outcome, Refused, Released
from workers.states import AssetState, BatchState, ItemState


def settle(conn: Connection, held: Claim, outcomes: Sequence[Outcome]) -> frozenset[str]:
    """RUNNING -> FINISHED, items -> RELEASED | HELD | REFUSED | FAILED, with their events.

    Returns the item ids whose outcome came too late (cancelled meanwhile): their objects are the
    caller's to delete. Raises LeaseLost if another attempt runs or has settled the batch, and Conflict
    if an open member has no outcome.
    """
    finished = conn.execute(
        batches.update()
        .where(
            batches.c.id == held.batch_id,
            batches.c.state == BatchState.RUNNING,
            batches.c.attempt == held.attempt,
        )
        .values(state=BatchState.FINISHED, finished_at=func.clock_timestamp())
    )
    if finished.rowcount != 1:
        return _already_settled(conn, held, outcomes)
    open_ids = set(
        conn.scalars(
            select(items.c.id)
            .where(items.c.batch_id == held.batch_id, items.c.state == ItemState.PLANNED)
            .order_by(items.c.id)
            .with_for_update()
        )
    )
    wanted = [outcome for outcome in outcomes if outcome.item.id in open_ids]
    if missing := open_ids - {outcome.item.id for outcome in wanted}:
        raise Conflict(f"batch {held.batch_id}: no outcome for {sorted(missing)}")
    _write_items(conn, wanted)
    _write_assets(conn, held, [o for o in wanted if isinstance(o, Released)])
    _write_holds(conn, [o for o in wanted if isinstance(o, Held)])
    for tenant in sorted({outcome.item.tenant for outcome in wanted}):
        happened = [_event(held, outcome) for outcome in wanted if outcome.item.tenant == tenant]
        append(conn, tenant=tenant, actor="worker", events=happened)
    append(conn, tenant=LINE, actor="worker", events=[events.BatchFinished(held.batch_id, held.attempt)])
    conn.execute(select(func.pg_notify(WAKE_CHANNEL, held.queue)))
    return frozenset(outcome.item.id for outcome in outcomes) - open_ids


def _already_settled(conn: Connection, held: Claim, outcomes: Sequence[Outcome]) -> frozenset[str]:
    ours = select(batches.c.id).where(
        batches.c.id == held.batch_id, batches.c.state == BatchState.FINISHED, batches.c.attempt == held.attempt
    )
    if conn.scalar(ours) is None:
        raise LeaseLost(held.batch_id)
    settled = conn.execute(select(items.c.id, items.c.state).where(items.c.batch_id == held.batch_id))
    cancelled = {row.id for row in settled if row.state == ItemState.CANCELLED}
    return frozenset(o.item.id for o in outcomes if o.item.id in cancelled)


_STATE_OF: dict[type, ItemState] = {
    Released: ItemState.RELEASED,
    Held: ItemState.HELD,
    Refused: ItemState.REFUSED,
    Failed: ItemState.FAILED,
}


def _write_items(conn: Connection, wanted: Sequence[Outcome]) -> None:
    if not wanted:
        return
    conn.execute(
        items.update()
        .where(items.c.id == bindparam("b_id"), items.c.state == ItemState.PLANNED)
        .values(
            state=bindparam("b_state"),
            reason=bindparam("b_reason"),
            verdict=bindparam("b_verdict"),
            settled_at=func.clock_timestamp(),
        ),
        [
            {
                "b_id": o.item.id,
                "b_state": _STATE_OF[type(o)],
                "b_reason": o.reason if isinstance(o, Failed) else None,
                "b_verdict": None if isinstance(o, Failed) else o.verdict.to_json(),
            }
            for o in wanted
        ],
    )


def _write_assets(conn: Connection, held: Claim, released: Sequence[Released]) -> None:
    if not released:
        return
    conn.execute(
        assets.insert(),
        [
            {
                "id": o.asset_id,
                "item_id": o.item.id,
                "request_id": o.item.request_id,
                "tenant": o.item.tenant,
                "state": AssetState.RELEASED,
                "watermark_id": o.watermark_id,
                "policy_version": o.verdict.policy_version,
                "provenance": {**_made(held, o), "marks": dict(o.marks)},
            }
            for o in released
        ],
    )
    conn.execute(
        renditions.insert(),
        [
            {
                "asset_id": o.asset_id,
                "tenant": o.item.tenant,
                **asdict(r),
            }
            for o in released
            for r in o.renditions
        ],
    )


def _write_holds(conn: Connection, kept: Sequence[Held]) -> None:
    if not kept:
        return
    conn.execute(
        holds.insert(),
        [
            {
                "item_id": o.item.id,
                "tenant": o.item.tenant,
                "key": o.key,
                "sha256": o.sha256,
                "verdict": o.verdict.to_json(),
            }
            for o in kept
        ],
    )


def _made(held: Claim, o: Released) -> dict[str, Any]:
    """What made the picture: enough to make it again."""
    return {
        "recipe": held.recipe.to_json(),
        "seed": str(o.item.seed),
        "batch_size": o.place.batch_size,
        "batch_position": o.place.batch_position,
        "device": o.place.device,
    }


def _event(held: Claim, outcome: Outcome) -> Event:
    item = outcome.item
    ids: dict[str, Any] = {
        "request_id": item.request_id,
        "item_id": item.id,
        "batch_id": held.batch_id,
        "attempt": held.attempt,
    }
    if isinstance(outcome, Failed):
        return events.ItemFailed(**ids, reason=outcome.reason)
    asked: dict[str, Any] = {
        **ids,
        "prompt": Private(item.prompt),
        "negative_prompt": Private(item.negative_prompt),
        "verdict": outcome.verdict.to_json(),
    }
    if isinstance(outcome, Released):
        stored = tuple(asdict(r) for r in outcome.renditions)
        return events.ItemReleased(
            **asked, **_made(held, outcome), asset_id=outcome.asset_id, marks=dict(outcome.marks), renditions=stored
        )
    asked |= {"recipe": held.recipe.to_json(), "seed": str(item.seed)}
    if isinstance(outcome, Held):
        return events.ItemHeld(**asked, sha256=outcome.sha256)
    return events.ItemRefused(**asked)

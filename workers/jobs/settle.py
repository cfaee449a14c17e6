"""Settlement of a batch: written down once, and only by the worker that holds its current attempt.

A batch may be settled in parts: what is finished is written down every few seconds, and the rest at its end.
Killed before a commit: the batch expires, and what is still open is made again under the next attempt. Killed after the
last one: everything is settled and a repeated message finds the batch FINISHED. Commit done but reply lost: the
repeated settle recognises its own attempt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from policy import events
from policy.ledger.append import SYSTEM_TENANT, append
from workers.cost.used import Used
from workers.errors import Conflict, LeaseLost
from workers.jobs.control import breaker, budget
from workers.jobs.control.phases import end_settled
from workers.jobs.drawings import drawings
from workers.jobs.inputs.uses import withdrawn
from workers.jobs.outcomes import discarded, event_of, provenance, write_assets
from workers.jobs.tables import assets, batches, holds, items, renditions
from workers.jobs.types import Claim, Failed, Held, Outcome, Refused, Released
from workers.jobs.webhooks.deliveries import Notification, notify
from workers.states import WAKE_CHANNEL, BatchState, ItemState


def settle(conn: Connection, held: Claim, outcomes: Sequence[Outcome], used: Used | None = None) -> frozenset[str]:
    """RUNNING -> FINISHED, items -> RELEASED | HELD | REFUSED | FAILED, with their events.

    Returns the item ids whose outcome came too late (cancelled meanwhile, or their input was withdrawn): their objects
    are the caller's to delete. Raises LeaseLost if another attempt runs or has settled the batch, and Conflict
    if an open member has no outcome.
    """
    finished = conn.execute(
        batches.update()
        .where(
            batches.c.id == held.batch_id,
            batches.c.state == BatchState.RUNNING,
            batches.c.attempt == held.attempt,
        )
        .values(
            state=BatchState.FINISHED,
            finished_at=func.clock_timestamp(),
            **(used.of_batch(held.recipe.work_id, is_whole=not held.deaths) if used else {}),
        )
    )
    if finished.rowcount != 1:
        return _already_settled(conn, held, outcomes)
    open_ids = _lock_open(conn, held)
    if missing := open_ids - {outcome.item.id for outcome in outcomes}:
        raise Conflict(f"batch {held.batch_id}: no outcome for {sorted(missing)}")
    late = _write(conn, held, [outcome for outcome in outcomes if outcome.item.id in open_ids], used)
    append(conn, tenant=SYSTEM_TENANT, actor="worker", events=[events.BatchFinished(held.batch_id, held.attempt)])
    conn.execute(select(func.pg_notify(WAKE_CHANNEL, held.queue)))
    return (frozenset(outcome.item.id for outcome in outcomes) - open_ids) | late


def settle_some(conn: Connection, held: Claim, outcomes: Sequence[Outcome], used: Used | None = None) -> frozenset[str]:
    """Items -> RELEASED | HELD | REFUSED | FAILED, with their events, while their batch goes on.

    What was settled so is kept when the worker dies: the next attempt makes what is left. Returns the ids of those
    cancelled or withdrawn meanwhile, as `settle` does. Repeating it changes nothing. Raises LeaseLost.
    """
    kept = conn.execute(
        batches.update()
        .where(
            batches.c.id == held.batch_id,
            batches.c.state == BatchState.RUNNING,
            batches.c.attempt == held.attempt,
        )
        .values(deaths=0)
    )
    if kept.rowcount != 1:
        raise LeaseLost(held.batch_id)
    open_ids = _lock_open(conn, held)
    late = _write(conn, held, [outcome for outcome in outcomes if outcome.item.id in open_ids], used)
    ids = [outcome.item.id for outcome in outcomes if outcome.item.id not in open_ids]
    gone = select(items.c.id).where(items.c.id.in_(ids), items.c.state == ItemState.CANCELLED)
    return frozenset(conn.scalars(gone)) | late if ids else late


def settled_by(conn: Connection, held: Claim) -> frozenset[str]:
    """Ids of the items whose asset or hold refers to objects of this very attempt: those objects are not leftovers."""
    ids = [item.id for item in held.items]
    place = func.concat("%/", assets.c.item_id, "/", held.attempt, "/%")
    released = (
        select(assets.c.item_id)
        .join(renditions, renditions.c.asset_id == assets.c.id)
        .where(assets.c.item_id.in_(ids), renditions.c.key.like(place))
    )
    kept = select(holds.c.item_id).where(holds.c.item_id.in_(ids), holds.c.attempt == held.attempt)
    return frozenset(conn.scalars(released.union(kept)))


def _lock_open(conn: Connection, held: Claim) -> set[str]:
    return set(
        conn.scalars(
            select(items.c.id)
            .where(items.c.batch_id == held.batch_id, items.c.state == ItemState.PLANNED)
            .order_by(items.c.id)
            .with_for_update()
        )
    )


def _write(conn: Connection, held: Claim, outcomes: Sequence[Outcome], used: Used | None) -> frozenset[str]:
    """Rows and events of outcomes whose items are locked and open; ids of those whose inputs were withdrawn."""
    wanted, late = _without_withdrawn(conn, outcomes)
    drawings.keep(conn, wanted)
    _write_items(conn, wanted, used or Used())
    write_assets(conn, held, [o for o in wanted if isinstance(o, Released)])
    _write_holds(conn, held, [o for o in wanted if isinstance(o, Held)])
    for tenant in sorted({outcome.item.tenant for outcome in wanted}):
        theirs = [outcome for outcome in wanted if outcome.item.tenant == tenant]
        happened = [event for o in theirs for event in (*discarded(held, o.item), event_of(held, o))]
        append(conn, tenant=tenant, actor="worker", events=happened)
    settled = [outcome.item.id for outcome in wanted]
    budget.settle(conn, settled)
    breaker.note(conn, settled)
    end_settled(conn, {outcome.item.request_id for outcome in wanted}, actor="worker")
    return late


def _without_withdrawn(conn: Connection, outcomes: Sequence[Outcome]) -> tuple[list[Outcome], frozenset[str]]:
    """The outcomes, where an input or a drawing is gone meanwhile a failure with that reason; and their ids."""
    made = [o for o in outcomes if isinstance(o, Released | Held)]
    gone = withdrawn(conn, {each.input_id for o in made for each in o.item.inputs})
    late = {
        o.item.id: Failed(o.item, f"input_{gone[each.input_id]}")
        for o in made
        for each in o.item.inputs
        if each.input_id in gone
    }
    unusable = drawings.unusable(conn, made)
    late |= {o.item.id: Failed(o.item, unusable[o.item.id]) for o in made if o.item.id in unusable}
    return [late.get(o.item.id, o) for o in outcomes], frozenset(late)


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


def _write_items(conn: Connection, wanted: Sequence[Outcome], used: Used) -> None:
    if not wanted:
        return
    conn.execute(
        items.update()
        .where(items.c.id == bindparam("b_id"), items.c.state == ItemState.PLANNED)
        .values(
            state=bindparam("b_state"),
            reason=bindparam("b_reason"),
            verdict=bindparam("b_verdict"),
            seed=bindparam("b_seed"),
            **{name: bindparam(f"b_{name}") for name in used.of_item("")},
            settled_at=func.clock_timestamp(),
        ),
        [
            {
                "b_id": o.item.id,
                "b_state": _STATE_OF[type(o)],
                "b_reason": o.reason if isinstance(o, Failed) else None,
                "b_verdict": None if isinstance(o, Failed) else o.verdict.to_json(),
                "b_seed": o.item.seed,  # another one than was submitted where it was drawn again
                **{f"b_{name}": value for name, value in used.of_item(o.item.id).items()},
            }
            for o in wanted
        ],
    )


def _write_holds(conn: Connection, held: Claim, kept: Sequence[Held]) -> None:
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
                "attempt": held.attempt,
                **_kept(held, o),
            }
            for o in kept
        ],
    )
    for tenant in sorted({o.item.tenant for o in kept}):
        notify(conn, tenant, "review.waiting", [_waiting(o) for o in kept if o.item.tenant == tenant])


def _waiting(outcome: Held) -> Notification:
    """The webhook message about a held picture: no prompt, no link."""
    item = outcome.item
    content = {"request_id": item.request_id, "item_id": item.id, "custom_id": item.custom_id, "variant": item.variant}
    categories = sorted({finding.category for finding in outcome.verdict.findings})
    return Notification(item.id, content | {"categories": categories})


def _kept(held: Claim, outcome: Held) -> dict[str, Any]:
    """What a later release needs; nothing where the marks failed."""
    finished = outcome.finished
    if finished is None:
        return dict.fromkeys(("asset_id", "watermark_id", "provenance", "renditions", "thumbhash"))
    return {
        "asset_id": finished.asset_id,
        "watermark_id": finished.watermark_id,
        "provenance": provenance(held, outcome.item, finished),
        "renditions": [asdict(rendition) for rendition in finished.renditions],
        "thumbhash": finished.thumbhash,
    }

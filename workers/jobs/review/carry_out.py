"""Review carried out: what the clerk writes, HELD -> RELEASED with the asset, or that nothing was left to do.

`take` locks the hold, so two clerks never work on one. Killed before the commit: the hold is still
ordered and the next clerk finds the same objects. Killed after it: only quarantine is left to empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, select

from policy.ledger.append import append
from policy.verdict import Verdict
from workers.errors import Conflict
from workers.jobs.outcomes import event_of, write_assets
from workers.jobs.recall.tables import recall_assets
from workers.jobs.tables import assets, holds, items, recipes, reviews
from workers.jobs.types import Attempt, Failed, Item, ItemInput, Released, SamplingPosition, StoredRendition, TextsRead
from workers.recipes import Recipe
from workers.states import AssetState, ItemState

ACTOR = "clerk"


@dataclass(frozen=True, slots=True)
class ReviewOrder:
    """A hold that people decided about. `releasing` is None where nothing is (any longer) to be released."""

    item_id: str
    keys: tuple[str, ...]  # every object of it in quarantine
    releasing: ReviewedPicture | None


@dataclass(frozen=True, slots=True)
class ReviewedPicture:
    """The picture as it will be released; its renditions still lie in quarantine."""

    attempt: Attempt  # that made it
    picture: Released
    sha256: str  # of what was judged
    review: dict[str, Any]


@dataclass(frozen=True, slots=True)
class OpenHolds:
    """How many holds wait for a decision, and how long the oldest has waited."""

    holds: int
    oldest_seconds: float


def ordered(conn: Connection, *, limit: int) -> list[str]:
    """Items whose review is not carried out yet, the earliest decision first."""
    query = (
        select(holds.c.item_id)
        .where(holds.c.decided_at.is_not(None), holds.c.carried_out_at.is_(None))
        .order_by(holds.c.decided_at)
        .limit(limit)
    )
    return list(conn.scalars(query))


def take(conn: Connection, item_id: str) -> ReviewOrder | None:
    """The order about this item, its hold locked until the transaction ends. None: another clerk's, or done."""
    row = conn.execute(_order(item_id)).one_or_none()
    if row is None:
        return None
    kept = [StoredRendition(**rendition) for rendition in row.renditions or ()]
    keys = tuple(dict.fromkeys((row.key, *(rendition.key for rendition in kept))))
    releasing = _releasing(conn, row, kept) if row.release and row.state == ItemState.HELD else None
    return ReviewOrder(item_id, keys, releasing)


def release(conn: Connection, order: ReviewedPicture, stored: Sequence[StoredRendition]) -> None:
    """HELD -> RELEASED, with the asset and the event that a release at once would have had, and the review."""
    picture = replace(order.picture, renditions=tuple(stored))
    _move(conn, picture.item.id, state=ItemState.RELEASED)
    write_assets(conn, order.attempt, [picture])
    happened = event_of(order.attempt, picture, review=order.review)
    append(conn, tenant=picture.item.tenant, actor=ACTOR, events=[happened])


def shows_recalled(conn: Connection, item_id: str) -> bool:
    """Whether it was made of the drawing of a picture that was recalled. Else none is until the commit."""
    of = items.alias("of")
    named = select(of.c.drawing_item_id).where(of.c.id == item_id, of.c.drawing_item_id.is_not(None)).scalar_subquery()
    drawn = conn.execute(
        select(assets.c.id, assets.c.state).where(assets.c.item_id == named).with_for_update(read=True)
    )
    ids = {row.id: row.state for row in drawn}
    if not ids:
        return False
    ordered = conn.execute(select(recall_assets.c.asset_id).where(recall_assets.c.asset_id.in_(ids))).first()
    return ordered is not None or AssetState.RECALLED in ids.values()


def fail(conn: Connection, order: ReviewedPicture, reason: str) -> None:
    """HELD -> FAILED: what was reviewed is gone, or may not be shown. What is there stays, as evidence."""
    item = order.picture.item
    _move(conn, item.id, state=ItemState.FAILED, reason=reason)
    append(conn, tenant=item.tenant, actor=ACTOR, events=[event_of(order.attempt, Failed(item, reason))])
    carried_out(conn, item.id)


def carried_out(conn: Connection, item_id: str) -> None:
    """Nothing is left to do about this hold. Safe to repeat."""
    conn.execute(
        holds.update()
        .where(holds.c.item_id == item_id, holds.c.decided_at.is_not(None), holds.c.carried_out_at.is_(None))
        .values(carried_out_at=func.clock_timestamp(), thumbhash=None)
    )


def waiting(conn: Connection) -> OpenHolds:
    """Measured over all tenants, by the database's clock."""
    age = func.extract("epoch", func.clock_timestamp() - func.min(holds.c.created_at))
    row = conn.execute(select(func.count(), func.coalesce(age, 0)).where(holds.c.decided_at.is_(None))).one()
    return OpenHolds(row[0], float(row[1]))


def _order(item_id: str) -> Select[Any]:
    return (
        select(holds, items.c.state)
        .join(items, and_(items.c.id == holds.c.item_id, items.c.tenant == holds.c.tenant))
        .where(holds.c.item_id == item_id, holds.c.decided_at.is_not(None), holds.c.carried_out_at.is_(None))
        .with_for_update(of=holds, skip_locked=True)
    )


def _releasing(conn: Connection, hold: Row[Any], kept: Sequence[StoredRendition]) -> ReviewedPicture:
    """Raises Conflict if no final review of exactly these bytes says release."""
    said = conn.execute(
        select(reviews)
        .where(
            reviews.c.item_id == hold.item_id,
            reviews.c.tenant == hold.tenant,
            reviews.c.decision == "release",
            reviews.c.sha256 == hold.sha256,
        )
        .order_by(reviews.c.created_at, reviews.c.id)
    ).all()
    if not any(one.final for one in said) or (hold.key, hold.sha256) not in {(r.key, r.sha256) for r in kept}:
        raise Conflict(f"item {hold.item_id} was ordered to be released without a final review of exactly its bytes")
    query = select(items, recipes.c.recipe).join(recipes, recipes.c.id == items.c.recipe_id)
    row = conn.execute(query.where(items.c.id == hold.item_id)).one()
    made = hold.provenance
    asked = (row.custom_id, row.variant, row.prompt, row.negative_prompt)
    read = TextsRead(row.prompt_read_chars, row.negative_prompt_read_chars)
    item = Item(row.id, row.request_id, row.tenant, *asked, seed=int(made["seed"]), row=row.row, texts_read=read)
    item = replace(item, made_of=made.get("drawing"))
    item = replace(item, inputs=tuple(ItemInput(state="ready", **each) for each in made.get("inputs", ())))
    return ReviewedPicture(
        attempt=Attempt(row.batch_id, hold.attempt, Recipe.from_json(row.recipe)),
        picture=Released(
            item=item,
            asset_id=hold.asset_id,
            watermark_id=hold.watermark_id,
            position=SamplingPosition(
                made["batch_size"], made["batch_position"], made["device"], made.get("receipt", {})
            ),
            verdict=Verdict.from_json(hold.verdict),
            marks=made["marks"],
            renditions=tuple(kept),
            product=made.get("product"),
            thumbhash=hold.thumbhash,
        ),
        sha256=hold.sha256,
        review={
            "sha256": hold.sha256,
            "key_ids": [one.key_id for one in said],
            "policy_version": said[-1].policy_version,
        },
    )


def _move(conn: Connection, item_id: str, **values: Any) -> None:
    moved = conn.execute(
        items.update()
        .where(items.c.id == item_id, items.c.state == ItemState.HELD)
        .values(**values, settled_at=func.clock_timestamp())
    )
    if moved.rowcount != 1:
        raise Conflict(f"item {item_id} is not held any more")

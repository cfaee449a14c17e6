"""Outcomes as they are written down: the rows of an asset and the event of an item.

One place for both ways out: a release after a review is recorded exactly as one at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection

from policy import events
from policy.events import Event, Private
from policy.ledger.tree import refusal
from policy.marks.renditions import THUMBNAIL
from workers.errors import LedgerRefused
from workers.jobs.delivery import deliveries
from workers.jobs.tables import assets, renditions
from workers.jobs.types import Attempt, Failed, Finished, Held, Item, Outcome, Released
from workers.jobs.webhooks.deliveries import Notification, notify
from workers.states import AssetState


def write_assets(conn: Connection, attempt: Attempt, released: Sequence[Released]) -> None:
    """The rows of assets and of their files. Raises LedgerRefused while the ledger cannot be sealed."""
    if not released:
        return
    demand_sealable(conn)
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
                "provenance": provenance(attempt, o.item, o),
                "thumbhash": o.thumbhash,
            }
            for o in released
        ],
    )
    conn.execute(
        renditions.insert(),
        [
            {"asset_id": o.asset_id, "tenant": o.item.tenant, **asdict(rendition)}
            for o in released
            for rendition in o.renditions
        ],
    )
    if delivering := {o.item.request_id for o in released if o.item.delivers}:
        deliveries.wake(conn, delivering)
    for tenant in sorted({o.item.tenant for o in released}):
        notify(conn, tenant, "asset.released", [_notification(o) for o in released if o.item.tenant == tenant])


def _notification(o: Released) -> Notification:
    """The webhook message about a release: no prompt, no link."""
    ids = {"request_id": o.item.request_id, "item_id": o.item.id, "asset_id": o.asset_id}
    names = {"custom_id": o.item.custom_id, "variant": o.item.variant}
    digests = {file.sha256 for file in o.renditions if file.name != THUMBNAIL}
    return Notification(o.asset_id, {**ids, **names, "sha256": sorted(digests)})


def provenance(attempt: Attempt, item: Item, picture: Finished) -> dict[str, Any]:
    """What made the picture, enough to make it again, and the marks that read back from its files."""
    return {
        "recipe": attempt.recipe.to_json(),
        "seed": str(item.seed),
        "batch_size": picture.position.batch_size,
        "batch_position": picture.position.batch_position,
        "device": picture.position.device,
        "receipt": dict(picture.position.receipt),
        "marks": dict(picture.marks),
        **_inputs(item),
        **_product(picture),
        **_drawing(item),
    }


def _product(picture: Finished) -> dict[str, Any]:
    """The mask that it was made with, and the proof of the product's pixels; nothing for other tasks."""
    return {"product": dict(picture.product)} if picture.product else {}


def _drawing(item: Item) -> dict[str, Any]:
    """The kept drawing that its files were made of; nothing for what was drawn for it."""
    return {"drawing": dict(item.made_of)} if item.made_of else {}


def _inputs(item: Item) -> dict[str, Any]:
    """What it was made from; nothing for an image of words alone."""
    return {"inputs": tuple(each.to_json() for each in item.inputs)} if item.inputs else {}


def discarded(attempt: Attempt, item: Item) -> Iterator[Event]:
    """An event for every discarded picture of the item, in the order they were made."""
    for number, drawing in enumerate(item.discarded, start=1):
        yield events.PictureDiscarded(
            request_id=item.request_id,
            item_id=item.id,
            batch_id=attempt.batch_id,
            attempt=attempt.attempt,
            drawing=number,
            seed=str(drawing.seed),
            verdict=drawing.verdict.to_json() if drawing.verdict else None,
            fault=drawing.fault,
        )


def event_of(attempt: Attempt, outcome: Outcome, *, review: dict[str, Any] | None = None) -> Event:
    """The event of one settled item; `review` says who released it from quarantine."""
    item = outcome.item
    ids: dict[str, Any] = {
        "request_id": item.request_id,
        "item_id": item.id,
        "batch_id": attempt.batch_id,
        "attempt": attempt.attempt,
    }
    if isinstance(outcome, Failed):
        return events.ItemFailed(**ids, reason=outcome.reason)
    asked: dict[str, Any] = {
        **ids,
        "prompt": Private(item.prompt),
        "negative_prompt": Private(item.negative_prompt),
        "verdict": outcome.verdict.to_json(),
        "row": item.row,
        "variant": item.variant,
    }
    cut: dict[str, Any] = {
        "prompt_read_chars": item.texts_read.prompt,
        "negative_prompt_read_chars": item.texts_read.negative_prompt,
    }
    if isinstance(outcome, Released):
        return events.ItemReleased(
            **asked,
            **provenance(attempt, item, outcome),
            asset_id=outcome.asset_id,
            renditions=tuple(asdict(rendition) for rendition in outcome.renditions),
            review=review,
            **cut,
        )
    asked |= {"recipe": attempt.recipe.to_json(), "seed": str(item.seed), **_inputs(item)}
    if isinstance(outcome, Held):
        waiting = tuple(asdict(rendition) for rendition in outcome.finished.renditions) if outcome.finished else ()
        made_with = _product(outcome.finished) if outcome.finished else {}
        return events.ItemHeld(**asked, sha256=outcome.sha256, renditions=waiting, **cut, **made_with, **_drawing(item))
    return events.ItemRefused(**asked)


def demand_sealable(conn: Connection) -> None:
    """Raises LedgerRefused while the sealer refuses: a release of now might never be provable."""
    if (why := refusal.reason(conn)) is not None:
        raise LedgerRefused(f"the ledger cannot be sealed, so nothing is released: {why}")

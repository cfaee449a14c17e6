"""Reuse of pictures: an item whose content was drawn before for its tenant takes that asset, and no GPU.

    content_key   digest of everything that decides the pixels, and of the files that are made of them
    find          for each of some new items: the asset that it takes, or the drawing, or why it takes none
    hold          the assets among these that stay released until this transaction ends           caller: submit
    recall        items that reuse an asset which is recalled -> RECALLED                        caller: recall orders

Only a released asset of the same tenant is taken, that the rule set of now has let pass, that no recall names and whose
item is not erased. `hold` locks what it answers: a recall of the same moment waits and then finds the new items too; an
asset that is being recalled already is passed over and drawn anew. Two requests at once that need the same new picture
both draw it. A reused item was never in a batch, reserves nothing and costs nothing.

Where the pixels are the same and the files, or the rule set, are others, the item takes the drawing that was kept of
that picture: its files are made of it, screened and marked under the rules of now, and no device draws anything.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, text

from policy import events
from policy.ledger.append import append
from policy.verdict import Decision
from workers.jobs.tables import assets, items
from workers.jobs.types import NewItem, NewRequest
from workers.states import ItemState

_CONTENT = 32  # characters of a key that stand for the pixels; the others stand for the files
_CLOSED = {Decision.HOLD: "prompt held", Decision.REFUSE: "prompt refused"}  # nothing is looked for
_FIND = text(
    """
    SELECT sent.n, there.*
    FROM unnest(CAST(:keys AS text[])) WITH ORDINALITY AS sent(key, n)
    CROSS JOIN LATERAL (
      SELECT i.seed, i.verdict, CAST(a.id AS text) AS asset_id, i.content_key = sent.key AS same_files,
        a.policy_version = :policy_version AS same_policy, CAST(d.item_id AS text) AS drawing
      FROM items i JOIN assets a ON a.item_id = i.id
      LEFT JOIN (drawings d JOIN items root ON root.id = d.item_id AND root.tenant = d.tenant
                 AND root.state = 'released')
        ON d.item_id = coalesce(i.drawing_item_id, i.id) AND d.tenant = i.tenant
      WHERE i.tenant = :tenant AND left(i.content_key, 32) = left(sent.key, 32) AND i.state = 'released'
        AND i.erased_at IS NULL
      ORDER BY 4 DESC, 5 DESC, d.item_id IS NULL, i.id DESC LIMIT 1
    ) AS there
    """
)
_HOLD = text("SELECT CAST(id AS text) FROM hold_released(:tenant, CAST(:ids AS uuid[])) AS id")


class Reusable(NamedTuple):
    """An asset that is there already, and what is known of the item that it was made for."""

    asset_id: str
    seed: int
    verdict: Mapping[str, Any]


class TakenDrawing(NamedTuple):
    """A kept drawing that an item's files are made of, and the seed that it was drawn with."""

    item_id: str
    seed: int


class FoundContent(NamedTuple):
    """What is there already of some new items, by their place, and for all others why no asset is taken."""

    reusable: dict[int, Reusable]
    drawings: dict[int, TakenDrawing]
    why: dict[int, str]  # as `ItemView.not_reused` says it; also of those that take a drawing


def content_key(request: NewRequest, item: NewItem) -> str:
    """Equal keys are the same pixels in the same files. Kept in the job tables only, and erased with the prompt."""
    drawn = (
        item.recipe.id,  # model revision, adapters, upscaler, task, size, steps, scheduler, guidance, strength
        item.seed,
        item.prompt,
        item.negative_prompt,
        sorted(item.inputs.items()),
    )
    labels = {channel.label.language_column for channel in request.channels if channel.label} - {""}
    cells = zip(request.carried_columns, item.carried, strict=False)
    files = (
        sorted(item.renditions or request.renditions),
        [channel.to_json() | {"file": ""} for channel in request.channels],
        request.publish_prompt,
        sorted((column, cell) for column, cell in cells if column in labels),
    )
    return _digest(drawn)[:_CONTENT] + _digest(files)[:16]


def find(conn: Connection, request: NewRequest, new_items: Sequence[NewItem]) -> FoundContent:
    """What each of these items may take of what is there. Nothing is held by it."""
    drawings: dict[int, TakenDrawing] = {}
    why = {n: reason for n, item in enumerate(new_items) if (reason := _closed(request, item))}
    asked = [n for n in range(len(new_items)) if n not in why]
    found: dict[int, Reusable] = {}
    keys = [content_key(request, new_items[n]) for n in asked]
    sent = {"keys": keys, "tenant": request.tenant, "policy_version": request.policy_version}
    for row in conn.execute(_FIND, sent) if asked else ():
        n = asked[row.n - 1]
        if row.same_files and row.same_policy:
            found[n] = Reusable(row.asset_id, row.seed, row.verdict)
            continue
        why[n] = "policy" if row.same_files else "renditions"
        if row.drawing:
            drawings[n] = TakenDrawing(row.drawing, row.seed)
    for n, item in enumerate(new_items):
        if item.drawing_of and n not in found and item.verdict.decision is not Decision.REFUSE:
            drawings[n], why[n] = TakenDrawing(item.drawing_of, item.seed), "renditions"
    new = {n: new_items[n].differs or "new" for n in asked if n not in found and n not in why}
    return FoundContent(found, drawings, why | new)


def hold(conn: Connection, tenant: str, asset_ids: Collection[str]) -> set[str]:
    """Those of the assets that are released, and stay so until this transaction ends."""
    if not asset_ids:
        return set()
    return set(conn.scalars(_HOLD, {"tenant": tenant, "ids": sorted(asset_ids)}))


def recall(conn: Connection, recalled: Sequence[Row[Any]], orders: Mapping[str, Any], *, actor: str) -> None:
    """Items that reuse these assets follow them, each with its event. The caller has changed the assets' state."""
    followed = conn.execute(
        items.update()
        .where(items.c.reused_asset_id.in_([row.id for row in recalled]), items.c.state == ItemState.RELEASED)
        .values(state=ItemState.RECALLED)
        .returning(items.c.id, items.c.request_id, items.c.tenant, items.c.reused_asset_id)
    ).all()
    for tenant in sorted({row.tenant for row in followed}):
        happened = [
            events.ReuseRecalled(row.request_id, row.id, row.reused_asset_id, orders[row.reused_asset_id].id)
            for row in sorted(followed, key=lambda row: row.id)
            if row.tenant == tenant
        ]
        append(conn, tenant=tenant, actor=actor, events=happened)


def is_of_item() -> ColumnElement[bool]:
    """Whether an asset is the one that an item was made for, or the one that it reuses."""
    return (assets.c.tenant == items.c.tenant) & (
        (assets.c.item_id == items.c.id) | (assets.c.id == items.c.reused_asset_id)
    )


def _closed(request: NewRequest, item: NewItem) -> str:
    """Why nothing is looked for; "" if it is."""
    if not request.reuse:
        return "off"
    decision = item.verdict.decision
    return _CLOSED.get(decision, "")


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

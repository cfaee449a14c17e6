"""Drawings in the life of their items: kept at the settlement, taken by later requests, given up.

    keep      a row for each drawing of a settled batch                              caller: settle
    take      those that a request takes: they stay until its items are settled      caller: submit
    of_batch  what the members of a claimed batch are made of                        caller: claim
    unusable  what a picture was made of may not be shown any more                   caller: settle
    drawn_items  released items of a request, to be asked for in other files         caller: api

`take` stamps the row, and the sweep of retention (workers/jobs/privacy/drawings.py) asks the stamp and the open items
under the row's lock: what a request has taken is not swept before it is made. Where text is erased, the drawing goes at
once, and items that wait for it fail with that reason.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, func, select, text

from workers.jobs.drawings.tables import drawings
from workers.jobs.tables import items
from workers.jobs.types import Held, KeptDrawing, Outcome, Released, SamplingPosition
from workers.recipes import Recipe
from workers.states import ItemState

GONE, RECALLED = "drawing_gone", "drawing_recalled"  # reasons of a failed item
_PAGE = 1_000  # items of one statement
_SHOWN = """
  FROM items i JOIN recipes r ON r.id = i.recipe_id
  JOIN assets a ON a.tenant = i.tenant AND (a.item_id = i.id OR a.id = i.reused_asset_id)
  JOIN items made ON made.id = a.item_id
  LEFT JOIN (drawings d JOIN items root ON root.id = d.item_id AND root.tenant = d.tenant AND root.state = 'released')
    ON d.item_id = coalesce(made.drawing_item_id, made.id) AND d.tenant = i.tenant
  WHERE i.tenant = :tenant AND i.request_id = CAST(:request_id AS uuid) AND i.state = 'released'
    AND i.erased_at IS NULL AND (CAST(:after AS uuid) IS NULL OR i.id > CAST(:after AS uuid))
"""
_HOLD = text("SELECT CAST(id AS text) FROM hold_released(:tenant, CAST(:ids AS uuid[])) AS id")


def keep(conn: Connection, settled: Sequence[Outcome]) -> None:
    """Rows of the drawings that these outcomes keep, in the transaction that settles them."""
    rows = [
        {
            "item_id": outcome.item.id,
            "tenant": outcome.item.tenant,
            "asset_id": finished.asset_id,
            "key": finished.kept.key,
            "sha256": finished.kept.sha256,
            "bytes": finished.kept.bytes,
            "position": asdict(finished.kept.position),
            "product": finished.kept.product,
            "lock": finished.kept.lock,
        }
        for outcome in settled
        if isinstance(outcome, Released | Held)
        and (finished := outcome.finished if isinstance(outcome, Held) else outcome)
        and finished.kept
    ]
    if rows:
        conn.execute(drawings.insert(), rows)


def take(conn: Connection, tenant: str, item_ids: Collection[str]) -> set[str]:
    """Those of these items whose drawing is there, and stays until what is made of it is settled."""
    if not item_ids:
        return set()
    mine = drawings.c.tenant == tenant, drawings.c.item_id.in_(sorted(item_ids))
    used = drawings.update().where(*mine).values(used_at=func.clock_timestamp())
    return set(conn.scalars(used.returning(drawings.c.item_id)))


def of_batch(conn: Connection, batch_id: str) -> dict[str, KeptDrawing]:
    """By item, the drawing that an open member of a batch is made of. One whose drawing is gone is missing."""
    own = items.join(drawings, (drawings.c.item_id == items.c.drawing_item_id) & (drawings.c.tenant == items.c.tenant))
    members = items.c.batch_id == batch_id, items.c.state == ItemState.PLANNED
    rows = conn.execute(select(items.c.id.label("member"), drawings).select_from(own).where(*members))
    return {
        row.member: KeptDrawing(
            row.item_id, row.key, row.sha256, row.bytes, SamplingPosition(**row.position), row.product, row.lock
        )
        for row in rows
    }


def unusable(conn: Connection, made: Sequence[Released | Held]) -> dict[str, str]:
    """By item, why what it was made of may not be shown any more; the others' stays usable until the commit.

    Its picture was recalled meanwhile, or its drawing erased.
    """
    of = {outcome.item.id: outcome.item.made_of["item_id"] for outcome in made if outcome.item.made_of}
    wanted = set(of.values())
    if not wanted:
        return {}
    there = select(drawings.c.item_id, drawings.c.asset_id, drawings.c.tenant)
    found = conn.execute(
        there.where(drawings.c.item_id.in_(wanted)).order_by(drawings.c.item_id).with_for_update(read=True)
    ).all()
    by_tenant: dict[str, list[str]] = {}
    for row in found:
        by_tenant.setdefault(row.tenant, []).append(row.asset_id)
    held = {
        id for tenant, ids in sorted(by_tenant.items()) for id in conn.scalars(_HOLD, {"tenant": tenant, "ids": ids})
    }
    why = {row.item_id: "" if row.asset_id in held else RECALLED for row in found}
    return {id: reason for id, source in of.items() if (reason := why.get(source, GONE))}


class ReleasedItem(NamedTuple):
    """A released item of a request, with what it was asked with; `drawing` is the item whose drawing shows it."""

    row: Row[Any]
    recipe: Recipe
    inputs: Mapping[str, str]  # ids by role
    drawing: str | None


def count_drawn(conn: Connection, tenant: str, request_id: str) -> tuple[int, int]:
    """How many released items a request has whose text is not erased, and of how many a drawing is kept."""
    counted = text(f"SELECT count(*), count(root.id) {_SHOWN}")
    found = conn.execute(counted, {"tenant": tenant, "request_id": request_id, "after": None}).one()
    return int(found[0]), int(found[1])


def drawn_items(conn: Connection, tenant: str, request_id: str) -> Iterator[ReleasedItem]:
    """Those of which a drawing is kept, in the order of their rows, a page at a time."""
    page = text(
        f"""
        SELECT i.*, r.recipe, CAST(root.id AS text) AS drawing, (
          SELECT jsonb_object_agg(u.role, u.input_id) FROM item_inputs u WHERE u.item_id = i.id) AS inputs
        {_SHOWN} AND root.id IS NOT NULL ORDER BY i.id LIMIT {_PAGE}
        """  # noqa: S608 - a statement of our own
    )
    after = None
    while rows := conn.execute(page, {"tenant": tenant, "request_id": request_id, "after": after}).all():
        for row in rows:
            yield ReleasedItem(row, Recipe.from_json(row.recipe), row.inputs or {}, row.drawing)
        after = rows[-1].id

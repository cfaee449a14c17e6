"""Objects given up for deletion: the event first, the bytes after it, so that nothing is gone without a record.

    give_up    an object that is not needed       -> a row in `removals` and an event, in one transaction
    given_up   what still has to be deleted from the store
    removed    the store has deleted it: the row goes

Killed between any two, the next round deletes again, which the store does not mind. The caller of `give_up` has taken
`legal_holds.keep_holds_out`: a hold that is placed later comes too late for what was given up before it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, cast, func, select
from sqlalchemy.dialects.postgresql import insert

from policy.events import PictureErased
from policy.ledger.append import append
from policy.ledger.erase import Why
from workers.jobs.privacy import legal_holds
from workers.jobs.privacy.select import CLERK, UNSETTLED
from workers.jobs.privacy.tables import erasure_targets, erasures, removals
from workers.jobs.recall.tables import recall_assets
from workers.jobs.tables import assets, holds, items, renditions
from workers.states import ItemState


class Pictured(NamedTuple):
    """An item of an order whose pictures have to go."""

    erasure_id: str
    tenant: str
    item_id: str


def pictured(conn: Connection, limit: int) -> list[Pictured]:
    """Items that running orders list, whose pictures may be erased now."""
    free = (
        select(items.c.id)
        .where(items.c.id == cast(erasure_targets.c.target, items.c.id.type), items.c.state.not_in(UNSETTLED))
        .where(~legal_holds.on_item(), ~_still_moving())
        .correlate(erasure_targets)
        .exists()
    )
    query = select(erasure_targets.c.erasure_id, erasure_targets.c.tenant, erasure_targets.c.target)
    listed = query.where(erasure_targets.c.kind == "pictures", free).order_by(erasure_targets.c.target).limit(limit)
    return [Pictured(*row) for row in conn.execute(listed)]


def strike(conn: Connection, chosen: Pictured) -> bool:
    """Take an item's pictures off the list of its order; False if another clerk did, or a hold came first."""
    still = items.c.id == chosen.item_id, items.c.state.not_in(UNSETTLED), ~legal_holds.on_item(), ~_still_moving()
    if conn.execute(select(items.c.id).where(*still)).first() is None:
        return False
    struck = conn.execute(
        erasure_targets.delete().where(
            erasure_targets.c.erasure_id == chosen.erasure_id,
            erasure_targets.c.kind == "pictures",
            erasure_targets.c.target == chosen.item_id,
        )
    ).rowcount
    conn.execute(
        erasures.update().where(erasures.c.id == chosen.erasure_id).values(look_at=func.clock_timestamp())
    )  # fmt: skip
    return bool(struck)


def give_up(conn: Connection, found: Mapping[str, str | None], *, tenant: str, why: Why) -> int:
    """Objects (key -> item) that are deleted from the store after this commit; how many were not given up before."""
    if not found:
        return 0
    rows = [{"object_key": key, "tenant": tenant, "erasure_id": why.erasure_id} for key in sorted(found)]
    added = insert(removals).values(rows).on_conflict_do_nothing().returning(removals.c.object_key)
    new = sorted(conn.scalars(added))
    said = [PictureErased(*why, item_id=found[key], object_key=key) for key in new]
    append(conn, tenant=tenant, actor=CLERK, events=said)
    return len(new)


def given_up(conn: Connection, limit: int) -> list[str]:
    """Keys that the store has to delete, oldest first."""
    return list(conn.scalars(select(removals.c.object_key).order_by(removals.c.created_at).limit(limit)))


def removed(conn: Connection, keys: Sequence[str]) -> None:
    conn.execute(removals.delete().where(removals.c.object_key.in_(keys)))


def over(conn: Connection, place: str, tenant: str, item_ids: Collection[str], before: datetime) -> set[str]:
    """Of these items those whose objects under the prefix `place` are not needed, and no hold covers.

    quarantine: settled, and reviewed before that moment or never held. recalled: recalled and moved. released, raw:
    settled before it; `unlinked` says which objects are no rendition.
    """
    query = select(items.c.id).where(
        items.c.tenant == tenant, items.c.id.in_(item_ids), items.c.state.not_in(UNSETTLED), ~legal_holds.on_item()
    )
    if place == "quarantine":
        decided = select(holds.c.decided_at).where(holds.c.item_id == items.c.id).scalar_subquery()
        query = query.where(func.coalesce(decided, items.c.settled_at) < before)
    elif place == "recalled":
        query = query.where(items.c.state == ItemState.RECALLED, ~_still_moving())
    else:
        query = query.where(items.c.settled_at < before)
    return set(conn.scalars(query))


def unlinked(conn: Connection, keys: Collection[str]) -> set[str]:
    """Those of these objects that no rendition refers to."""
    return set(keys) - set(conn.scalars(select(renditions.c.key).where(renditions.c.key.in_(keys))))


def _still_moving() -> ColumnElement[bool]:
    """Whether a recall has not yet moved the objects of the row of `items` around it."""
    return (
        select(recall_assets.c.asset_id)
        .join(assets, assets.c.id == recall_assets.c.asset_id)
        .where(assets.c.item_id == items.c.id, recall_assets.c.state != "moved")
        .correlate(items)
        .exists()
    )

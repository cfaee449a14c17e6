"""Erasure of kept drawings: with the text of their item, with a refusal in review, and when nobody used them for long.

    over      objects of a sweep that nobody needs any more; their rows go           caller: retention
    give_up   an item's text is erased: its drawing goes too                          caller: erase
    forget    a person refused the picture, and the clerk deletes its object          caller: releases

Killed between row and object: the event is there, and the duty `removals` deletes the object.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Connection, select

from policy.ledger.erase import Why
from workers.jobs.drawings.tables import drawings
from workers.jobs.privacy import legal_holds, objects
from workers.jobs.privacy.select import UNSETTLED
from workers.jobs.tables import items


def over(conn: Connection, tenant: str, keys: Mapping[str, str], before: datetime) -> set[str]:
    """Of these objects (key -> item) those that were not used since, that no open item takes, and no hold covers.

    Their rows go with this transaction. An object without a row is left of an attempt that died.
    """
    free = select(items.c.id, items.c.settled_at).where(
        items.c.tenant == tenant, items.c.id.in_(keys.values()), items.c.state.not_in(UNSETTLED), ~legal_holds.on_item()
    )
    settled = {row.id for row in conn.execute(free.where(items.c.settled_at < before))}
    rows = conn.execute(
        select(drawings.c.key, drawings.c.item_id, drawings.c.used_at)
        .where(drawings.c.tenant == tenant, drawings.c.key.in_(keys))
        .order_by(drawings.c.item_id)
        .with_for_update(skip_locked=True)
    ).all()
    waiting = items.alias("waiting")
    ids = [row.item_id for row in rows]
    open_ = select(waiting.c.drawing_item_id).where(
        waiting.c.drawing_item_id.in_(ids), waiting.c.state.in_(UNSETTLED), waiting.c.tenant == tenant
    )
    taken = set(conn.scalars(open_))
    due = {row.key for row in rows if row.item_id in settled and row.used_at < before and row.item_id not in taken}
    conn.execute(drawings.delete().where(drawings.c.key.in_(due)))
    still = set(conn.scalars(select(drawings.c.key).where(drawings.c.key.in_(keys))))
    return {key for key, item_id in keys.items() if item_id in settled and key not in still}


def give_up(conn: Connection, tenant: str, item_ids: Collection[str], why: Why) -> int:
    """The drawings of these items go, with an event each; how many. The caller has kept legal holds out."""
    gone = drawings.delete().where(drawings.c.tenant == tenant, drawings.c.item_id.in_(item_ids))
    found: dict[str, str | None] = {
        row.key: row.item_id for row in conn.execute(gone.returning(drawings.c.key, drawings.c.item_id))
    }
    return objects.give_up(conn, found, tenant=tenant, why=why)


def forget(conn: Connection, item_id: str) -> list[str]:
    """Keys of the item's drawing, whose row goes with this transaction."""
    gone = drawings.delete().where(drawings.c.item_id == item_id)
    return list(conn.scalars(gone.returning(drawings.c.key)))

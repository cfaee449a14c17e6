"""Budget: how many images a tenant, or one of its API keys, may have made.

    reserve   at submit, every image of a request that may be made, by one conditional update     caller: submit
    settle    what settled items had reserved is released; what was made of it counts             caller: every verb

A reservation belongs to its items: their request names the budgets that they were reserved in, and the change that
settles an item takes it off in the same transaction. Killed anywhere, nothing leaks. A batch that is made again costs
nothing, as an item is settled once. Refused, failed and cancelled images cost nothing.

Rows are locked in the order of their ids, so that no two transactions wait for each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, select, text

from policy import events
from policy.ledger.append import append
from workers.errors import BudgetExceeded, NotFound
from workers.jobs.tables import api_keys, budgets
from workers.jobs.types import new_id
from workers.states import ItemState

MADE = (ItemState.RELEASED, ItemState.HELD)  # was made as asked: it counts, whatever a person decides later
_SETTLE = text(
    """
    WITH settled AS (
      SELECT budget, count(*) AS images, count(*) FILTER (WHERE i.state = ANY (:made)) AS made
      FROM items i JOIN requests r ON r.id = i.request_id, unnest(r.budgets) AS budget
      WHERE i.id = ANY (CAST(:ids AS uuid[])) GROUP BY budget
    ), locked AS (
      SELECT b.id FROM budgets b JOIN settled s ON s.budget = b.id ORDER BY b.id FOR NO KEY UPDATE OF b
    )
    UPDATE budgets b SET images_reserved = images_reserved - s.images, images_made = images_made + s.made
    FROM settled s JOIN locked ON locked.id = s.budget WHERE b.id = s.budget
    """
)


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit in images. `key_id` is None for that of the whole tenant."""

    id: str
    key_id: str | None
    images: int
    images_reserved: int
    images_made: int
    created_at: datetime


def reserve(conn: Connection, tenant: str, key_id: str, images: int) -> list[str]:
    """Ids of the budgets in which so many images are now reserved. Raises BudgetExceeded, and then nothing is.

    Two submissions at the same moment take turns at the row: exactly what fits is accepted.
    """
    mine = (budgets.c.tenant == tenant, budgets.c.key_id.is_(None) | (budgets.c.key_id == key_id))
    locked = select(budgets.c.id).where(*mine).order_by(budgets.c.id).with_for_update(key_share=True)
    ids = list(conn.scalars(locked))
    if not ids:
        return []
    reserved = conn.execute(
        budgets.update()
        .where(budgets.c.id.in_(ids), budgets.c.images_reserved + budgets.c.images_made + images <= budgets.c.images)
        .values(images_reserved=budgets.c.images_reserved + images)
    )
    if reserved.rowcount != len(ids):
        raise BudgetExceeded(_why(list_budgets(conn, tenant), ids, images))
    return ids


def settle(conn: Connection, item_ids: Sequence[str]) -> None:
    """Take settled items off their budgets. Call it once for an item, in the transaction that settles it."""
    if item_ids:
        conn.execute(_SETTLE, {"ids": list(item_ids), "made": [str(state) for state in MADE]})


def set_budget(conn: Connection, tenant: str, key_id: str | None, images: int | None, *, actor: str) -> Budget | None:
    """The budget of the tenant or of a key; None takes it away. What is reserved and made stays counted.

    A limit below what is reserved already stops later requests only. Raises NotFound for a key that is not there.
    """
    if key_id is not None and not _has_key(conn, tenant, key_id):
        raise NotFound(f"no key {key_id}")
    mine = (budgets.c.tenant == tenant, budgets.c.key_id == key_id if key_id else budgets.c.key_id.is_(None))
    before = conn.execute(select(budgets).where(*mine).with_for_update()).one_or_none()
    was = before.images if before else None
    if was == images:
        return _budget(before) if before else None
    append(conn, tenant=tenant, actor=actor, events=[events.BudgetChanged(key_id, was, images)])
    if images is None:
        conn.execute(budgets.delete().where(*mine))
        return None
    if before is None:
        conn.execute(budgets.insert().values(id=new_id(), tenant=tenant, key_id=key_id, images=images))
    else:
        conn.execute(budgets.update().where(*mine).values(images=images))
    return _budget(conn.execute(select(budgets).where(*mine)).one())


def list_budgets(conn: Connection, tenant: str) -> list[Budget]:
    """That of the tenant first, then those of keys, oldest first."""
    found = select(budgets).where(budgets.c.tenant == tenant)
    return [_budget(row) for row in conn.execute(found.order_by(budgets.c.key_id.is_not(None), budgets.c.id))]


def _has_key(conn: Connection, tenant: str, key_id: str) -> bool:
    mine = select(api_keys.c.id).where(api_keys.c.id == key_id, api_keys.c.tenant == tenant)
    return conn.execute(mine).first() is not None


def _why(standing: Sequence[Budget], ids: Sequence[str], images: int) -> str:
    full = next(b for b in standing if b.id in ids and b.images_reserved + b.images_made + images > b.images)
    whose = "this API key" if full.key_id else "the tenant"
    left = max(0, full.images - full.images_reserved - full.images_made)
    return f"the request asks for {images:,} images, and the budget of {whose} has {left:,} of {full.images:,} left"


def _budget(row: Row[tuple[object, ...]]) -> Budget:
    return Budget(**{name: row._mapping[name] for name in Budget.__slots__})

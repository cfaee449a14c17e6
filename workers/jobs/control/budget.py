"""Budget: what a tenant, or one of its API keys, may have made: images, GPU seconds and money.

    reserve   at submit, what the images of a request take at P90, by one conditional update      caller: submit
    settle    what settled items had reserved is released; what was made of it counts             caller: every verb

A reservation belongs to its items: each keeps what it reserved, their request names the budgets, and the change that
settles an item takes it off in the same transaction. Killed anywhere, nothing leaks. A batch that is made again costs
nothing, as an item is settled once. Refused, failed and cancelled images cost nothing.

GPU seconds and money of images that were not measured are unknown when they are submitted. They reserve nothing, are
accepted while something is left, and count when they are made; `stop_spent` pauses what draws on a budget that is used
up. Rows are locked in the order of their ids, so that no two transactions wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import ROUND_UP, Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, or_, select, text

from policy import events
from policy.ledger.append import append
from workers.cost.forecast import Take
from workers.cost.limits import Limits
from workers.errors import BudgetExceeded, NotFound
from workers.jobs.tables import api_keys, budgets
from workers.jobs.types import new_id
from workers.states import ItemState

MADE = (ItemState.RELEASED, ItemState.HELD)  # was made as asked: it counts, whatever a person decides later
_SECOND, _MONEY = Decimal("0.000001"), Decimal("0.000000001")  # the places that the database keeps
_SETTLE = text(
    """
    WITH settled AS (
      SELECT b.id AS budget, count(*) FILTER (WHERE i.drawing_item_id IS NULL) AS images,
             count(*) FILTER (WHERE i.state = ANY (:made) AND i.drawing_item_id IS NULL) AS made,
             coalesce(sum(i.gpu_seconds_reserved), 0) AS seconds, coalesce(sum(i.cost_reserved), 0) AS cost,
             coalesce(sum(i.gpu_seconds) FILTER (WHERE i.state = ANY (:made)), 0) AS seconds_made,
             coalesce(sum(i.cost) FILTER (WHERE i.state = ANY (:made) AND i.currency = b.currency), 0) AS cost_made
      FROM items i JOIN requests r ON r.id = i.request_id JOIN budgets b ON b.id = ANY (r.budgets)
      WHERE i.id = ANY (CAST(:ids AS uuid[])) GROUP BY b.id
    ), locked AS (
      SELECT b.id FROM budgets b JOIN settled s ON s.budget = b.id ORDER BY b.id FOR NO KEY UPDATE OF b
    )
    UPDATE budgets b SET
      images_reserved = images_reserved - s.images, images_made = images_made + s.made,
      gpu_seconds_reserved = gpu_seconds_reserved - s.seconds, gpu_seconds_made = gpu_seconds_made + s.seconds_made,
      cost_reserved = b.cost_reserved - s.cost, cost_made = b.cost_made + s.cost_made
    FROM settled s JOIN locked ON locked.id = s.budget WHERE b.id = s.budget
    """
)


@dataclass(frozen=True, slots=True)
class Budget(Limits):
    """Limits with what is reserved and made of them. Without a key and a request it is that of the whole tenant."""

    id: str = ""
    key_id: str | None = None
    request_id: str | None = None
    images_reserved: int = 0
    images_made: int = 0
    gpu_seconds_reserved: Decimal = Decimal(0)
    gpu_seconds_made: Decimal = Decimal(0)
    cost_reserved: Decimal = Decimal(0)
    cost_made: Decimal = Decimal(0)
    created_at: datetime | None = None

    @property
    def limits(self) -> Limits:
        return Limits(self.images, self.gpu_seconds, self.cost, self.currency if self.cost is not None else None)


class Reservation:
    """What a request asks for, summed while its items are stored."""

    def __init__(self, currency: str) -> None:
        self.currency = currency
        self.images = self.unknown_seconds = self.unknown_cost = 0
        self.gpu_seconds = self.cost = Decimal(0)

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Rows of items as they are stored. What was refused by its prompt asks for nothing."""
        for row in rows:
            if row["state"] != ItemState.PENDING:
                continue
            seconds, cost = row["gpu_seconds_reserved"], row["cost_reserved"]
            self.images += row["drawing_item_id"] is None  # what is made of a kept drawing is not drawn again
            self.unknown_seconds += seconds is None
            self.unknown_cost += cost is None
            self.gpu_seconds += Decimal(seconds or 0)
            self.cost += Decimal(cost or 0)


def reservation(take: Take | None) -> dict[str, str | None]:
    """The columns of an item that keep what it reserves; None where nothing is known."""
    if take is None:
        return {"gpu_seconds_reserved": None, "cost_reserved": None}
    cost = None if take.cost is None else str(take.cost.quantize(_MONEY, ROUND_UP))
    return {"gpu_seconds_reserved": str(Decimal(take.seconds).quantize(_SECOND, ROUND_UP)), "cost_reserved": cost}


def reserve(
    conn: Connection, tenant: str, key_id: str, wanted: Reservation, *, among: Sequence[str] | None = None
) -> list[str]:
    """Ids of the budgets in which so much is now reserved. Raises BudgetExceeded, and then nothing is.

    Two submissions at the same moment take turns at the row: exactly what fits is accepted. `among` names the budgets
    where not all of the tenant and the key are meant.
    """
    shared = budgets.c.request_id.is_(None) & (budgets.c.key_id.is_(None) | (budgets.c.key_id == key_id))
    mine = (budgets.c.tenant == tenant, shared)
    these = mine if among is None else (budgets.c.tenant == tenant, budgets.c.id.in_(among))
    locked = select(budgets.c.id).where(*these).order_by(budgets.c.id).with_for_update(key_share=True)
    ids = list(conn.scalars(locked))
    if not ids:
        return []
    reserved = conn.execute(
        budgets.update()
        .where(budgets.c.id.in_(ids), *_fits(wanted))
        .values(
            images_reserved=budgets.c.images_reserved + wanted.images,
            gpu_seconds_reserved=budgets.c.gpu_seconds_reserved + wanted.gpu_seconds,
            cost_reserved=budgets.c.cost_reserved + wanted.cost,
        )
    )
    if reserved.rowcount != len(ids):
        standing = conn.execute(select(budgets).where(budgets.c.id.in_(ids)).order_by(budgets.c.id))
        raise BudgetExceeded(next(why for row in standing if (why := _why(budget_of_row(row), wanted))))
    return ids


def settle(conn: Connection, item_ids: Sequence[str]) -> None:
    """Take settled items off their budgets. Call it once for an item, in the transaction that settles it."""
    if item_ids:
        conn.execute(_SETTLE, {"ids": list(item_ids), "made": [str(state) for state in MADE]})


def set_budget(conn: Connection, tenant: str, key_id: str | None, limits: Limits, *, actor: str) -> Budget | None:
    """The budget of the tenant or of a key; no limits take it away. What is reserved and made stays counted.

    A limit below what is reserved already stops later requests only. What was made in another currency is not counted
    in the new one. Raises NotFound for a key that is not there.
    """
    if key_id is not None and not _has_key(conn, tenant, key_id):
        raise NotFound(f"no key {key_id}")
    whose = budgets.c.key_id == key_id if key_id else budgets.c.key_id.is_(None) & budgets.c.request_id.is_(None)
    mine = (budgets.c.tenant == tenant, whose)
    row = conn.execute(select(budgets).where(*mine).with_for_update()).one_or_none()
    before = budget_of_row(row) if row else None
    was = before.limits if before else Limits()
    if was == limits:
        return before
    changed = events.BudgetChanged(key_id, was.images, limits.images, recorded(was), recorded(limits))
    append(conn, tenant=tenant, actor=actor, events=[changed])
    if not limits:
        conn.execute(budgets.delete().where(*mine))
        return None
    if before is None:
        conn.execute(budgets.insert().values(id=new_id(), tenant=tenant, key_id=key_id, **asdict(limits)))
    else:
        anew = {"cost_made": 0} if limits.currency and before.currency not in (None, limits.currency) else {}
        kept = {**asdict(limits), "currency": limits.currency or before.currency}
        conn.execute(budgets.update().where(*mine).values(**kept, **anew, told_percent=0))
    return budget_of_row(conn.execute(select(budgets).where(*mine)).one())


def list_budgets(conn: Connection, tenant: str) -> list[Budget]:
    """That of the tenant first, then those of keys, oldest first."""
    found = select(budgets).where(budgets.c.tenant == tenant, budgets.c.request_id.is_(None))
    return [budget_of_row(row) for row in conn.execute(found.order_by(budgets.c.key_id.is_not(None), budgets.c.id))]


def _fits(wanted: Reservation) -> tuple[ColumnElement[bool], ...]:
    """What is unknown fits while something is left."""
    column = budgets.c
    images = column.images_reserved + column.images_made + wanted.images
    seconds = column.gpu_seconds_reserved + column.gpu_seconds_made + wanted.gpu_seconds
    cost = column.cost_reserved + column.cost_made + wanted.cost
    return (
        or_(column.images.is_(None), images <= column.images),
        or_(
            column.gpu_seconds.is_(None),
            seconds < column.gpu_seconds if wanted.unknown_seconds else seconds <= column.gpu_seconds,
        ),
        or_(
            column.cost.is_(None),
            and_(
                column.currency == wanted.currency,
                cost < column.cost if wanted.unknown_cost else cost <= column.cost,
            ),
        ),
    )


def _why(full: Budget, wanted: Reservation) -> str:
    """Why this budget has no room for it; "" if it has."""
    whose = "this API key" if full.key_id else "the request" if full.request_id else "the tenant"
    if full.images is not None and full.images_reserved + full.images_made + wanted.images > full.images:
        left = max(0, full.images - full.images_reserved - full.images_made)
        had = f"the budget of {whose} has {left:,} of {full.images:,} left"
        return f"the request asks for {wanted.images:,} images, and {had}"
    if full.gpu_seconds is not None:
        left_seconds = full.gpu_seconds - full.gpu_seconds_reserved - full.gpu_seconds_made
        if why := _over(wanted.gpu_seconds, wanted.unknown_seconds, left_seconds):
            had = _left(left_seconds, full.gpu_seconds)
            return f"the request {why} GPU seconds, and the budget of {whose} has {had}"
    if full.cost is not None:
        if full.currency != wanted.currency:
            now = wanted.currency or "no currency"
            return f"the budget of {whose} is in {full.currency}, and this installation counts in {now}; set it anew"
        left_cost = full.cost - full.cost_reserved - full.cost_made
        if why := _over(wanted.cost, wanted.unknown_cost, left_cost):
            return f"the request {why} {full.currency}, and the budget of {whose} has {_left(left_cost, full.cost)}"
    return ""


def _over(asked: Decimal, unknown: int, left: Decimal) -> str:
    if unknown and asked >= left:
        return f"takes an unknown number, at least {asked.normalize():,f}," if asked else "takes an unknown number of"
    return f"may take {asked.normalize():,f}" if asked > left else ""


def _left(left: Decimal, limit: Decimal) -> str:
    return f"{max(Decimal(0), left).normalize():,f} of {limit.normalize():,f} left"


def recorded(limits: Limits) -> dict[str, Any] | None:
    """For the ledger: numbers as text, None where images are all there is."""
    further = {name: value for name, value in asdict(limits).items() if name != "images" and value is not None}
    return {name: str(value) for name, value in further.items()} or None


def _has_key(conn: Connection, tenant: str, key_id: str) -> bool:
    mine = select(api_keys.c.id).where(api_keys.c.id == key_id, api_keys.c.tenant == tenant)
    return conn.execute(mine).first() is not None


def budget_of_row(row: Row[Any]) -> Budget:
    names = [*Limits.__slots__, *Budget.__slots__]
    return Budget(**{name: row._mapping[name] for name in names})

"""Usage: images, GPU seconds, energy and money of what was settled, by day, request, API key or altogether.

What was made counts: released, held and recalled images. What refused and failed images took of a device stands beside
it, in fields of its own, and costs the tenant nothing. Attempts that settled nothing are in none of them. Money is by
currency: an installation may change the one that it asks. Every query is confined to one tenant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Text, cast, func, literal, select

from workers.jobs.control.budget import MADE
from workers.jobs.tables import items, requests

GROUPS: Mapping[str, ColumnElement[Any]] = {
    "day": cast(func.date(func.timezone("UTC", items.c.settled_at)), Text),
    "request": cast(items.c.request_id, Text),
    "key": cast(requests.c.key_id, Text),
    "tenant": items.c.tenant,
}
MAX_LINES = 1_000
COUNTED = (*map(str, MADE), "recalled")
_NOT_MADE = ("refused", "failed")


@dataclass(frozen=True, slots=True)
class UsageLine:
    """What one day, request or key used. `made`, `gpu_seconds` and `cost` are what counts against budgets."""

    group: str
    made: int
    refused: int
    failed: int
    cancelled: int
    reused: int = 0  # took a picture that was there already
    reencoded: int = 0  # were made of a drawing that was kept
    gpu_seconds: float = 0.0
    gpu_seconds_refused: float = 0.0
    gpu_seconds_failed: float = 0.0
    energy_joules: float | None = None  # None: no device reported any
    cost: Mapping[str, float] | None = None  # by currency; None: nothing had a price
    cost_not_made: Mapping[str, float] | None = None  # of refused and failed images: not the tenant's


def usage(
    conn: Connection,
    tenant: str,
    *,
    by: str,
    since: datetime | None = None,
    until: datetime | None = None,
    request_id: str | None = None,
) -> list[UsageLine]:
    """In the order of the groups, at most MAX_LINES."""
    made = items.c.state.in_(COUNTED) & items.c.reused_asset_id.is_(None) & items.c.drawing_item_id.is_(None)
    not_made = items.c.state.in_(_NOT_MADE)
    counts = [func.count().filter(items.c.state == state).label(state) for state in ("refused", "failed", "cancelled")]
    seconds = [
        func.sum(items.c.gpu_seconds).filter(items.c.state == state).label(f"gpu_seconds_{state}")
        for state in _NOT_MADE
    ]
    by_currency = (
        select(
            GROUPS[by].label("named"),
            items.c.currency,
            func.count().filter(made).label("made"),
            *counts,
            func.count(items.c.reused_asset_id).label("reused"),
            func.count(items.c.drawing_item_id).filter(items.c.state.in_(COUNTED)).label("reencoded"),
            func.sum(items.c.gpu_seconds).filter(made).label("gpu_seconds"),
            *seconds,
            func.sum(items.c.energy_joules).label("energy_joules"),
            func.coalesce(func.sum(items.c.cost).filter(made), 0).label("cost"),
            func.coalesce(func.sum(items.c.cost).filter(not_made), 0).label("cost_not_made"),
        )
        .join(requests, requests.c.id == items.c.request_id)
        .where(items.c.tenant == tenant, items.c.settled_at.is_not(None))
        .group_by("named", items.c.currency)
    )
    if since is not None:
        by_currency = by_currency.where(items.c.settled_at >= since)
    if until is not None:
        by_currency = by_currency.where(items.c.settled_at < until)
    if request_id is not None:
        by_currency = by_currency.where(items.c.request_id == request_id)
    part = by_currency.subquery()
    added = [func.sum(part.c[name]).label(name) for name in _ADDED]
    priced = part.c.currency.is_not(None)
    money = [
        func.jsonb_object_agg(func.coalesce(part.c.currency, literal("")), part.c[name]).filter(priced).label(name)
        for name in ("cost", "cost_not_made")
    ]
    query = select(part.c.named, *added, *money).group_by(part.c.named).order_by(part.c.named).limit(MAX_LINES)
    return [_line(row) for row in conn.execute(query)]


_ADDED = (
    *("made", "refused", "failed", "cancelled", "reused", "reencoded"),
    *("gpu_seconds", "gpu_seconds_refused", "gpu_seconds_failed", "energy_joules"),
)


def cost_of(item: Row[Any]) -> float | None:
    """What an item costs its tenant: nothing where it was not made; None where it has no price."""
    if item.reused_asset_id is not None or item.drawing_item_id is not None:
        return 0.0
    if item.cost is None:
        return None
    return float(item.cost) if item.state in COUNTED else 0.0


def _line(row: Row[Any]) -> UsageLine:
    return UsageLine(
        group=row.named,
        made=int(row.made),
        refused=int(row.refused),
        failed=int(row.failed),
        cancelled=int(row.cancelled),
        reused=int(row.reused),
        reencoded=int(row.reencoded),
        gpu_seconds=float(row.gpu_seconds or 0),
        gpu_seconds_refused=float(row.gpu_seconds_refused or 0),
        gpu_seconds_failed=float(row.gpu_seconds_failed or 0),
        energy_joules=None if row.energy_joules is None else float(row.energy_joules),
        cost=_money(row.cost),
        cost_not_made=_money(row.cost_not_made),
    )


def _money(amounts: Mapping[str, Any] | None) -> Mapping[str, float] | None:
    return {currency: round(float(amount), 9) for currency, amount in sorted(amounts.items())} if amounts else None

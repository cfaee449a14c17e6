"""Usage: how many images were settled and how, by day, request or API key. Every query is confined to one tenant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, cast, func, select

from workers.jobs.control.budget import MADE
from workers.jobs.tables import items, requests

GROUPS: Mapping[str, ColumnElement[Any]] = {
    "day": cast(func.date(func.timezone("UTC", items.c.settled_at)), Text),
    "request": cast(items.c.request_id, Text),
    "key": cast(requests.c.key_id, Text),
}
MAX_LINES = 1_000


@dataclass(frozen=True, slots=True)
class UsageLine:
    """What one day, request or key used. `made` is what counts against budgets."""

    group: str
    made: int
    refused: int
    failed: int
    cancelled: int


def usage(conn: Connection, tenant: str, *, by: str, since: datetime | None, until: datetime | None) -> list[UsageLine]:
    """In the order of the groups, at most MAX_LINES. Recalled images were made, and so are counted."""
    group = GROUPS[by].label("named")
    made = func.count().filter(items.c.state.in_([*map(str, MADE), "recalled"]))
    others = [func.count().filter(items.c.state == state) for state in ("refused", "failed", "cancelled")]
    query = (
        select(group, made, *others)
        .join(requests, requests.c.id == items.c.request_id)
        .where(items.c.tenant == tenant, items.c.settled_at.is_not(None))
        .group_by(group)
        .order_by(group)
        .limit(MAX_LINES)
    )
    if since is not None:
        query = query.where(items.c.settled_at >= since)
    if until is not None:
        query = query.where(items.c.settled_at < until)
    return [UsageLine(*row) for row in conn.execute(query)]

"""Sealed events in the order of the log, for readers that follow it: each has a number, and none comes in behind it.

The number is that of the leaf. The sealer gives it out after the commit, in one order, so a reader that goes on behind
the last number it saw misses nothing. An event without a leaf is not sealed yet, and comes later.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Text, cast, func, select
from sqlalchemy.dialects.postgresql import ARRAY

from policy.ledger.tables import entries, sequence

WINDOW = 2_000  # leaves of one look, whoever's they are: it bounds what one query reads


@dataclass(frozen=True, slots=True)
class SealedEvent:
    """An event with its place in the log. `event` holds no private text."""

    number: int
    tenant: str
    kind: str
    subjects: tuple[str, ...]
    recorded_at: datetime
    event: dict[str, Any]


def newest(conn: Connection) -> int:
    """The number of the newest sealed event; -1 for an empty log."""
    found: int | None = conn.scalar(select(func.max(sequence.c.index)))
    return -1 if found is None else found


def first_about(conn: Connection, tenant: str, subject: str, *, after: int = -1) -> int | None:
    """The number of the first sealed event about something, behind a number."""
    about = entries.c.subjects.op("@>", is_comparison=True)(cast([subject], ARRAY(Text)))
    query = select(func.min(sequence.c.index)).join(entries, entries.c.id == sequence.c.entry_id)
    found: int | None = conn.scalar(query.where(about, entries.c.tenant == tenant, sequence.c.index > after))
    return found


def sealed_after(
    conn: Connection, after: int, *, kinds: Collection[str], tenant: str | None = None
) -> tuple[list[SealedEvent], int]:
    """Events of these kinds among the next leaves behind `after`, and the number up to which was looked."""
    end = min(newest(conn), after + WINDOW)
    if end <= after:
        return [], after
    query = (
        select(sequence.c.index.label("leaf_index"), entries)
        .join(entries, entries.c.id == sequence.c.entry_id)
        .where(sequence.c.index > after, sequence.c.index <= end, entries.c.kind.in_(sorted(kinds)))
        .order_by(sequence.c.index)
    )
    if tenant is not None:
        query = query.where(entries.c.tenant == tenant)
    found = [
        SealedEvent(
            number=row.leaf_index,
            tenant=row.tenant,
            kind=row.kind,
            subjects=tuple(row.subjects),
            recorded_at=row.recorded_at,
            event=json.loads(bytes(row.body))["event"],
        )
        for row in conn.execute(query)
    ]
    return found, end

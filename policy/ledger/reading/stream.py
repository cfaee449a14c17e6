"""Event stream: the ledger in order of time, page by page, for exports and replays of any length in little memory."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from typing import NamedTuple, Protocol

from sqlalchemy import Connection, select, tuple_

from policy.ledger.reading.events import PAGE, Recorded, with_texts
from policy.ledger.tables import entries, sequence

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries: from `since` on, before `until`, of one tenant, of these kinds. None and empty mean all."""

    since: datetime | None = None
    until: datetime | None = None
    tenant: str | None = None
    kinds: Collection[str] = ()


class PagePosition(NamedTuple):
    """The last entry of a page."""

    recorded_at: datetime
    entry_id: int


class Connect(Protocol):
    """Lends a connection that may read the schema, for the time of a page."""

    def __call__(self) -> AbstractContextManager[Connection]: ...


def entries_in(connect: Connect, span: EntryFilter, *, page: int = PAGE) -> Iterator[list[Recorded]]:
    """Pages of the matching entries, oldest first. No connection is held between two pages.

    An entry that was committed late, after its page was read, is left out. Where that matters, end the range a minute
    ago.
    """
    after: PagePosition | None = None
    while True:
        with connect() as conn:
            found, after = _page(conn, span, after, page)
        if found:
            yield found
        if len(found) < page:
            return


def leaves_from(
    connect: Connect, first: int, *, tenant: str | None = None, kinds: Collection[str] = (), page: int = PAGE
) -> Iterator[list[Recorded]]:
    """Pages of sealed entries in the order of their leaves, from leaf `first` on. No connection between two pages.

    That order never changes and has no gaps, so whoever remembers the last leaf goes on behind it and misses nothing.
    Entries that are not sealed yet are left for the next time.
    """
    after = first - 1
    while True:
        query = (
            select(entries, sequence.c.index.label("leaf_index"))
            .join_from(sequence, entries, sequence.c.entry_id == entries.c.id)
            .where(sequence.c.index > after)
            .order_by(sequence.c.index)
            .limit(page)
        )
        if tenant is not None:
            query = query.where(entries.c.tenant == tenant)
        if kinds:
            query = query.where(entries.c.kind.in_(sorted(kinds)))
        with connect() as conn:
            found = with_texts(conn, conn.execute(query).all())
        if found:
            yield found
            after = max(one.index for one in found if one.index is not None)
        if len(found) < page:
            return


def instant(written: object) -> datetime:
    """In UTC: a day (2026-11-21: its beginning) or a moment with its zone. Raises ValueError that says what to write.

    The first and the last year of the calendar are refused: in another zone such a moment has no date.
    """
    try:
        at = datetime.fromisoformat(written.upper()) if isinstance(written, str) else None
    except ValueError:
        at = None
    if at is None or (at.tzinfo is None and not _DAY.fullmatch(str(written))):
        raise ValueError("write a day (2026-11-21) or a moment with its zone (2026-11-21T08:30:00Z)")
    if not MINYEAR < at.year < MAXYEAR:
        raise ValueError(f"write a year from {MINYEAR + 1:04} to {MAXYEAR - 1}")
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def _page(
    conn: Connection, span: EntryFilter, after: PagePosition | None, limit: int
) -> tuple[list[Recorded], PagePosition | None]:
    query = (
        select(entries, sequence.c.index.label("leaf_index"))
        .outerjoin_from(entries, sequence, sequence.c.entry_id == entries.c.id)
        .order_by(entries.c.recorded_at, entries.c.id)
        .limit(limit)
    )
    if span.since is not None:
        query = query.where(entries.c.recorded_at >= span.since)
    if span.until is not None:
        query = query.where(entries.c.recorded_at < span.until)
    if span.tenant is not None:
        query = query.where(entries.c.tenant == span.tenant)
    if span.kinds:
        query = query.where(entries.c.kind.in_(sorted(span.kinds)))
    if after is not None:
        query = query.where(tuple_(entries.c.recorded_at, entries.c.id) > tuple_(*after))
    rows = conn.execute(query).all()
    return with_texts(conn, rows), PagePosition(rows[-1].recorded_at, rows[-1].id) if rows else after

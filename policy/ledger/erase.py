"""Erasure of private text: deletes it with its salts and appends the event that says so, in one transaction.

The leaf keeps a digest of salt and text. Without the 128 random bits of the salt nobody can find out by trying whether
a text is the one that was there. Killed before the caller's commit, the text is there and no event speaks of it. Killed
after it, the text is gone and the event explains why. A repeat finds nothing left and appends nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import NamedTuple

from sqlalchemy import Connection, text

from policy.events import TextErased
from policy.ledger.append import append

EVENTS_NAMED = 200  # in one event, twice 36 characters each: about 16 kB of body

_DELETE = text(
    """
    DELETE FROM audit.private p USING audit.entries e
    WHERE p.event_id = ANY (CAST(:event_ids AS uuid[])) AND p.field <> ALL (CAST(:kept AS text[]))
      AND e.event_id = p.event_id AND e.tenant = :tenant
    RETURNING CAST(p.event_id AS text), p.field
    """
)


class Why(NamedTuple):
    """The order behind an erasure. It stands in every event."""

    erasure_id: str
    basis: str  # request | retention
    retention_class: str


def erase(
    conn: Connection,
    event_ids: Collection[str],
    *,
    tenant: str,
    actor: str,
    why: Why,
    kept: Collection[str] = (),
    copies: Mapping[str, int] | None = None,
) -> int:
    """The number of texts of these events of the tenant that are deleted now; fields in `kept` stay.

    `copies` counts what the caller blanked outside the ledger in this transaction. The counts go into the first event,
    and cause one even where the ledger held no text. Needs DELETE on audit.private, which only the clerk has.
    """
    values = {"event_ids": sorted(event_ids), "kept": sorted(kept), "tenant": tenant}
    gone: dict[str, list[str]] = defaultdict(list)
    for event_id, name in conn.execute(_DELETE, values) if event_ids else ():
        gone[event_id].append(name)
    alike: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for event_id, names in sorted(gone.items()):
        alike[tuple(sorted(names))].append(event_id)
    parts = [
        (names, event_ids_of[begin : begin + EVENTS_NAMED])
        for names, event_ids_of in sorted(alike.items())
        for begin in range(0, len(event_ids_of), EVENTS_NAMED)
    ]
    counted = {place: count for place, count in (copies or {}).items() if count}
    if counted and not parts:
        parts = [((), [])]
    said = [
        TextErased(*why, event_ids=tuple(named), fields=names, copies=counted if number == 0 else {})
        for number, (names, named) in enumerate(parts)
    ]
    append(conn, tenant=tenant, actor=actor, events=said)
    return sum(map(len, gone.values()))

"""Erasure look-up: the event that explains why private text is missing, found by the id of the event it belonged to.

An erasure is believed from its own signed bytes, never from a column. Anyone who deletes text and writes a false
erasure has to put it into the log like any other entry. Past the triggers it is found as untracked. Through them it is
sealed, and names an erasure that nobody ordered.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

KIND = "text.erased"
_ASKED = 1_000  # events of one look-up

_ERASURES = text(
    """
    SELECT e.id, s.index, e.body FROM audit.entries e LEFT JOIN audit.sequence s ON s.entry_id = e.id
    WHERE e.kind = 'text.erased' AND e.subjects && CAST(:names AS text[]) ORDER BY e.id
    """
)
_ANY = text("SELECT EXISTS (SELECT FROM audit.entries WHERE kind = 'text.erased')")


class ErasureRecord(NamedTuple):
    """The content of an erasing event."""

    event_id: str
    entry_id: int
    leaf_index: int | None  # None while it is not sealed
    at: str
    basis: str  # request | retention
    retention_class: str

    def to_json(self) -> dict[str, str]:
        return {"by": self.event_id, "at": self.at, "basis": self.basis, "class": self.retention_class}


Erased = Mapping[str, Mapping[str, ErasureRecord]]
"""By event and field, the record that erased its text."""


def erased_texts(conn: Connection, event_ids: Sequence[str]) -> Erased:
    """What the ledger says was erased of these events. Needs SELECT on the schema."""
    found: dict[str, dict[str, ErasureRecord]] = defaultdict(dict)
    wanted = set(event_ids)
    if not wanted or not conn.execute(_ANY).scalar_one():
        return found
    for begin in range(0, len(event_ids), _ASKED):
        names = [f"event:{event_id}" for event_id in event_ids[begin : begin + _ASKED]]
        for entry_id, index, raw in conn.execute(_ERASURES, {"names": names}):
            for event_id, field, erasure in _read(bytes(raw), entry_id, index):
                if event_id in wanted:
                    found[event_id].setdefault(field, erasure)
    return found


def _read(raw: bytes, entry_id: int, index: int | None) -> Iterable[tuple[str, str, ErasureRecord]]:
    """(event, field, erasure) for every text that the bytes name; nothing for bytes that are no such event."""
    try:
        body: dict[str, Any] = json.loads(raw)
        if body["kind"] != KIND:
            return []
        said = body["event"]
        erasure = ErasureRecord(
            str(body["event_id"]), entry_id, index, str(body["at"]), str(said["basis"]), str(said["retention_class"])
        )
        return [(str(event_id), str(field), erasure) for event_id in said["event_ids"] for field in said["fields"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []  # verification names a body that cannot be read

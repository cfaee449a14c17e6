"""Events about one thing, oldest first, with the private text that was not erased."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Text, and_, cast, func, or_, select, true
from sqlalchemy.dialects.postgresql import ARRAY

from policy.ledger.reading.erasures import ErasureRecord, erased_texts
from policy.ledger.tables import entries, private, sequence

PAGE = 1_000  # events of one call
_NOUNS = ("item", "asset", "request", "batch", "key", "recall", "erasure", "hold")


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event as it was recorded. `index` is its leaf, None while it is not sealed."""

    entry_id: int
    index: int | None
    event_id: str
    at: str  # RFC 3339
    tenant: str
    kind: str
    actor: str
    subjects: tuple[str, ...]
    event: Mapping[str, Any]  # a private field holds its commitment
    private: Mapping[str, str]  # the text of those that were not erased
    erased: Mapping[str, ErasureRecord] = field(default_factory=dict)  # what erased the others
    request_name: str | None = None  # where `with_request_names` looked it up; None too where it was erased

    def to_json(self) -> dict[str, Any]:
        """JSON-ready; private text stands where its commitment stood, and beside the commitment what erased it."""
        gone = {name: {**self.event[name], "erased": erasure.to_json()} for name, erasure in self.erased.items()}
        return {
            "index": self.index,
            "event_id": self.event_id,
            "at": self.at,
            "tenant": self.tenant,
            "kind": self.kind,
            "actor": self.actor,
            "subjects": list(self.subjects),
            "event": {**self.event, **gone, **self.private},
        }


def events_about(
    conn: Connection, thing_id: str, *, tenant: str | None, after: int = 0, limit: int = PAGE
) -> list[Recorded]:
    """Everything recorded about the item, asset, request, batch or key of this id; [] for an unknown id.

    For an item or an asset that is its whole history: its own events, and those of its request and of every batch it
    was in, without the other items of those. `tenant` restricts the answer to one tenant's events; events of batches
    belong to no tenant. None is for auditors. The next page is `after` the last entry_id. Needs SELECT on the schema.
    """
    names = {f"{noun}:{thing_id}" for noun in _NOUNS}
    beside = _names_beside(conn, {f"item:{thing_id}", f"asset:{thing_id}"}, tenant, without="batch.")
    wanted = _touches(names)
    if beside:
        own = names | {name for name in beside if name.startswith(("item:", "asset:"))}
        shared = {name for name in _names_beside(conn, own, tenant) if name.startswith(("request:", "batch:"))}
        of_all = or_(entries.c.kind.startswith("request."), entries.c.kind.startswith("batch."))
        wanted = or_(_touches(own), and_(_touches(shared), of_all))
    query = (
        select(entries, sequence.c.index.label("leaf_index"))
        .outerjoin_from(entries, sequence, sequence.c.entry_id == entries.c.id)
        .where(wanted, _confined(tenant), entries.c.id > after)
        .order_by(entries.c.id)
        .limit(limit)
    )
    return _recorded(conn, query)


def entries_by_id(conn: Connection, entry_ids: Sequence[int]) -> list[Recorded]:
    """These entries, in order, with their private text. Needs SELECT on the schema."""
    query = (
        select(entries, sequence.c.index.label("leaf_index"))
        .outerjoin_from(entries, sequence, sequence.c.entry_id == entries.c.id)
        .where(entries.c.id.in_(entry_ids))
        .order_by(entries.c.id)
    )
    return _recorded(conn, query)


def with_request_names(conn: Connection, recorded: Sequence[Recorded]) -> list[Recorded]:
    """The same, each with the name of its request: rules may hold for some campaigns only."""
    subject = func.audit.subject(entries.c.subjects, "request")
    wanted = {str(one.event.get("request_id")) for one in recorded}
    query = (
        select(subject, private.c.value)
        .join(private, and_(private.c.event_id == entries.c.event_id, private.c.field == "name"))
        .where(entries.c.kind == "request.accepted", subject.in_(wanted))
    )
    names: dict[str, str] = dict(conn.execute(query).all()) if wanted else {}
    return [replace(one, request_name=names.get(str(one.event.get("request_id")))) for one in recorded]


def _names_beside(conn: Connection, names: set[str], tenant: str | None, *, without: str = "") -> set[str]:
    """Every subject of the events that name one of these; `without` a kind, given by its beginning.

    A dispatched batch names all its items, so it does not show what belongs to one of them.
    """
    query = select(func.unnest(entries.c.subjects)).where(_touches(names), _confined(tenant)).distinct()
    if without:
        query = query.where(~entries.c.kind.startswith(without))
    return set(conn.scalars(query))


def _touches(names: Iterable[str]) -> ColumnElement[bool]:
    overlap: ColumnElement[bool] = entries.c.subjects.op("&&", is_comparison=True)(cast(sorted(names), ARRAY(Text)))
    return overlap


def _confined(tenant: str | None) -> ColumnElement[bool]:
    return true() if tenant is None else entries.c.tenant == tenant


def _recorded(conn: Connection, query: Select[Any]) -> list[Recorded]:
    return with_texts(conn, conn.execute(query).all())


def with_texts(conn: Connection, rows: Sequence[Row[Any]]) -> list[Recorded]:
    """Rows of entries with their leaf_index, with their private text or with the record that erased it."""
    event_ids = [row.event_id for row in rows]
    texts = _private_texts(conn, event_ids)  # first: what is erased between the two is explained by the second
    erased = erased_texts(conn, event_ids)
    return [_recorded_of(row, texts.get(row.event_id, {}), erased.get(row.event_id, {})) for row in rows]


def _private_texts(conn: Connection, event_ids: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
    """By event and field, what was not erased."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    query = select(private.c.event_id, private.c.field, private.c.value).where(private.c.event_id.in_(event_ids))
    for event_id, name, value in conn.execute(query):
        found[event_id][name] = value
    return found


def _recorded_of(row: Row[Any], texts: Mapping[str, str], erased: Mapping[str, ErasureRecord]) -> Recorded:
    body = json.loads(row.body)
    return Recorded(
        entry_id=row.id,
        index=row.leaf_index,
        event_id=row.event_id,
        at=body["at"],
        tenant=row.tenant,
        kind=row.kind,
        actor=row.actor,
        subjects=tuple(row.subjects),
        event=body["event"],
        private=texts,
        erased={name: erasure for name, erasure in erased.items() if name in body["event"] and name not in texts},
    )

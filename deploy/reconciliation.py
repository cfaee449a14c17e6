"""Reconciliation of jobs, assets and stored objects with the ledger, both ways: what one has and the other lacks.

Only reads, with the auditor's login. It goes in steps and pages, and every page ends with a `Place`; a run that was
stopped goes on from the last one. What is recorded while it runs may be missed and is never accused: each page is one
snapshot, and an object that no asset names is a stray only after eight days.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Connection, text

from workers.errors import NotFound
from workers.store import RELEASED, StoredObject

STEPS = ("assets", "events", "items", "objects", "strays")
PAGE = 500
_FIRST = {"events": "0", "strays": ""}
_NIL = "00000000-0000-0000-0000-000000000000"
_GRACE = timedelta(days=8)  # a day longer than leftovers of attempts that died are kept (docs/storage.md)

_ASSETS = text(
    """
    SELECT CAST(a.id AS text) AS id, a.state,
      (SELECT audit.said(e.body) #> '{event,renditions}' FROM audit.entries e
       WHERE e.kind = 'item.released' AND e.subjects @> ARRAY['asset:' || a.id] ORDER BY e.id LIMIT 1) AS told,
      (SELECT jsonb_agg(jsonb_build_object('key', r.key, 'sha256', r.sha256) ORDER BY r.key) FROM renditions r
       WHERE r.asset_id = a.id) AS files
    FROM assets a WHERE a.id > CAST(:after AS uuid) ORDER BY a.id LIMIT :limit
    """
)
_EVENTS = text(
    """
    WITH told AS (
      SELECT e.id, CAST(e.event_id AS text) AS event_id, audit.said(e.body) #>> '{event,asset_id}' AS asset_id
      FROM audit.entries e WHERE e.kind = 'item.released' AND e.id > CAST(:after AS bigint) ORDER BY e.id LIMIT :limit
    )
    SELECT CAST(t.id AS text) AS id, t.event_id, t.asset_id, EXISTS (
      SELECT FROM assets a
      WHERE a.id = CASE WHEN t.asset_id ~ '^[0-9a-f-]{36}$' THEN CAST(t.asset_id AS uuid) END) AS there
    FROM told t ORDER BY t.id
    """
)
_ITEMS = text(
    """
    SELECT CAST(i.id AS text) AS id, i.state, EXISTS (
      SELECT FROM audit.entries e WHERE e.subjects @> ARRAY['item:' || i.id]
        AND e.kind = CASE WHEN i.state = 'failed' THEN 'item.failed'
          WHEN i.reused_asset_id IS NOT NULL THEN 'item.reused' ELSE 'item.released' END) AS told
    FROM items i WHERE i.state IN ('released', 'recalled', 'failed') AND i.id > CAST(:after AS uuid)
    ORDER BY i.id LIMIT :limit
    """
)
_NAMED = text("SELECT key FROM renditions WHERE key = ANY(:keys)")
_ERASED = text(
    """
    SELECT audit.said(body) #>> '{event,object_key}' FROM audit.entries
    WHERE kind = 'picture.erased' AND subjects @> ARRAY['item:' || :item_id]
    """
)


class Readable(Protocol):
    """What is asked of the object store."""

    def get(self, key: str) -> bytes: ...

    def list(self, prefix: str, *, page_size: int = 1_000, after: str = "") -> Iterator[StoredObject]: ...


class Place(NamedTuple):
    """How far a run has come: its step, and the last row or key of it that was compared."""

    step: str = STEPS[0]
    after: str = _NIL


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that one side has and the other lacks, or has otherwise."""

    kind: str  # asset_untold | asset_differs | event_unknown | item_untold | object_missing | object_differs | stray
    subject: str
    message: str


@dataclass(frozen=True, slots=True)
class Compared:
    """One page: what was found, how many rows or objects it compared, and from where the next one goes on."""

    step: str
    compared: int
    differences: tuple[Difference, ...]
    next: Place | None  # None: everything is compared


def reconcile(
    conn: Connection, store: Readable, *, share: float = 1.0, start: Place | None = None
) -> Iterator[Compared]:
    """Every page from `start` on. Of objects only so large a share is fetched: the same ones in every run.

    Begins transactions on `conn`. Raises StoreUnavailable; the page that it broke off is compared again next time.
    """
    place: Place | None = start or Place()
    while place is not None:
        with conn.begin():
            conn.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
            page = _page(conn, store, place, share)
        yield page
        place = page.next


def _page(conn: Connection, store: Readable, place: Place, share: float) -> Compared:
    if place.step == "strays":
        rows: Sequence[Any] = list(islice(store.list(f"{RELEASED}/", page_size=PAGE, after=place.after), PAGE))
        found, last = _strays(conn, rows), rows[-1].key if rows else ""
    else:
        query = {"assets": _ASSETS, "objects": _ASSETS, "events": _EVENTS, "items": _ITEMS}[place.step]
        rows = conn.execute(query, {"after": place.after, "limit": PAGE}).all()
        last = rows[-1].id if rows else ""
        match place.step:
            case "assets":
                found = [each for row in rows for each in _asset(row)]
            case "events":
                found = [each for row in rows for each in _event(row)]
            case "items":
                found = [each for row in rows for each in _item(row)]
            case _:
                rows = [row for row in rows if row.state == "released" and _chosen(row.id, share)]
                found = [each for row in rows for each in _objects(conn, store, row)]
    return Compared(place.step, len(rows), tuple(found), Place(place.step, last) if last else _following(place.step))


def _following(step: str) -> Place | None:
    after = STEPS[STEPS.index(step) + 1 :]
    return Place(after[0], _FIRST.get(after[0], _NIL)) if after else None


def _chosen(asset_id: str, share: float) -> bool:
    """Whether an asset's objects are among the share that is fetched: by a digest, so nobody chose it."""
    return int.from_bytes(hashlib.sha256(asset_id.encode()).digest()[:4]) < share * (1 << 32)


def _asset(row: Any) -> Iterator[Difference]:
    if row.told is None:
        yield Difference(
            "asset_untold", row.id, f"asset {row.id} is {row.state}, and no event says that it was released"
        )
        return
    told = {file.get("key"): file.get("sha256") for file in row.told}
    for file in row.files or ():
        if told.get(file["key"]) != file["sha256"]:
            said = f"asset {row.id}: the row of {file['key']} names another digest than the event of its release"
            yield Difference("asset_differs", row.id, said)
    for key in sorted(told.keys() - {file["key"] for file in row.files or ()}):
        yield Difference("asset_differs", row.id, f"asset {row.id}: its release names {key}, which no row has")


def _event(row: Any) -> Iterator[Difference]:
    if not row.there:
        said = f"event {row.event_id} releases asset {row.asset_id}, which the jobs do not know"
        yield Difference("event_unknown", str(row.asset_id), said)


def _item(row: Any) -> Iterator[Difference]:
    if not row.told:
        yield Difference("item_untold", row.id, f"item {row.id} is {row.state}, and no event says so")


def _objects(conn: Connection, store: Readable, row: Any) -> Iterator[Difference]:
    """The files of an asset as they lie in the store, held against the digests of its release."""
    for file in row.told or ():
        key, sha256 = str(file.get("key")), file.get("sha256")
        try:
            stored = hashlib.sha256(store.get(key)).hexdigest()
        except NotFound:
            if key not in _erased(conn, key):
                yield Difference(
                    "object_missing", key, f"{key} of asset {row.id} is gone, and no event says it was erased"
                )
            continue
        if stored != sha256:
            yield Difference("object_differs", key, f"{key} of asset {row.id} holds other bytes than were released")


def _erased(conn: Connection, key: str) -> set[str]:
    item_id = key.split("/")[2] if key.count("/") > 2 else ""
    return set(conn.scalars(_ERASED, {"item_id": item_id}))


def _strays(conn: Connection, listed: Sequence[StoredObject]) -> list[Difference]:
    named = set(conn.scalars(_NAMED, {"keys": [each.key for each in listed]}))
    late = datetime.now(UTC) - _GRACE
    return [
        Difference("stray", each.key, f"{each.key} lies in the store, and no asset names it")
        for each in listed
        if each.key not in named and each.modified_at < late
    ]

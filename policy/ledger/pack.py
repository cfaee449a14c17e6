"""Evidence packs: a ZIP with events, their proofs and everything an outside auditor needs to check them offline.

What is in the database goes in as it is: judging it is for the verifier that the pack carries, and for the copy of
that verifier which the auditor brings along. One log, one selection, one checkpoint: always the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, func, select, text

from policy.errors import BrokenLedger, LedgerError
from policy.ledger.append import timestamp
from policy.ledger.explain import erased_texts
from policy.ledger.notes import Vkey
from policy.ledger.offline_verifier import FORMAT
from policy.ledger.proofs import Prover
from policy.ledger.tables import checkpoints, entries, private, sequence

MAX_EVENTS = 100_000  # two files an event: about 1 GB unpacked, within what the verifier opens
_CHUNK = 1_000  # events in memory
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # a ZIP's first day: no clock, or two packs of one log would differ
_DIGEST = re.compile(rb"sha256:[0-9a-f]{64}")
_README = """An evidence pack of the audit log {origin}.

    python verify.py THIS.zip --vkey 'LINE' --checkpoint FILE

LINE is the log's public key as it was given to you, FILE a checkpoint that you kept. verify.py needs Python 3.11 and
the package cryptography. Use your own copy of it: this one comes from the house that is audited.
"""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a pack is about: one asset or item, one request, or a range of time; nothing given is the whole log."""

    asset_id: str | None = None
    request_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None  # exclusive

    def to_json(self) -> dict[str, str]:
        instants = {"from": self.since, "to": self.until}
        return {
            **({"asset": self.asset_id} if self.asset_id else {}),
            **({"request": self.request_id} if self.request_id else {}),
            **{name: timestamp(at) for name, at in instants.items() if at},
        }


@dataclass(frozen=True, slots=True)
class Packed:
    """What went into a pack."""

    events: int
    size: int  # leaves under its newest checkpoint
    sha256: str  # of the file


@dataclass(frozen=True, slots=True)
class _Zip:
    """The archive that grows, and the digest of everything in it."""

    archive: zipfile.ZipFile
    digests: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, content: bytes) -> None:
        entry = zipfile.ZipInfo(name, _LONG_AGO)
        entry.create_system, entry.external_attr = 3, 0o100644 << 16  # said as on Unix, wherever we run
        self.archive.writestr(entry, content, zipfile.ZIP_DEFLATED, 6)
        self.digests[name] = hashlib.sha256(content).hexdigest()


def write_pack(
    conn: Connection,
    path: Path,
    selection: Selection,
    *,
    vkeys: Sequence[Vkey],
    texts: Mapping[str, Mapping[str, bytes]],
    with_private: bool = True,
    sizes: Iterable[int] = (),
) -> Packed:
    """Writes the pack; a death in between leaves only PATH.half.

    `texts` are files at hand by the digest that events name them with ("sha256:..."): those that are named go in.
    `sizes` are further checkpoints to include, such as one that the auditor kept. Begins the transaction.
    Raises LedgerError for what does not exist, is not sealed, or is too much.
    """
    conn.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    heads: dict[int, str] = dict(conn.execute(select(checkpoints.c.size, checkpoints.c.note)).all())
    if not heads:
        raise LedgerError("nothing is sealed yet, so nothing can be proven")
    if unknown := sorted(set(sizes) - heads.keys()):
        raise LedgerError(f"there is no checkpoint of {unknown[0]} leaves")
    chosen, whole = _choose(conn, selection, max(heads))
    indices = _with_erasures(conn, chosen)
    half = path.with_name(f"{path.name}.half")
    with zipfile.ZipFile(half, "w") as archive:
        files = _Zip(archive)
        _add_checkpoints(files, conn, heads, _covering(sorted(heads), indices) | set(sizes))
        named = _add_events(files, conn, indices, heads, with_private=with_private)
        for digest in sorted(named & texts.keys()):
            for name, content in sorted(texts[digest].items()):
                files.add(name, content)
        files.add("vkeys", "".join(f"{vkey}\n" for vkey in vkeys).encode())
        files.add("verify.py", Path(__file__).with_name("offline_verifier.py").read_bytes())
        files.add("README.txt", _README.format(origin=vkeys[0].name).encode())
        manifest = {
            "format": FORMAT,
            "origin": vkeys[0].name,
            "selection": selection.to_json(),
            "range": whole,
            "size": max(heads),
            "private": with_private,
            "files": dict(sorted(files.digests.items())),
        }
        files.add("manifest.json", json.dumps(manifest, indent=1).encode())
    half.replace(path)
    with path.open("rb") as stream:
        return Packed(len(indices), max(heads), hashlib.file_digest(stream, "sha256").hexdigest())


def _choose(conn: Connection, selection: Selection, size: int) -> tuple[Sequence[int], list[int] | None]:
    """The leaves that belong to a selection, and, if they are a range without gaps, its two ends."""
    indices: Sequence[int]
    if thing_id := selection.asset_id or selection.request_id:
        nouns = ("asset", "item") if selection.asset_id else ("request",)
        indices = _about(conn, [f"{noun}:{thing_id}" for noun in nouns])
        if not indices:
            raise LedgerError(f"no sealed event is about {nouns[0]} {thing_id}; what is new is sealed seconds later")
        whole = None
    else:
        place = select(func.min(sequence.c.index), func.max(sequence.c.index)).join(
            entries, entries.c.id == sequence.c.entry_id
        )
        if selection.since:
            place = place.where(entries.c.recorded_at >= selection.since)
        if selection.until:
            place = place.where(entries.c.recorded_at < selection.until)
        first, last = conn.execute(place).one()
        if first is None:
            raise LedgerError("no sealed event lies in that range of time")
        whole = [first, last + 1] if selection.since or selection.until else [0, size]
        indices = range(whole[0], max(whole[1], last + 1))
    if len(indices) > MAX_EVENTS:
        raise LedgerError(f"{len(indices):,} events are more than a pack holds ({MAX_EVENTS:,}); ask for less time")
    return indices, whole


def _with_erasures(conn: Connection, indices: Sequence[int]) -> Sequence[int]:
    """The leaves, and those of the events that erased private text of theirs: a pack says why text is missing.

    Raises LedgerError while such an event is not sealed yet.
    """
    found: set[int] = set()
    for begin in range(0, len(indices), _CHUNK):
        part = select(sequence.c.event_id).where(sequence.c.index.in_(indices[begin : begin + _CHUNK]))
        for fields in erased_texts(conn, list(conn.scalars(part))).values():
            for erasure in fields.values():
                if erasure.index is None:
                    raise LedgerError(f"event {erasure.event_id}, which erased text, is not sealed yet; try again")
                found.add(erasure.index)
    more = found - set(indices)
    return sorted([*indices, *more]) if more else indices


def _about(conn: Connection, names: list[str]) -> list[int]:
    """Leaves about these things: what names them, and what is recorded of the requests and batches they were in."""
    found = conn.execute(
        text(
            """
            WITH own AS (
              SELECT unnest(subjects) AS name FROM audit.entries WHERE subjects && :names AND kind NOT LIKE 'batch.%'
            ), mine AS (
              SELECT array_agg(DISTINCT name) AS names FROM own
              WHERE name = ANY(:names) OR name LIKE 'item:%' OR name LIKE 'asset:%'
            ), around AS (
              SELECT array_agg(DISTINCT name) AS names FROM audit.entries, unnest(subjects) AS name
              WHERE subjects && (SELECT names FROM mine) AND (name LIKE 'request:%' OR name LIKE 'batch:%')
            )
            SELECT s.index FROM audit.entries e JOIN audit.sequence s ON s.entry_id = e.id
            WHERE e.subjects && (SELECT names FROM mine)
               OR e.subjects && (SELECT names FROM around) AND (e.kind LIKE 'request.%' OR e.kind LIKE 'batch.%')
            ORDER BY s.index
            """
        ),
        {"names": names},
    )
    return list(found.scalars())


def _covering(sizes: Sequence[int], indices: Iterable[int]) -> set[int]:
    """For each leaf the first checkpoint that covered it, and the newest, under which all are proven."""
    first = {bisect_right(sizes, index) for index in indices}
    return {sizes[place] for place in first if place < len(sizes)} | {sizes[-1]}


def _add_checkpoints(files: _Zip, conn: Connection, heads: Mapping[int, str], sizes: set[int]) -> None:
    prover, newest = Prover(conn), max(heads)
    for size in sorted(sizes):
        files.add(f"checkpoints/{size}", heads[size].encode())
        if size != newest:
            try:
                files.add(f"consistency/{size}", str(prover.consistency(size, newest, heads[newest])).encode())
            except BrokenLedger:  # hashes are gone: the verifier says that the proof is missing
                continue


def _add_events(
    files: _Zip, conn: Connection, indices: Sequence[int], heads: Mapping[int, str], *, with_private: bool
) -> set[str]:
    """Events with their proofs, the index of them and their private text; the digests that the events name."""
    prover, size = Prover(conn), max(heads)
    listing: list[str] = []
    event_ids: list[str] = []
    secrets: list[str] = []
    named: set[str] = set()
    for row in _rows(conn, indices):
        listing.append(json.dumps(_listed(row)))
        if row.body is None:
            continue
        event_ids.append(row.event_id)
        files.add(f"events/{row.leaf_index:012}.json", row.body)
        named.update(digest.decode() for digest in _DIGEST.findall(row.body))
        if row.leaf_index < size:
            try:
                proof = prover.inclusion(row.leaf_index, size, heads[size])
            except BrokenLedger:  # as above
                continue
            files.add(f"proofs/{row.leaf_index:012}.tlog-proof", str(proof).encode())
    if with_private:
        for begin in range(0, len(event_ids), _CHUNK):
            secrets += _secrets(conn, event_ids[begin : begin + _CHUNK])
    files.add("index.jsonl", "".join(f"{line}\n" for line in listing).encode())
    files.add("private.jsonl", "".join(f"{line}\n" for line in secrets).encode())
    return named


def _rows(conn: Connection, indices: Sequence[int]) -> Iterator[Row[Any]]:
    query = select(
        sequence.c.index.label("leaf_index"),
        sequence.c.leaf.label("sealed"),
        sequence.c.event_id.label("sealed_id"),
        *(column for column in entries.c if column.name != "leaf"),
    ).outerjoin_from(sequence, entries, entries.c.id == sequence.c.entry_id)
    for begin in range(0, len(indices), _CHUNK):
        chosen = sequence.c.index.in_(indices[begin : begin + _CHUNK])
        yield from conn.execute(query.where(chosen).order_by(sequence.c.index))


def _listed(row: Row[Any]) -> dict[str, Any]:
    """The columns of an event as the database has them, for the verifier to hold against the bytes."""
    return {
        "index": row.leaf_index,
        "leaf": row.sealed.hex(),
        "event_id": row.event_id or row.sealed_id,
        "tenant": row.tenant,
        "kind": row.kind,
        "actor": row.actor,
        "at": row.recorded_at and timestamp(row.recorded_at),
        "subjects": row.subjects,
    }


def _secrets(conn: Connection, event_ids: Sequence[str]) -> Iterator[str]:
    query = select(private).where(private.c.event_id.in_(event_ids)).order_by(private.c.event_id, private.c.field)
    for row in conn.execute(query):
        yield json.dumps({"event_id": row.event_id, "field": row.field, "salt": row.salt.hex(), "value": row.value})

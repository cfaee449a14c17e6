"""Evidence packs: a ZIP with events, their proofs, and everything an outside auditor needs to check them offline.

Data goes in as the database has it. Judging it is left to the verifier in the pack, and to the auditor's own copy of
that verifier. One log, one selection and one checkpoint always give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
import zipfile
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, select, text

from policy.errors import BrokenLedger, NotProvable, TooMuch
from policy.ledger import documents
from policy.ledger.append import timestamp
from policy.ledger.evidence.offline_verifier import FORMAT, MAX_BYTES, MAX_FILE_BYTES, README
from policy.ledger.evidence.selection import MAX_EVENTS, Selection, choose, demand_none_unsealed
from policy.ledger.tables import checkpoints, entries, private, sequence
from policy.ledger.tree.cosignatures import cosigned_note
from policy.ledger.tree.notes import Vkey
from policy.ledger.tree.proofs import Prover
from policy.ledger.witnesses.witness_policy import WitnessPolicy, newest_witnessed

_CHUNK = 1_000  # events in memory
_SPOOL_BYTES = 8 << 20  # of a listing, before it goes to a file
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # a ZIP's first day: no clock, or two packs of one log would differ
_NAMED = re.compile(
    rb'"(?:policy_version|model_revision)":"sha256:([0-9a-f]{64})"|"(?:card|verifier)_sha256":"([0-9a-f]{64})"'
)
_PLACES = {
    "policy": "policy/{}.yaml",
    "card": "cards/{}.yaml",
    "files": "models/{}.sha256",
    "verifier": "verifiers/{}.py",
}


@dataclass(frozen=True, slots=True)
class Packed:
    """The content of a pack, in numbers."""

    events: int
    size: int  # leaves under its newest checkpoint
    sha256: str  # of the file


@dataclass(slots=True)
class _Zip:
    """The archive that grows, the digest of everything in it, and how much it unpacks to."""

    archive: zipfile.ZipFile
    digests: dict[str, str] = field(default_factory=dict)
    unpacked: int = 0

    def add(self, name: str, content: bytes) -> None:
        self._count(name, len(content))
        self.archive.writestr(_entry(name), content, zipfile.ZIP_DEFLATED, 6)
        self.digests[name] = hashlib.sha256(content).hexdigest()

    def add_lines(self, name: str, lines: Any) -> None:
        """A spooled file, from its beginning."""
        self._count(name, lines.tell())
        lines.seek(0)
        digest = hashlib.sha256()
        with self.archive.open(_entry(name), "w") as file:
            while block := lines.read(1 << 20):
                file.write(block)
                digest.update(block)
        self.digests[name] = digest.hexdigest()

    def _count(self, name: str, size: int) -> None:
        """The verifier refuses, unread, what unpacks to more: better to say so here."""
        self.unpacked += size
        if size > MAX_FILE_BYTES or self.unpacked > MAX_BYTES:
            most = f"{MAX_BYTES >> 20:,} MiB, {MAX_FILE_BYTES >> 20} MiB a file"
            raise TooMuch(
                f"with {name} the pack would unpack to more than the verifier reads ({most}). Remedy: ask for less"
            )


def write_pack(
    conn: Connection,
    path: Path,
    selection: Selection,
    *,
    vkeys: Sequence[Vkey],
    with_private: bool = True,
    sizes: Iterable[int] = (),
    witnesses: WitnessPolicy | None = None,
    limit: int = MAX_EVENTS,
) -> Packed:
    """Writes the pack; a death in between leaves only PATH.half.

    `sizes` are further checkpoints to include, such as one that the auditor kept. With a witness policy, the newest
    head that a quorum cosigned is treated as the newest there is. Begins the transaction. Raises NotProvable for what
    does not exist or is not sealed, TooMuch for more than a pack holds.
    """
    conn.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    heads: dict[int, str] = dict(conn.execute(select(checkpoints.c.size, checkpoints.c.note)).all())
    if not heads:
        demand_none_unsealed(conn, selection)
        raise NotProvable("nothing is sealed yet, so nothing can be proven")
    if witnesses:
        witnessed = newest_witnessed(conn, witnesses)
        heads = {size: note for size, note in heads.items() if size <= witnessed}
        if not heads:
            raise NotProvable(f"no head has the quorum of witnesses '{witnesses.quorum}' yet; ask again later")
    if unknown := sorted(set(sizes) - heads.keys()):
        raise NotProvable(f"there is no checkpoint of {unknown[0]} leaves")
    chosen = choose(conn, selection, max(heads), beyond=witnesses is None, limit=limit)
    shown = _covering(sorted(heads), chosen.indices) | set(sizes)
    heads |= {size: cosigned_note(conn, size, heads[size]) for size in shown}
    half = path.with_name(f"{path.name}.half")
    with ExitStack() as undo:
        undo.callback(half.unlink, missing_ok=True)
        with zipfile.ZipFile(half, "w") as archive:
            files = _Zip(archive)
            _add_checkpoints(files, conn, heads, shown)
            named = _add_events(files, conn, chosen.indices, heads, with_private=with_private)
            for sha256, (kind, body) in sorted(documents.texts(conn, named).items()):
                files.add(_PLACES[kind].format(sha256), body)
            files.add("vkeys", "".join(f"{vkey.line}\n" for vkey in vkeys).encode())
            if witnesses:
                files.add("witnesses", witnesses.text.encode())
            files.add("verify.py", Path(__file__).with_name("offline_verifier.py").read_bytes())
            files.add("README.txt", README.format(origin=vkeys[0].name).encode())
            manifest = {
                "format": FORMAT,
                "origin": vkeys[0].name,
                "selection": selection.to_json(),
                "range": chosen.whole,
                "size": max(heads),
                "private": with_private,
                "files": dict(sorted(files.digests.items())),
            }
            files.add("manifest.json", json.dumps(manifest, indent=1).encode())
        half.replace(path)
    with path.open("rb") as stream:
        return Packed(len(chosen.indices), max(heads), hashlib.file_digest(stream, "sha256").hexdigest())


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _LONG_AGO)
    entry.create_system, entry.external_attr = 3, 0o100644 << 16  # said as on Unix, wherever we run
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


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
    """Events with their proofs, the index of them and their private text; the digests of texts that they name."""
    prover, size = Prover(conn), max(heads)
    named: set[str] = set()
    with ExitStack() as spools:
        listing, texts = (spools.enter_context(tempfile.SpooledTemporaryFile(_SPOOL_BYTES)) for _ in range(2))
        for rows in _rows(conn, indices):
            for row in rows:
                listing.write(f"{json.dumps(_listed(row))}\n".encode())
                if row.body is None:
                    continue
                files.add(f"events/{row.leaf_index:012}.json", row.body)
                named.update((one or other).decode() for one, other in _NAMED.findall(row.body))
                if row.leaf_index < size:
                    try:
                        proof = prover.inclusion(row.leaf_index, size, heads[size])
                    except BrokenLedger:  # as above
                        continue
                    files.add(f"proofs/{row.leaf_index:012}.tlog-proof", str(proof).encode())
            if with_private:
                for line in _secrets(conn, [row.event_id for row in rows if row.body is not None]):
                    texts.write(f"{line}\n".encode())
        files.add_lines("index.jsonl", listing)
        files.add_lines("private.jsonl", texts)
    return named


def _rows(conn: Connection, indices: Sequence[int]) -> Iterator[Sequence[Row[Any]]]:
    query = select(
        sequence.c.index.label("leaf_index"),
        sequence.c.leaf.label("sealed"),
        sequence.c.event_id.label("sealed_id"),
        *(column for column in entries.c if column.name != "leaf"),
    ).outerjoin_from(sequence, entries, entries.c.id == sequence.c.entry_id)
    for begin in range(0, len(indices), _CHUNK):
        chosen = sequence.c.index.in_(indices[begin : begin + _CHUNK])
        yield conn.execute(query.where(chosen).order_by(sequence.c.index)).all()


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

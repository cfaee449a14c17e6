"""Proofs for readers with only the public key: that an entry is in the log, or that one checkpoint extends another.

Formats: c2sp.org/tlog-proof for an entry, the request body of c2sp.org/tlog-witness for a checkpoint. A proof is cut
from the stored leaves and nodes, a few hundred hashes however long the log is. It holds offline and for ever.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from policy.errors import BrokenLedger, NotProvable, NotSealedYet
from policy.ledger.tables import checkpoints, entries, nodes, sequence
from policy.ledger.tree.cosignatures import cosigned_note
from policy.ledger.tree.merkle import (
    HASH_BYTES,
    TILE,
    TILE_BITS,
    MerkleTree,
    consistency_holds,
    consistency_path,
    inclusion_holds,
    inclusion_path,
    leaf_hash,
)
from policy.ledger.tree.notes import Checkpoint, Vkey, open_checkpoint

_FORMAT = "c2sp.org/tlog-proof@v1"
_PLACE = select(sequence.c.index).join(entries, entries.c.id == sequence.c.entry_id)
_KEPT_HEIGHT = 3  # lower ones are cheaper to compute than to keep


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """Proof that a leaf is in the tree of a signed checkpoint."""

    index: int
    path: tuple[bytes, ...]
    note: str

    def __str__(self) -> str:
        return f"{_FORMAT}\nindex {self.index}\n{_lines(self.path)}\n{self.note}"

    @classmethod
    def parse(cls, text: str) -> InclusionProof:
        """Reads what `str` writes; a line of extra data is skipped. Raises BrokenLedger."""
        head, blank, note = text.partition("\n\n")
        lines = head.split("\n")
        if lines[0] != _FORMAT or not blank:
            raise BrokenLedger(f"not a proof: it must begin with {_FORMAT}")
        rest = lines[2:] if len(lines) > 1 and lines[1].startswith("extra ") else lines[1:]
        return cls(_number("index", rest), tuple(_hash(line) for line in rest[1:]), note)


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """Proof that the tree of a signed checkpoint begins with the tree of `old` leaves."""

    old: int
    path: tuple[bytes, ...]
    note: str

    def __str__(self) -> str:
        return f"old {self.old}\n{_lines(self.path)}\n{self.note}"

    @classmethod
    def parse(cls, text: str) -> ConsistencyProof:
        """Reads what `str` writes. Raises BrokenLedger."""
        head, _, note = text.partition("\n\n")
        lines = head.split("\n")
        return cls(_number("old", lines), tuple(_hash(line) for line in lines[1:]), note)


class Prover:
    """Cuts many proofs from one snapshot of the log. The hashes that they share are read once."""

    def __init__(self, conn: Connection) -> None:
        self._stored = _Stored(conn)

    def inclusion(self, index: int, size: int, note: str) -> InclusionProof:
        """Leaf `index` under the checkpoint in `note`, of `size` leaves. Raises BrokenLedger if hashes are missing."""
        return InclusionProof(index, tuple(inclusion_path(index, size, self._stored.node_at)), note)

    def consistency(self, old: int, new: int, note: str) -> ConsistencyProof:
        """That the tree of `new` leaves, whose checkpoint is in `note`, begins with that of `old`. Raises as above."""
        return ConsistencyProof(old, tuple(consistency_path(old, new, self._stored.node_at)), note)


class Proven(NamedTuple):
    """An event's exact bytes, and the proof of them under a head of `size` leaves."""

    event_id: str
    body: bytes
    proof: InclusionProof
    size: int


def head(conn: Connection, size: int | None = None) -> str:
    """The signed note of the head of `size` leaves, by default the newest, with the cosignatures kept of it.

    Raises NotProvable if there is none.
    """
    query = select(checkpoints.c.size, checkpoints.c.note).order_by(checkpoints.c.size.desc()).limit(1)
    found = conn.execute(query if size is None else query.where(checkpoints.c.size == size)).one_or_none()
    if found is None:
        raise NotProvable(_no_head(conn, size))
    return cosigned_note(conn, found.size, found.note)


def _no_head(conn: Connection, size: int | None) -> str:
    """That there is no such head, and which ones are next to it."""
    below, above = (
        conn.execute(select(pick(checkpoints.c.size)).where(side)).scalar_one()
        for pick, side in ((func.max, checkpoints.c.size < (size or 0)), (func.min, checkpoints.c.size > (size or 0)))
    )
    near = " and ".join(str(one) for one in (below, above) if one is not None)
    if size is None or not near:
        return "nothing is sealed yet"
    return f"there is no checkpoint of {size} leaves; the nearest: {near}"


def proven_asset(conn: Connection, asset_id: str, *, size: int | None = None, tenant: str | None = None) -> Proven:
    """The event that released an asset. Raises NotProvable as `proven_event` does."""
    released = select(entries.c.event_id).where(
        entries.c.subjects.contains([f"asset:{asset_id}"]), entries.c.kind == "item.released"
    )
    event_id = conn.execute(released.order_by(entries.c.id).limit(1)).scalar_one_or_none()
    if event_id is None:
        raise NotProvable(f"no event released an asset {asset_id}")
    return proven_event(conn, event_id, size=size, tenant=tenant)


def proven_event(conn: Connection, event_id: str, *, size: int | None = None, tenant: str | None = None) -> Proven:
    """An event with its proof; `tenant` confines it to one tenant's. Raises NotProvable as `prove`, NotSealedYet."""
    query = select(entries.c.body).where(entries.c.event_id == event_id)
    body = conn.execute(query if tenant is None else query.where(entries.c.tenant == tenant)).scalar_one_or_none()
    if body is None:
        raise NotProvable(f"no event {event_id}")
    if conn.execute(_PLACE.where(entries.c.event_id == event_id)).scalar_one_or_none() is None:
        raise NotSealedYet(f"event {event_id} is not sealed yet; it can be proven after the next seal, seconds later")
    proof = prove(conn, event_id, size=size)
    return Proven(event_id, bytes(body), proof, int(proof.note.split("\n")[1]))


def prove(conn: Connection, event_id: str, *, size: int | None = None) -> InclusionProof:
    """The proof of an event under the checkpoint of `size` leaves, by default the newest.

    Raises NotProvable for an event that is not sealed (yet), or not in a tree that small.
    """
    index = conn.execute(_PLACE.where(entries.c.event_id == event_id)).scalar_one_or_none()
    if index is None:
        raise NotProvable(f"no sealed event {event_id}. An event can be proven after the next seal, seconds later")
    checkpoint = select(checkpoints.c.size, checkpoints.c.note).where(checkpoints.c.size > index)
    if size is not None:
        checkpoint = checkpoint.where(checkpoints.c.size == size)
    found = conn.execute(checkpoint.order_by(checkpoints.c.size.desc()).limit(1)).one_or_none()
    if found is None:
        raise NotProvable(f"there is no checkpoint of {size} leaves that covers leaf {index}")
    return Prover(conn).inclusion(index, found.size, cosigned_note(conn, found.size, found.note))


def prove_consistency(conn: Connection, old: int, new: int) -> tuple[bytes, ...]:
    """The path from the tree of `old` leaves to that of `new`; `merkle.consistency_holds` checks it.

    Raises NotProvable for trees that this log has not sealed.
    """
    sealed = conn.execute(select(checkpoints.c.size).order_by(checkpoints.c.size.desc()).limit(1)).scalar_one_or_none()
    if not 0 < old <= new <= (sealed or 0):
        raise NotProvable(
            f"cannot compare {old} with {new} leaves: sealed are {sealed or 0}, and the old is the smaller"
        )
    return tuple(consistency_path(old, new, _Stored(conn).node_at))


def check(proof: InclusionProof, body: bytes, vkeys: Iterable[Vkey]) -> Checkpoint:
    """The checkpoint under which `body` is proven to be leaf `proof.index`. Needs no database.

    Raises BrokenLedger or UnknownKey.
    """
    checkpoint = open_checkpoint(proof.note, vkeys)
    if not inclusion_holds(leaf_hash(body), proof.index, checkpoint.size, proof.path, checkpoint.root):
        raise BrokenLedger(f"these bytes are not leaf {proof.index} of the tree of {checkpoint.size} leaves")
    return checkpoint


def prove_extension(conn: Connection, old: int, new: int, vkeys: Iterable[Vkey]) -> ConsistencyProof:
    """That the checkpoint of `new` leaves extends that of `old`, checked before it is given.

    Raises NotProvable for sizes at which nothing was signed, BrokenLedger if it is not so.
    """
    query = select(checkpoints.c.size, checkpoints.c.note).where(checkpoints.c.size.in_([old, new]))
    notes: dict[int, str] = dict(conn.execute(query).all())
    if missing := [size for size in (old, new) if size not in notes]:
        raise NotProvable(_no_head(conn, missing[0]))
    proof = ConsistencyProof(old, prove_consistency(conn, old, new), notes[new])
    check_extension(proof, notes[old], vkeys)
    return proof


def check_extension(proof: ConsistencyProof, old_note: str, vkeys: Iterable[Vkey]) -> Checkpoint:
    """The checkpoint that is proven to extend the one in `old_note`. Needs no database.

    Raises BrokenLedger or UnknownKey.
    """
    trusted = tuple(vkeys)
    old, new = open_checkpoint(old_note, trusted), open_checkpoint(proof.note, trusted)
    if (old.origin, old.size) != (new.origin, proof.old):
        raise BrokenLedger(
            f"a proof of {new.origin} from {proof.old} leaves says nothing of {old.size} of {old.origin}"
        )
    if not consistency_holds(old.size, new.size, old.root, new.root, proof.path):
        raise BrokenLedger(f"the tree of {new.size} leaves does not begin with the {old.size} leaves signed before")
    return new


class _Stored:
    """Subtree roots from the database, one tile of 256 hashes a query; those over eight leaves and more are kept."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._tiles: dict[tuple[int, int], Sequence[bytes]] = {}
        self._roots: dict[tuple[int, int], bytes] = {}

    def node_at(self, height: int, index: int) -> bytes:
        if (height, index) in self._roots:
            return self._roots[height, index]
        root = self._computed(height, index)
        if height >= _KEPT_HEIGHT:
            self._roots[height, index] = root
        return root

    def _computed(self, height: int, index: int) -> bytes:
        level, above = divmod(height, TILE_BITS)
        begin, count = index << above, 1 << above
        tile = self._tile(level, begin // TILE)[begin % TILE : begin % TILE + count]
        if len(tile) != count:
            raise BrokenLedger(
                f"stored hashes of level {level} are missing near {begin}; 'presswork audit verify' says more"
            )
        part = MerkleTree()
        for hashed in tile:
            part.add(hashed)
        return part.root()

    def _tile(self, level: int, index: int) -> Sequence[bytes]:
        if (level, index) not in self._tiles:
            stored, hashed = (sequence.c.index, sequence.c.leaf) if level == 0 else (nodes.c.index, nodes.c.hash)
            query = select(hashed).where(stored >= index * TILE, stored < (index + 1) * TILE).order_by(stored)
            if level:
                query = query.where(nodes.c.level == level)
            self._tiles[level, index] = list(self._conn.scalars(query))
        return self._tiles[level, index]


def _lines(path: Iterable[bytes]) -> str:
    return "".join(f"{base64.b64encode(one).decode()}\n" for one in path)


def _number(word: str, lines: Sequence[str]) -> int:
    """The number in the first line, "WORD NUMBER"."""
    first, _, number = lines[0].partition(" ") if lines else ("", "", "")
    if first != word or not (number.isascii() and number.isdigit()) or (number[0] == "0" and number != "0"):
        raise BrokenLedger(f"not a proof: the line '{word} NUMBER' is missing")
    return int(number)


def _hash(line: str) -> bytes:
    try:
        hashed = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError):
        hashed = b""
    if len(hashed) != HASH_BYTES:
        raise BrokenLedger(f"not a proof: {line[:60]!r} is no hash")
    return hashed

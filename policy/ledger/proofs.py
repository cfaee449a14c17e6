"""Prove one entry, or that one checkpoint extends another, to somebody who has only the public key.

Format: c2sp.org/tlog-proof. A proof is cut from the stored leaves and nodes, a few hundred hashes
however long the log is, and is good offline and for ever.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from policy.errors import BrokenLedger, LedgerError
from policy.ledger.merkle import (
    HASH_BYTES,
    TILE,
    TILE_BITS,
    Tree,
    consistency_path,
    inclusion_holds,
    inclusion_path,
    leaf_hash,
)
from policy.ledger.notes import Checkpoint, Vkey, open_checkpoint
from policy.ledger.tables import checkpoints, entries, nodes, sequence

_FORMAT = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """That a leaf is in the tree of a signed checkpoint."""

    index: int
    path: tuple[bytes, ...]
    note: str

    def __str__(self) -> str:
        hashes = "".join(f"{base64.b64encode(one).decode()}\n" for one in self.path)
        return f"{_FORMAT}\nindex {self.index}\n{hashes}\n{self.note}"

    @classmethod
    def parse(cls, text: str) -> InclusionProof:
        """Reads what `str` writes; a line of extra data is skipped. Raises BrokenLedger."""
        head, blank, note = text.partition("\n\n")
        lines = head.split("\n")
        if lines[0] != _FORMAT or not blank:
            raise BrokenLedger(f"not a proof: it must begin with {_FORMAT}")
        rest = lines[2:] if len(lines) > 1 and lines[1].startswith("extra ") else lines[1:]
        word, _, number = rest[0].partition(" ") if rest else ("", "", "")
        if word != "index" or not (number.isascii() and number.isdigit()) or (number[0] == "0" and number != "0"):
            raise BrokenLedger("not a proof: the line 'index NUMBER' is missing")
        return cls(int(number), tuple(_hash(line) for line in rest[1:]), note)


def prove(conn: Connection, event_id: str, *, size: int | None = None) -> InclusionProof:
    """The proof of an event under the checkpoint of `size` leaves, by default the newest.

    Raises LedgerError for an event that is not sealed (yet), or not in a tree that small.
    """
    place = select(sequence.c.index).join(entries, entries.c.id == sequence.c.entry_id)
    index = conn.execute(place.where(entries.c.event_id == event_id)).scalar_one_or_none()
    if index is None:
        raise LedgerError(f"no sealed event {event_id}. An event can be proven after the next seal, seconds later")
    checkpoint = select(checkpoints.c.size, checkpoints.c.note).where(checkpoints.c.size > index)
    if size is not None:
        checkpoint = checkpoint.where(checkpoints.c.size == size)
    head = conn.execute(checkpoint.order_by(checkpoints.c.size.desc()).limit(1)).one_or_none()
    if head is None:
        raise LedgerError(f"there is no checkpoint of {size} leaves that covers leaf {index}")
    return InclusionProof(index, tuple(inclusion_path(index, head.size, _Stored(conn).node_at)), head.note)


def body_of(conn: Connection, event_id: str) -> bytes:
    """The exact bytes of an event, which a proof proves. Raises LedgerError for an unknown one."""
    body = conn.execute(select(entries.c.body).where(entries.c.event_id == event_id)).scalar_one_or_none()
    if body is None:
        raise LedgerError(f"no event {event_id}")
    return bytes(body)


def prove_consistency(conn: Connection, old: int, new: int) -> tuple[bytes, ...]:
    """The path from the tree of `old` leaves to that of `new`; `merkle.consistency_holds` checks it.

    Raises LedgerError for trees that this log has not sealed.
    """
    sealed = conn.execute(select(checkpoints.c.size).order_by(checkpoints.c.size.desc()).limit(1)).scalar_one_or_none()
    if not 0 < old <= new <= (sealed or 0):
        raise LedgerError(
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


class _Stored:
    """Subtree roots from the database, one tile of 256 hashes a query."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._tiles: dict[tuple[int, int], Sequence[bytes]] = {}

    def node_at(self, height: int, index: int) -> bytes:
        level, above = divmod(height, TILE_BITS)
        begin, count = index << above, 1 << above
        tile = self._tile(level, begin // TILE)[begin % TILE : begin % TILE + count]
        if len(tile) != count:
            raise BrokenLedger(
                f"stored hashes of level {level} are missing near {begin}; 'presswork audit verify' says more"
            )
        part = Tree()
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


def _hash(line: str) -> bytes:
    try:
        hashed = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError):
        hashed = b""
    if len(hashed) != HASH_BYTES:
        raise BrokenLedger(f"not a proof: {line[:60]!r} is no hash")
    return hashed

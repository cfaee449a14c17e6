"""Anchors: copies of checkpoints outside the database, which make a cut-off tail and a rollback visible.

There may be several anchors, each with another owner. They are compared with the database one by one, and with each
other where they hold what the database does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from sqlalchemy import Connection, select

from policy.errors import BrokenLedger, LedgerError
from policy.ledger.flaws import Flaw, LedgerProblem
from policy.ledger.tables import checkpoints
from policy.ledger.tree.notes import Checkpoint, Vkey, open_checkpoint

_COMPARED = 1_000  # at a time: one page of a listing


@dataclass(frozen=True, slots=True)
class Anchored:
    """A line of the anchor's listing. The note behind it proves it."""

    size: int
    root: bytes


class Anchor(Protocol):
    """A write-once store for checkpoints, whose owner does not own the database.

    Its errors are its own: the ledger knows no object store.
    """

    @property
    def name(self) -> str:
        """Its name for people, such as "store"; one word of a small set, because it labels metrics."""

    def put(self, checkpoint: Checkpoint, note: str) -> None:
        """Keep a checkpoint for good. Putting it again changes nothing. Two roots of one size are both kept."""

    def newest(self) -> Anchored | None:
        """The largest checkpoint kept, None before the first."""

    def __iter__(self) -> Iterator[Anchored]:
        """Every checkpoint kept, largest first."""

    def note(self, anchored: Anchored) -> str:
        """The signed note behind a line of the listing."""


def contradictions(
    conn: Connection,
    anchors: Sequence[Anchor],
    newest: Mapping[str, Anchored],
    vkeys: Sequence[Vkey],
    size: int,
    *,
    after: int = 0,
) -> Iterator[LedgerProblem]:
    """Every anchored checkpoint of more than `after` leaves that is not one of the database's `size` leaves, or
    contradicts another anchor's.

    `newest` was read before the database's snapshot. Its note proves it, not the listing.
    """
    beyond: dict[int, tuple[bytes, str]] = {}
    for anchor in anchors:
        if anchor.name not in newest:
            continue
        yield from _newest(anchor, newest[anchor.name], vkeys, size)
        for chunk in _chunks(anchored for anchored in anchor if anchored.size > after):
            sizes = [anchored.size for anchored in chunk]
            known = select(checkpoints.c.size, checkpoints.c.root).where(checkpoints.c.size.in_(sizes))
            roots: dict[int, bytes] = dict(conn.execute(known).all())
            for anchored in chunk:
                if anchored.size > size:  # named above, or sealed since the snapshot was taken
                    root, other = beyond.setdefault(anchored.size, (anchored.root, anchor.name))
                    if root != anchored.root:
                        yield _disagreement(anchored, anchor.name, root, other)
                elif roots.get(anchored.size) != anchored.root:
                    yield _contradiction(anchor.name, anchored, roots.get(anchored.size))


def _newest(anchor: Anchor, newest: Anchored, vkeys: Sequence[Vkey], size: int) -> Iterator[LedgerProblem]:
    try:
        signed = open_checkpoint(anchor.note(newest), vkeys)
        if (signed.size, signed.root) != (newest.size, newest.root):
            raise BrokenLedger(f"its note says {signed.size} leaves, root {signed.root.hex()}")
    except LedgerError as error:
        said = f"the checkpoint of {newest.size} leaves in the anchor '{anchor.name}' is not one that was signed"
        yield LedgerProblem(Flaw.ANCHOR_DIFFERS, f"{said}: {error}", newest.size)
    if newest.size > size:
        yield LedgerProblem(
            Flaw.DATABASE_BEHIND,
            f"the anchor '{anchor.name}' holds a checkpoint of {newest.size} leaves, the database's newest has {size}: "
            f"{newest.size - size} sealed entries were cut off, or the database was restored from an older copy",
            size,
        )


def _contradiction(place: str, anchored: Anchored, root: bytes | None) -> LedgerProblem:
    if root is None:
        said = f"the anchor '{place}' holds a checkpoint of {anchored.size} leaves that the database does not"
        return LedgerProblem(Flaw.CHECKPOINT_MISSING, said, anchored.size)
    said = f"of {anchored.size} leaves the anchor '{place}' holds root {anchored.root.hex()}, the database {root.hex()}"
    return LedgerProblem(Flaw.ANCHOR_DIFFERS, f"two histories of one log: {said}", anchored.size)


def _disagreement(anchored: Anchored, place: str, root: bytes, other: str) -> LedgerProblem:
    said = (
        f"of {anchored.size} leaves the anchor '{place}' holds root {anchored.root.hex()}, the anchor '{other}' "
        f"{root.hex()}; the database has not got that far"
    )
    return LedgerProblem(Flaw.ANCHORS_DISAGREE, f"two histories of one log: {said}", anchored.size)


def _chunks(anchor: Iterable[Anchored]) -> Iterator[list[Anchored]]:
    listing = iter(anchor)
    while chunk := list(islice(listing, _COMPARED)):
        yield chunk

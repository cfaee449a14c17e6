"""Where checkpoints are kept out of the database's reach: what makes a cut-off tail and a rollback visible."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from policy.ledger.notes import Checkpoint


@dataclass(frozen=True, slots=True)
class Anchored:
    """What the anchor's listing claims to hold; the note behind it proves it."""

    size: int
    root: bytes


class Anchor(Protocol):
    """A write-once place for checkpoints, owned by somebody who does not own the database.

    Its errors are its own: the ledger knows no object store.
    """

    def put(self, checkpoint: Checkpoint, note: str) -> None:
        """Keep a checkpoint for good. Putting it again changes nothing; two roots of one size are both kept."""

    def newest(self) -> Anchored | None:
        """The largest checkpoint kept, None before the first."""

    def __iter__(self) -> Iterator[Anchored]:
        """Every checkpoint kept, largest first."""

    def note(self, anchored: Anchored) -> str:
        """The signed note behind a line of the listing."""

"""Checkpoints in the object store: ledger/checkpoints/<log>/<countdown>-<size>-<root>.

The countdown falls as the log grows, so that a listing, which is in key order, begins with the newest. The
root is in the key, so that a listing alone can be compared with the database, and so that two histories of
one log lie side by side instead of one refusing the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from policy.errors import BrokenLedger
from policy.ledger.anchor import Anchored
from policy.ledger.notes import Checkpoint
from workers.store import ObjectStore

PREFIX = "ledger/checkpoints"
_MEDIA_TYPE = "text/plain; charset=utf-8"
_DIGITS = 19  # of 2^63
_COUNTDOWN = 10**_DIGITS - 1


class StoreAnchor:
    """A policy.ledger Anchor on the object store. Raises StoreUnavailable where waiting helps."""

    def __init__(self, store: ObjectStore, origin: str) -> None:
        self._store = store
        self._prefix = f"{PREFIX}/{quote(origin, safe='/')}/"

    def put(self, checkpoint: Checkpoint, note: str) -> None:
        self._store.put(self._key(checkpoint.size, checkpoint.root), note.encode(), _MEDIA_TYPE)

    def newest(self) -> Anchored | None:
        first = next(self._store.list(self._prefix, page_size=1), None)
        return self._read(first.key) if first else None

    def __iter__(self) -> Iterator[Anchored]:
        return (self._read(stored.key) for stored in self._store.list(self._prefix))

    def note(self, anchored: Anchored) -> str:
        key = self._key(anchored.size, anchored.root)
        try:
            return self._store.get(key).decode()
        except UnicodeDecodeError as error:
            raise BrokenLedger(f"{key} is not a note: {error}") from error

    def _key(self, size: int, root: bytes) -> str:
        return f"{self._prefix}{_COUNTDOWN - size:0{_DIGITS}}-{size}-{root.hex()}"

    def _read(self, key: str) -> Anchored:
        """What a key says. Raises BrokenLedger for a key that we did not write."""
        parts = key.removeprefix(self._prefix).split("-")
        try:
            anchored = Anchored(int(parts[1]), bytes.fromhex(parts[2]))
        except (IndexError, ValueError):
            anchored = None
        if anchored is None or key != self._key(anchored.size, anchored.root):
            raise BrokenLedger(f"{key} lies among the anchored checkpoints, but is none of ours")
        return anchored

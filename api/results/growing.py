"""Growing file: what is written to it is taken away piece by piece, for documents that are sent as they are made."""

from __future__ import annotations

from io import RawIOBase
from typing import Any


class GrowingFile(RawIOBase):
    """A file that only grows at its end, tells its length, and drops what was taken from it."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._length = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._length

    def write(self, part: Any) -> int:
        held = bytes(part)
        self._parts.append(held)
        self._length += len(held)
        return len(held)

    def taken(self) -> bytes:
        taken, self._parts = b"".join(self._parts), []
        return taken

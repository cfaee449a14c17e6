"""Rows of a feed as an apply read them, kept beside the feed: files of the run are made of them in any process.

A first line has the header and the place of the picture column; then each row has its number, its key (null for a row
that is not taken) and its cells as they were written. The same feed gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple


class FeedLine(NamedTuple):
    """A row: its number (the first below the header is 1), its key, its cells."""

    number: int
    key: str | None
    cells: list[str]


class FeedRowsWriter:
    """Writes into `file`, which the caller owns. One thread."""

    def __init__(self, file: BinaryIO, header: Sequence[str], place: int) -> None:
        self._file, self._digest = file, hashlib.sha256()
        self._write((list(header), place))

    @property
    def sha256(self) -> str:
        """Of what was written."""
        return self._digest.hexdigest()

    def write(self, number: int, key: str | None, cells: Sequence[str]) -> None:
        self._write((number, key, cells))

    def _write(self, said: Any) -> None:
        line = f"{json.dumps(said, ensure_ascii=False, separators=(',', ':'))}\n".encode("utf-8", "surrogatepass")
        self._digest.update(line)
        self._file.write(line)


class FeedRows:
    """Reads them again, from the beginning each time. The caller owns `file`."""

    def __init__(self, file: BinaryIO) -> None:
        file.seek(0)
        self._file = file
        self.header, self.place = (part := json.loads(file.readline()))[0], int(part[1])
        self._begin = file.tell()

    def __iter__(self) -> Iterator[FeedLine]:
        self._file.seek(self._begin)
        for line in self._file:
            yield FeedLine(*json.loads(line))

"""Digests of files, computed once a process: a large model is hashed in seconds to minutes, and loaded many times.

A file is known again by its place on disk, size and times; another one under the same name is hashed anew. The change
time is among them, which nobody but the system sets.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import NamedTuple

from workers.sampling.cards.contents import ModelFile, file_of


class _Seen(NamedTuple):
    device: int
    inode: int
    bytes: int
    modified: int
    changed: int


class FileDigests:
    """Digests by file. Thread-safe; two threads that ask for one file at once may both compute it."""

    def __init__(self) -> None:
        self._known: dict[_Seen, str] = {}
        self._lock = threading.Lock()

    def of(self, folder: Path, path: str) -> ModelFile:
        """Size and digest of one file as it lies on disk now."""
        seen = _seen(folder / path)
        with self._lock:
            digest = self._known.get(seen)
        if digest is not None:
            return ModelFile(path, seen.bytes, digest)
        file = file_of(folder, path)
        if _seen(folder / path) == seen:  # not written to meanwhile
            with self._lock:
                self._known[seen] = file.sha256
        return file


def bring_near(path: Path) -> None:
    """Ask the system to read a file that will be loaded soon. Returns at once; without effect where it cannot."""
    if hasattr(os, "posix_fadvise"):
        with path.open("rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)


def _seen(path: Path) -> _Seen:
    found = path.stat()
    return _Seen(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


DIGESTS = FileDigests()  # of this process

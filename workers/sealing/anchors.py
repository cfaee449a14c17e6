"""Anchors of checkpoints outside the database: the object store, a second store, a folder.

A place keeps ledger/checkpoints/<log>/<countdown>-<size>-<root>. The countdown falls as the log grows, so that a
listing, which is in key order, begins with the newest. The root is in the key, so that a listing alone can be
compared with the database, and so that two histories of one log lie side by side instead of one refusing the other.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from policy.errors import BrokenLedger
from policy.ledger.tree.anchor import Anchor, Anchored
from policy.ledger.tree.notes import Checkpoint
from workers.errors import StoreUnavailable
from workers.sealing.locked_store import LockedStore
from workers.settings import Settings
from workers.store import ObjectStore

PREFIX = "ledger/checkpoints"
_MEDIA_TYPE = "text/plain; charset=utf-8"
_DIGITS = 19  # of 2^63
_COUNTDOWN = 10**_DIGITS - 1
_FOLDER_DIGITS = 13  # of the countdown, in the name of a sub-folder: at most a million files in each
_NOTE_BYTES = 1 << 20  # more is no note


def make_anchors(settings: Settings, origin: str) -> tuple[Anchor, ...]:
    """Every place that the settings name, for this log."""
    anchors: list[Anchor] = [StoreAnchor(_store(settings, settings.anchor_lock_days), origin)]
    if settings.anchor_s3_bucket:
        second = {
            "s3_endpoint_url": settings.anchor_s3_endpoint_url,
            "s3_public_endpoint_url": None,
            "s3_bucket": settings.anchor_s3_bucket,
            "s3_region": settings.anchor_s3_region,
            "s3_access_key_id": settings.anchor_s3_access_key_id,
            "s3_secret_access_key": settings.anchor_s3_secret_access_key,
        }
        own, days = settings.anchor_s3_lock_days, settings.anchor_lock_days
        store = _store(settings.model_copy(update=second), days if own is None else own)
        anchors.append(StoreAnchor(store, origin, name="second"))
    if settings.anchor_folder:
        anchors.append(FolderAnchor(settings.anchor_folder, origin))
    return tuple(anchors)


def _store(settings: Settings, days: int) -> ObjectStore:
    return LockedStore(settings, days=days) if days else ObjectStore(settings)


class StoreAnchor:
    """A policy.ledger Anchor on an object store. Raises StoreUnavailable where waiting helps."""

    def __init__(self, store: ObjectStore, origin: str, *, name: str = "store") -> None:
        self.name = name
        self._store = store
        self._prefix = f"{PREFIX}/{quote(origin, safe='/')}/"

    def put(self, checkpoint: Checkpoint, note: str) -> None:
        self._store.put(self._prefix + _name(checkpoint.size, checkpoint.root), note.encode(), _MEDIA_TYPE)

    def newest(self) -> Anchored | None:
        first = next(self._store.list(self._prefix, page_size=1), None)
        return self._read(first.key) if first else None

    def __iter__(self) -> Iterator[Anchored]:
        return (self._read(stored.key) for stored in self._store.list(self._prefix))

    def note(self, anchored: Anchored) -> str:
        key = self._prefix + _name(anchored.size, anchored.root)
        return _text(key, self._store.get(key))

    def _read(self, key: str) -> Anchored:
        return _anchored(key.removeprefix(self._prefix), key)


class FolderAnchor:
    """The same in a folder, for a mounted write-once share: a file is linked into place whole, and never replaced.

    Killed between writing and linking, a file that begins with a dot is left, which no listing shows and the next put
    of the same checkpoint replaces.
    """

    name = "folder"

    def __init__(self, folder: Path, origin: str) -> None:
        self._folder = folder / PREFIX / quote(origin, safe="")

    def put(self, checkpoint: Checkpoint, note: str) -> None:
        path = self._path(checkpoint.size, checkpoint.root)
        half = path.with_name(f".{path.name}.half")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            half.unlink(missing_ok=True)
            with os.fdopen(os.open(half, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o444), "wb") as file:
                file.write(note.encode())
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(half, path)
            except FileExistsError:
                if path.read_bytes() != note.encode():
                    raise BrokenLedger(f"{path} holds another note of the same checkpoint") from None
            half.unlink(missing_ok=True)
            _sync(path.parent)
        except OSError as error:
            raise StoreUnavailable(f"the folder {self._folder} did not take a checkpoint: {error}") from error

    def newest(self) -> Anchored | None:
        return next(iter(self), None)

    def __iter__(self) -> Iterator[Anchored]:
        for part in self._names(self._folder):
            for name in self._names(self._folder / part):
                yield _anchored(name, str(self._folder / part / name))

    def note(self, anchored: Anchored) -> str:
        path = self._path(anchored.size, anchored.root)
        try:
            with path.open("rb") as file:
                return _text(str(path), file.read(_NOTE_BYTES))
        except OSError as error:
            raise StoreUnavailable(f"cannot read the checkpoint {path}: {error}") from error

    def _path(self, size: int, root: bytes) -> Path:
        name = _name(size, root)
        return self._folder / name[:_FOLDER_DIGITS] / name

    def _names(self, folder: Path) -> list[str]:
        try:
            return sorted(name for name in os.listdir(folder) if not name.startswith("."))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreUnavailable(f"cannot list the checkpoints in {folder}: {error}") from error


def _name(size: int, root: bytes) -> str:
    return f"{_COUNTDOWN - size:0{_DIGITS}}-{size}-{root.hex()}"


def _anchored(name: str, place: str) -> Anchored:
    """What a name says. Raises BrokenLedger for one that we did not write."""
    parts = name.split("-")
    try:
        anchored = Anchored(int(parts[1]), bytes.fromhex(parts[2]))
    except (IndexError, ValueError):
        anchored = None
    if anchored is None or name != _name(anchored.size, anchored.root):
        raise BrokenLedger(f"{place} lies among the anchored checkpoints, but Presswork did not write it")
    return anchored


def _text(place: str, raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise BrokenLedger(f"{place} is not a note: {error}") from error


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Released index: the fingerprints of released pictures in memory, their records and their originals.

The index is read from the table of fingerprints at the start, and what was written since in every round. A row's time
is taken before its transaction commits, so the last minutes are read again and what is known is left out. Lost with the
process; any number of processes hold one each. One thread.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime, timedelta

import numpy as np
import structlog
from sqlalchemy import Engine

from policy.errors import MarkError
from policy.fingerprints import CROPS, HASH_BYTES, Fingerprint
from policy.identify.answer import KnownAsset
from policy.identify.index import Index, IndexEntry
from policy.identify.original import Original
from policy.marks.cutouts.files import decode_flat
from workers.errors import NotFound
from workers.jobs.identification import fingerprints
from workers.jobs.identification.fingerprints import FileOf, StoredFingerprint
from workers.store import RECALLED, RELEASED, ObjectStore

log = structlog.get_logger()
_OVERLAP = timedelta(minutes=2)  # no statement of ours takes longer than one
_PAGE = 5_000
_ORIGINALS_KEPT = 32  # 3 MB each


class ReleasedIndex:
    """policy.identify's Library on our tables and our store. Raises StoreUnavailable and SQLAlchemy's errors."""

    def __init__(self, engine: Engine, store: ObjectStore) -> None:
        self.index = Index()
        self._engine, self._store = engine, store
        self._ids: list[str] = []
        self._recent: dict[str, datetime] = {}
        self._newest: datetime | None = None
        self._originals: OrderedDict[str, Original] = OrderedDict()

    def refresh(self) -> int:
        """Take in what was indexed since; how much it was."""
        taken = 0
        moment = self._newest - _OVERLAP if self._newest else None
        page: list[StoredFingerprint] = []
        with self._engine.begin() as conn:
            for at, row in fingerprints.since(conn, moment, list(self._recent), page=_PAGE):
                self._recent[row.asset_id] = at
                self._newest = at if self._newest is None else max(self._newest, at)
                page.append(row)
                if len(page) == _PAGE:
                    taken += self._take(page)
                    page = []
        taken += self._take(page)
        if self._newest:
            self._recent = {id: at for id, at in self._recent.items() if at >= self._newest - _OVERLAP}
        return taken

    def by_id(self, asset_id: str) -> KnownAsset | None:
        return next(iter(self._records([asset_id])), None) if _is_id(asset_id) else None

    def by_watermark(self, watermark_id: int) -> KnownAsset | None:
        with self._engine.begin() as conn:
            found = fingerprints.file_by_watermark(conn, watermark_id)
        return _known(found) if found else None

    def by_number(self, number: int) -> KnownAsset | None:
        return self.by_id(self._ids[number])

    def original(self, asset: KnownAsset) -> Original | None:
        """Read from where it was released to or, when recalled, from where it was moved to."""
        if asset.asset_id in self._originals:
            self._originals.move_to_end(asset.asset_id)
            return self._originals[asset.asset_id]
        with self._engine.begin() as conn:
            file = next(iter(fingerprints.files(conn, [asset.asset_id])), None)
        original = read_original(self._store, file) if file else None
        if original is not None:
            self._originals[asset.asset_id] = original
            while len(self._originals) > _ORIGINALS_KEPT:
                self._originals.popitem(last=False)
        return original

    def _take(self, rows: list[StoredFingerprint]) -> int:
        self.index.add([_entry(row) for row in rows])
        self._ids.extend(row.asset_id for row in rows)
        return len(rows)

    def _records(self, ids: Iterable[str]) -> list[KnownAsset]:
        with self._engine.begin() as conn:
            return [_known(file) for file in fingerprints.files(conn, ids)]


def read_original(store: ObjectStore, file: FileOf) -> Original | None:
    """The original of an asset; None where it is gone, or holds other bytes than were released."""
    if file.key is None or file.media_type is None:
        return None
    for key in (file.key, RECALLED + file.key.removeprefix(RELEASED)):
        try:
            data = store.get(key)
        except NotFound:
            continue
        if hashlib.sha256(data).hexdigest() != file.sha256:
            log.error("original_altered", asset_id=file.asset_id, key=key)
            return None
        try:
            return Original.of(decode_flat(data, file.media_type))
        except MarkError:
            log.error("original_unreadable", asset_id=file.asset_id, key=key)
            return None
    return None


def _known(file: FileOf) -> KnownAsset:
    return KnownAsset(file.asset_id, file.watermark_id, file.state, file.tenant)


def _entry(row: StoredFingerprint) -> IndexEntry:
    crops = tuple(row.crops[n * HASH_BYTES : (n + 1) * HASH_BYTES] for n in range(len(CROPS)))
    return IndexEntry(Fingerprint(row.whole, crops, row.quality), np.frombuffer(row.codes, "<u8"), row.thumbnail)


def _is_id(text: str) -> bool:
    """Manifests of others claim what they like as an asset's id; Postgres takes UUIDs only."""
    plain = text.replace("-", "")
    return len(text) == 36 and len(plain) == 32 and all(digit in "0123456789abcdef" for digit in plain)

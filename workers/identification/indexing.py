"""Indexing: takes the fingerprints of released pictures from the released bytes, seconds after the release.

Not in the line: 60 ms of a core for each picture are the identify process's to spend, a release never waits for them,
and pictures that were released before, or by a person's review, are indexed the same way. Until then a picture is
found by its marks alone. Killed anywhere: what is not stored is taken again after a minute.
"""

from __future__ import annotations

import structlog
from sqlalchemy import Engine

from policy.fingerprints import MIN_QUALITY, fingerprint
from policy.identify.descriptors import DESCRIPTORS_KEPT, binary_descriptors
from policy.identify.features import ENOUGH_FEATURES
from policy.identify.low_texture import thumbnail
from workers import metrics
from workers.identification.released import read_original
from workers.jobs.identification import fingerprints
from workers.jobs.identification.fingerprints import FileOf, StoredFingerprint
from workers.store import ObjectStore

log = structlog.get_logger()
_AT_ONCE = 8  # a question that arrives meanwhile waits for these, half a second or so


def index_some(engine: Engine, store: ObjectStore) -> int:
    """Index the next few assets; how many were taken. Raises StoreUnavailable."""
    with engine.begin() as conn:
        taken = fingerprints.take(conn, _AT_ONCE)
        files = fingerprints.files(conn, taken)
        metrics.UNINDEXED_ASSETS.set(fingerprints.waiting(conn))
    found = []
    for file in files:
        with metrics.INDEXING_SECONDS.time():
            row = _fingerprint(store, file)
        if row is None:
            log.warning("asset_not_indexed", asset_id=file.asset_id, reason="its original cannot be read")
        else:
            found.append(row)
    with engine.begin() as conn:
        fingerprints.store(conn, found)
    metrics.INDEXED_ASSETS.inc(len(found))
    return len(taken)


def _fingerprint(store: ObjectStore, file: FileOf) -> StoredFingerprint | None:
    original = read_original(store, file)
    if original is None:
        return None
    looks = fingerprint(original.pixels)
    plain = len(original.features) < ENOUGH_FEATURES
    return StoredFingerprint(
        asset_id=file.asset_id,
        tenant=file.tenant,
        whole=looks.whole,
        crops=b"".join(looks.crops),
        quality=looks.quality,
        features=len(original.features),
        identifiable=looks.quality >= MIN_QUALITY and not plain,
        codes=binary_descriptors(original.features, most=DESCRIPTORS_KEPT).astype("<u8").tobytes(),
        thumbnail=thumbnail(original.pixels) if plain else b"",
    )

"""Fingerprints of released pictures: which still wait, what was stored, what an index must take in.

The database itself notes every new asset in `unindexed`, in the transaction that makes it. `take` gives some of them to
one process for a while; `store` writes their fingerprints and strikes them off together. Killed in between: after a
minute they are taken again, five times at most, so that an asset whose file cannot be read stops costing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, all_, cast, func, select
from sqlalchemy.dialects.postgresql import ARRAY, UUID, insert

from workers.jobs.identification.tables import fingerprints, unindexed
from workers.jobs.tables import assets, renditions

_PATIENCE = timedelta(minutes=1)
_ATTEMPTS = 5
_ORIGINAL = "original"


@dataclass(frozen=True, slots=True)
class FileOf:
    """An asset and the file that shows it."""

    asset_id: str
    tenant: str
    watermark_id: int
    state: str
    key: str | None  # under released/; None: its rendition is not recorded
    sha256: str | None
    media_type: str | None


@dataclass(frozen=True, slots=True)
class StoredFingerprint:
    """A row of fingerprints, as bytes: what they mean is policy's."""

    asset_id: str
    tenant: str
    whole: bytes
    crops: bytes
    quality: int
    features: int
    identifiable: bool
    codes: bytes
    thumbnail: bytes  # b"" where there are features enough


def take(conn: Connection, most: int) -> list[str]:
    """Assets to index now, given to the caller for a minute."""
    due = (
        select(unindexed.c.asset_id)
        .where(unindexed.c.not_before <= func.clock_timestamp(), unindexed.c.attempt < _ATTEMPTS)
        .order_by(unindexed.c.asset_id)
        .limit(most)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    taken = conn.scalars(
        unindexed.update()
        .where(unindexed.c.asset_id == due.c.asset_id)
        .values(attempt=unindexed.c.attempt + 1, not_before=func.clock_timestamp() + _PATIENCE)
        .returning(unindexed.c.asset_id)
    )
    return sorted(taken)


def store(conn: Connection, found: Sequence[StoredFingerprint]) -> None:
    """Write fingerprints and strike their assets off. What is written already stays."""
    if not found:
        return
    conn.execute(insert(fingerprints).on_conflict_do_nothing(), [asdict(each) for each in found])
    conn.execute(unindexed.delete().where(unindexed.c.asset_id.in_([each.asset_id for each in found])))


def waiting(conn: Connection) -> int:
    """Assets that are in no index yet."""
    return conn.scalar(select(func.count()).select_from(unindexed)) or 0


def since(
    conn: Connection, moment: datetime | None, known: Sequence[str], *, page: int = 5_000
) -> Iterator[tuple[datetime, StoredFingerprint]]:
    """Fingerprints written at or after a moment (None: all) but for those known, oldest first, streamed."""
    query = select(fingerprints).order_by(fingerprints.c.indexed_at)
    if moment is not None:
        ids = cast(list(known), ARRAY(UUID(as_uuid=False)))
        query = query.where(fingerprints.c.indexed_at >= moment, fingerprints.c.asset_id != all_(ids))
    for row in conn.execution_options(yield_per=page).execute(query):
        yield (
            row.indexed_at,
            StoredFingerprint(**{field.name: getattr(row, field.name) for field in fields(StoredFingerprint)}),
        )


def files(conn: Connection, asset_ids: Iterable[str]) -> list[FileOf]:
    """What is on record of these assets; unknown ids are left out."""
    return _files(conn, assets.c.id.in_(list(asset_ids)))


def file_by_watermark(conn: Connection, watermark_id: int) -> FileOf | None:
    """The asset that carries this id."""
    found = _files(conn, assets.c.watermark_id == watermark_id)
    return found[0] if found else None


def _files(conn: Connection, which: Any) -> list[FileOf]:
    original = (renditions.c.asset_id == assets.c.id) & (renditions.c.name == _ORIGINAL)
    rows = conn.execute(
        select(
            assets.c.id,
            assets.c.tenant,
            assets.c.watermark_id,
            assets.c.state,
            renditions.c.key,
            renditions.c.sha256,
            renditions.c.media_type,
        )
        .outerjoin_from(assets, renditions, original)
        .where(which)
        .order_by(assets.c.id)
    )
    return [FileOf(*row) for row in rows]

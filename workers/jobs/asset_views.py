"""Views of assets: released images with their files, and what their names are made of. Confined to one tenant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, select
from sqlalchemy.dialects.postgresql import distinct_on

from policy.marks.renditions import ORIGINAL, THUMBNAIL
from workers.errors import NotFound
from workers.jobs.control.reuse import is_of_item
from workers.jobs.identification.tables import fingerprints
from workers.jobs.tables import assets, items, renditions, requests
from workers.jobs.types import StoredRendition
from workers.jobs.views import demand_request


@dataclass(frozen=True, slots=True)
class SearchView:
    """How well an asset can be found by what it shows."""

    identifiable: bool
    quality: int
    features: int


@dataclass(frozen=True, slots=True)
class AssetView:
    """A released image and the files it consists of."""

    id: str
    item_id: str
    request_id: str
    custom_id: str
    variant: int
    row: int
    carried: tuple[str, ...]
    file_suffix: str
    carried_columns: tuple[str, ...]
    file_templates: Mapping[str, str]
    state: str
    watermark_id: int
    policy_version: str
    provenance: Mapping[str, Any]
    released_at: datetime
    erased_at: datetime | None
    renditions: tuple[StoredRendition, ...]
    search: SearchView | None  # None: not indexed yet


def get_asset(conn: Connection, tenant: str, asset_id: str) -> AssetView:
    """Raises NotFound."""
    row = conn.execute(_assets(tenant).where(assets.c.id == asset_id)).one_or_none()
    if row is None:
        raise NotFound(f"no asset {asset_id}")
    return _asset(row, files_of(conn, tenant, [row.id])[row.id])


def asset_of_watermark(conn: Connection, tenant: str, watermark_id: int) -> AssetView | None:
    """The tenant's asset that carries this id."""
    row = conn.execute(_assets(tenant).where(assets.c.watermark_id == watermark_id)).one_or_none()
    return None if row is None else _asset(row, files_of(conn, tenant, [row.id])[row.id])


def list_assets(
    conn: Connection, tenant: str, request_id: str, *, limit: int, after: str | None = None
) -> list[AssetView]:
    """In the order of release; `after` is the last id of the page before. Raises NotFound.

    With those that its items reuse, under the name of the first item of the request that has it.
    """
    demand_request(conn, tenant, request_id)
    theirs = _assets(tenant, is_of_item()).where(items.c.request_id == request_id)
    query = theirs.ext(distinct_on(assets.c.id)).order_by(assets.c.id, items.c.id).limit(limit)
    if after is not None:
        query = query.where(assets.c.id > after)
    rows = conn.execute(query).all()
    files = files_of(conn, tenant, [row.id for row in rows])
    return [_asset(row, files[row.id]) for row in rows]


def _assets(tenant: str, of_item: ColumnElement[bool] | None = None) -> Select[Any]:
    made_for = (items.c.id == assets.c.item_id) & (items.c.tenant == assets.c.tenant)
    return (
        select(
            *(column for column in assets.c if column.name not in ("item_id", "request_id")),
            items.c.id.label("item_id"),
            items.c.request_id,
            items.c.custom_id,
            items.c.variant,
            items.c.row,
            items.c.carried,
            items.c.file_suffix,
            requests.c.carried_columns,
            requests.c.file_templates,
            items.c.erased_at,
            fingerprints.c.identifiable,
            fingerprints.c.quality,
            fingerprints.c.features,
        )
        .select_from(assets)
        .join(items, made_for if of_item is None else of_item)
        .join(requests, (requests.c.id == items.c.request_id) & (requests.c.tenant == assets.c.tenant))
        .outerjoin(fingerprints, fingerprints.c.asset_id == assets.c.id)
        .where(assets.c.tenant == tenant)
    )


def files_of(conn: Connection, tenant: str, asset_ids: list[str]) -> dict[str, list[StoredRendition]]:
    """The files of each of these assets, the original first. A thumbnail is none of them."""
    found: dict[str, list[StoredRendition]] = {asset_id: [] for asset_id in asset_ids}
    rows = conn.execute(
        select(renditions)
        .where(renditions.c.asset_id.in_(asset_ids), renditions.c.tenant == tenant, renditions.c.name != THUMBNAIL)
        .order_by(renditions.c.asset_id, renditions.c.name != ORIGINAL, renditions.c.name)
    )
    for row in rows:
        found[row.asset_id].append(_file(row))
    return found


def thumbnail_of(conn: Connection, tenant: str, asset_id: str) -> StoredRendition | None:
    """What was made at finish; None for assets that are older."""
    mine = renditions.c.asset_id == asset_id, renditions.c.tenant == tenant, renditions.c.name == THUMBNAIL
    row = conn.execute(select(renditions).where(*mine)).one_or_none()
    return None if row is None else _file(row)


def _file(row: Row[Any]) -> StoredRendition:
    return StoredRendition(row.name, row.key, row.media_type, row.width, row.height, row.bytes, row.sha256)


def _asset(row: Row[Any], files: list[StoredRendition]) -> AssetView:
    return AssetView(
        id=row.id,
        item_id=row.item_id,
        request_id=row.request_id,
        custom_id=row.custom_id,
        variant=row.variant,
        row=row.row,
        carried=tuple(row.carried),
        file_suffix=row.file_suffix,
        carried_columns=tuple(row.carried_columns),
        file_templates=row.file_templates,
        state=row.state,
        watermark_id=row.watermark_id,
        policy_version=row.policy_version,
        provenance=row.provenance,
        released_at=row.released_at,
        erased_at=row.erased_at,
        renditions=tuple(files),
        search=None if row.identifiable is None else SearchView(row.identifiable, row.quality, row.features),
    )

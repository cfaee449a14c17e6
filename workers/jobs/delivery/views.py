"""Views of delivery: targets without their secrets, and how far the delivery of a request is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from workers.errors import NotFound
from workers.jobs.delivery.tables import catalogue_deliveries, delivered_files, delivery_targets, file_deliveries


@dataclass(frozen=True, slots=True)
class TargetView:
    """A target as its tenant sees it."""

    id: str
    name: str
    endpoint: str
    region: str
    bucket: str
    prefix: str
    access_key_id: str
    on_recall: str
    state: str
    reason: str | None
    created_at: datetime
    checked_at: datetime | None


@dataclass(frozen=True, slots=True)
class FileDeliveryView:
    """How far a delivery is."""

    request_id: str
    target_id: str
    target: str
    prefix: str
    paused_for: str | None
    detail: str
    files: dict[str, int]  # by state
    bytes: int
    manifest_at: datetime | None


def list_targets(conn: Connection, tenant: str, *, limit: int, after: str | None = None) -> list[TargetView]:
    """Oldest first."""
    live = (delivery_targets.c.tenant == tenant, delivery_targets.c.deleted_at.is_(None))
    query = select(*_COLUMNS).where(*live).order_by(delivery_targets.c.id).limit(limit)
    if after is not None:
        query = query.where(delivery_targets.c.id > after)
    return [TargetView(*row) for row in conn.execute(query)]


def get_target_view(conn: Connection, tenant: str, target_id: str) -> TargetView:
    """Raises NotFound."""
    ours = (delivery_targets.c.tenant == tenant, delivery_targets.c.deleted_at.is_(None))
    row = conn.execute(select(*_COLUMNS).where(*ours, delivery_targets.c.id == target_id)).one_or_none()
    if row is None:
        raise NotFound(f"no target {target_id}")
    return TargetView(*row)


def get_delivery(conn: Connection, tenant: str, request_id: str) -> FileDeliveryView:
    """Raises NotFound, also for a request that names no target."""
    own = (file_deliveries.c.request_id == request_id, file_deliveries.c.tenant == tenant)
    row = conn.execute(
        select(file_deliveries, delivery_targets.c.name)
        .join(delivery_targets, delivery_targets.c.id == file_deliveries.c.target_id)
        .where(*own)
    ).one_or_none()
    if row is None:
        raise NotFound(f"request {request_id} names no target of delivery")
    files = delivered_files.c
    counted = conn.execute(
        select(files.state, func.count(), func.sum(files.bytes))
        .where(files.request_id == request_id)
        .group_by(files.state)
    ).all()
    return FileDeliveryView(
        request_id=row.request_id,
        target_id=row.target_id,
        target=row.name,
        prefix=row.prefix,
        paused_for=row.paused_for,
        detail=row.detail,
        files={state: count for state, count, _ in counted},
        bytes=int(sum(size for _, _, size in counted)),
        manifest_at=row.manifest_at,
    )


def get_catalogue_delivery(conn: Connection, tenant: str, catalogue_id: str) -> Row[Any] | None:
    """How far what is live of a catalogue is, with the name of its target. None: it goes nowhere."""
    table = catalogue_deliveries
    waiting = table.c.asked.is_distinct_from(table.c.manifest_round)
    query = (
        select(table, delivery_targets.c.name.label("target"), waiting.label("waiting"))
        .join(delivery_targets, delivery_targets.c.id == table.c.target_id)
        .where(table.c.catalogue_id == catalogue_id, table.c.tenant == tenant)
    )
    return conn.execute(query).one_or_none()


_COLUMNS = tuple(delivery_targets.c[name] for name in TargetView.__slots__)

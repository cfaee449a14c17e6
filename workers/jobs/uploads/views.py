"""Views of files and batch jobs. Every query is confined to one tenant; unknown and foreign ids are one NotFound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select, text

from workers.errors import NotFound
from workers.jobs.tables import requests
from workers.jobs.uploads.files import CAMPAIGN
from workers.jobs.uploads.tables import batch_jobs, files

# A line is over when none of its images is open. It has succeeded where one of them is released.
_LINES = text(
    """
    SELECT count(*) FILTER (WHERE released), count(*) FILTER (WHERE NOT released) FROM (
      SELECT bool_or(state = 'released') AS released FROM items WHERE tenant = :tenant AND request_id = :request_id
      GROUP BY row HAVING NOT bool_or(state IN ('pending', 'planned'))) AS lines
    """
)


@dataclass(frozen=True, slots=True)
class FileView:
    """A file that is there. `sha256` is None for one whose content is made when it is read."""

    id: str
    purpose: str
    name: str
    bytes: int
    sha256: str | None
    part: str | None
    batch_job_id: str | None
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class BatchJobView:
    """A batch job; of its request, how far it is. `completed` and `failed` count lines that are over."""

    id: str
    file_id: str
    endpoint: str
    metadata: Mapping[str, Any]
    state: str
    is_idle: bool  # nobody reads its lines now
    attempt: int
    errors: Sequence[Mapping[str, Any]]
    request_id: str | None
    model: str | None
    phase: str | None
    lines: int
    completed: int
    failed: int
    created_at: datetime
    expires_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    request_ended_at: datetime | None
    cancelled_at: datetime | None
    finalized_at: datetime | None
    output_file_id: str | None
    error_file_id: str | None

    @property
    def is_settled(self) -> bool:
        """Whether its request is over and nothing of it is in flight."""
        return self.request_ended_at is not None and self.completed + self.failed >= self.lines


def get_file(conn: Connection, tenant: str, id: str) -> FileView:
    """Raises NotFound."""
    row = conn.execute(_files(tenant).where(files.c.id == id)).one_or_none()
    if row is None:
        raise NotFound(f"no file {id}")
    return _file(row)


def list_files(
    conn: Connection, tenant: str, *, limit: int, after: str | None, newest_first: bool, purpose: str | None
) -> list[FileView]:
    """`after` is the last id of the page before."""
    query = _files(tenant).order_by(files.c.id.desc() if newest_first else files.c.id).limit(limit)
    if after is not None:
        query = query.where(files.c.id < after if newest_first else files.c.id > after)
    if purpose is not None:
        query = query.where(files.c.purpose == purpose)
    return [_file(row) for row in conn.execute(query)]


def get_batch_job(conn: Connection, tenant: str, id: str) -> BatchJobView:
    """Raises NotFound."""
    row = conn.execute(_batch_jobs(tenant).where(batch_jobs.c.id == id)).one_or_none()
    if row is None:
        raise NotFound(f"no batch {id}")
    return _batch_job(conn, tenant, row)


def list_batch_jobs(conn: Connection, tenant: str, *, limit: int, after: str | None) -> list[BatchJobView]:
    """Newest first; `after` is the last id of the page before."""
    query = _batch_jobs(tenant).order_by(batch_jobs.c.id.desc()).limit(limit)
    if after is not None:
        query = query.where(batch_jobs.c.id < after)
    return [_batch_job(conn, tenant, row) for row in conn.execute(query).all()]


def _files(tenant: str) -> Select[Any]:
    there = (files.c.deleted_at.is_(None), files.c.stored_at.is_not(None))
    lasts = files.c.expires_at.is_(None) | (files.c.expires_at > func.clock_timestamp())
    return select(files).where(files.c.tenant == tenant, files.c.purpose != CAMPAIGN, *there, lasts)


def _file(row: Row[Any]) -> FileView:
    return FileView(
        id=row.id,
        purpose=row.purpose,
        name=row.name,
        bytes=row.bytes,
        sha256=row.sha256,
        part=row.part,
        batch_job_id=row.batch_job_id,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )


def _batch_jobs(tenant: str) -> Select[Any]:
    idle = batch_jobs.c.lease_until.is_(None) | (batch_jobs.c.lease_until < func.clock_timestamp())
    return (
        select(
            batch_jobs,
            idle.label("is_idle"),
            requests.c.phase,
            requests.c.model,
            requests.c.ended_at.label("request_ended_at"),
            requests.c.cancelled_at,
            requests.c.metadata.label("labels"),
        )
        .outerjoin(requests, (requests.c.id == batch_jobs.c.request_id) & (requests.c.tenant == batch_jobs.c.tenant))
        .where(batch_jobs.c.tenant == tenant)
    )


def _batch_job(conn: Connection, tenant: str, row: Row[Any]) -> BatchJobView:
    completed = failed = 0
    if row.request_id is not None:
        completed, failed = conn.execute(_LINES, {"tenant": tenant, "request_id": row.request_id}).one()
    return BatchJobView(
        id=row.id,
        file_id=row.file_id,
        endpoint=row.endpoint,
        metadata=row.metadata if row.request_id is None else row.labels,
        state=row.state,
        is_idle=row.is_idle,
        attempt=row.attempt,
        errors=tuple(row.errors or ()),
        request_id=row.request_id,
        model=row.model,
        phase=row.phase,
        lines=row.lines or 0,
        completed=completed,
        failed=failed,
        created_at=row.created_at,
        expires_at=row.expires_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        request_ended_at=row.request_ended_at,
        cancelled_at=row.cancelled_at,
        finalized_at=row.finalized_at,
        output_file_id=row.output_file_id,
        error_file_id=row.error_file_id,
    )

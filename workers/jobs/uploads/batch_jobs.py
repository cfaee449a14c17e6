"""Batch jobs: made of a file, checked by one process at a time under a lease, then a request like any other.

    validating -> started      every line is good: the request and this step are one transaction
    validating -> failed       a line is not: the errors are kept, nothing is made
    validating -> cancelled    its tenant does not want it any more

From `started` on the request says what happens; `finalize` writes down which output files there are once it is over.
Killed while the lines are checked: nothing is stored, the lease runs out, and the next look at the job begins again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, func, select

from policy import events
from policy.ledger.append import append
from workers.errors import Conflict, NotFound
from workers.jobs.types import new_id
from workers.jobs.uploads.tables import batch_jobs, files

HOURS = 24  # the completion window, the only one there is
CHECK_SECONDS = 120  # lease of the process that reads the lines; renewed as it goes
ATTEMPTS = 3  # times that reading is begun: a file that kills the process is not read for ever
KEPT_DAYS = 30  # of a job that came to nothing, with its errors


class Check(NamedTuple):
    """A lease on the checking of a job's lines. A later attempt makes an earlier one void."""

    job_id: str
    attempt: int
    file_id: str
    file_name: str
    key_id: str
    metadata: Mapping[str, Any]
    expires_at: Any
    endpoint: str


class OutputFile(NamedTuple):
    """An output file of a job: which part it is, and how many bytes it has at this moment."""

    part: str  # output | error
    bytes: int


def create(
    conn: Connection,
    tenant: str,
    *,
    id: str,
    key_id: str,
    file_id: str,
    endpoint: str,
    metadata: Mapping[str, Any],
    output_seconds: int | None,
) -> None:
    """A job whose lines are checked next. Raises NotFound for a file that is not there for this tenant."""
    there = select(files.c.id).where(
        files.c.id == file_id,
        files.c.tenant == tenant,
        files.c.purpose == "batch",
        files.c.stored_at.is_not(None),
        files.c.deleted_at.is_(None),
    )
    if conn.execute(there).first() is None:
        raise NotFound(f"no file {file_id}")
    conn.execute(
        batch_jobs.insert().values(
            id=id,
            tenant=tenant,
            key_id=key_id,
            file_id=file_id,
            endpoint=endpoint,
            metadata=dict(metadata),
            output_seconds=output_seconds,
            expires_at=func.now() + timedelta(hours=HOURS),
        )
    )
    append(conn, tenant=tenant, actor=f"key:{key_id}", events=[events.BatchJobCreated(id, file_id, endpoint)])


def count_validating(conn: Connection, tenant: str) -> int:
    query = select(func.count()).where(batch_jobs.c.tenant == tenant, batch_jobs.c.state == "validating")
    return conn.execute(query).scalar_one()


def begin_check(conn: Connection, tenant: str, job_id: str) -> Check | None:
    """A lease to check the lines; None where the job is past that, or another process has it."""
    free = batch_jobs.c.lease_until.is_(None) | (batch_jobs.c.lease_until < func.clock_timestamp())
    row = conn.execute(
        batch_jobs.update()
        .where(*_validating(tenant, job_id), free)
        .values(attempt=batch_jobs.c.attempt + 1, lease_until=_lease())
        .returning(batch_jobs)
    ).one_or_none()
    if row is None:
        return None
    name = conn.scalar(select(files.c.name).where(files.c.id == row.file_id, files.c.tenant == tenant)) or ""
    return Check(row.id, row.attempt, row.file_id, name, row.key_id, row.metadata, row.expires_at, row.endpoint)


def renew(conn: Connection, tenant: str, check: Check) -> bool:
    """Whether the lease is still held: the job was neither cancelled nor taken over."""
    return conn.execute(_held(tenant, check).values(lease_until=_lease())).rowcount == 1


def start(conn: Connection, tenant: str, check: Check, *, request_id: str, lines: int) -> bool:
    """-> started, with the request that this transaction has stored; False where the lease is lost."""
    values = {"state": "started", "request_id": request_id, "lines": lines, "metadata": {}, "lease_until": None}
    if conn.execute(_held(tenant, check).values(**values, started_at=func.clock_timestamp())).rowcount != 1:
        return False
    started = events.BatchJobStarted(check.job_id, request_id, lines)
    append(conn, tenant=tenant, actor=f"key:{check.key_id}", events=[started])
    return True


def fail(conn: Connection, tenant: str, check: Check, errors: Sequence[Mapping[str, Any]]) -> bool:
    """-> failed, with the errors of its lines; False where the lease is lost."""
    values = {"state": "failed", "errors": [dict(one) for one in errors], "lease_until": None}
    if conn.execute(_held(tenant, check).values(**values, ended_at=func.clock_timestamp())).rowcount != 1:
        return False
    codes = Counter(str(one["code"]) for one in errors)
    failed = events.BatchJobFailed(check.job_id, dict(sorted(codes.items())))
    append(conn, tenant=tenant, actor=f"key:{check.key_id}", events=[failed])
    return True


def cancel_unstarted(conn: Connection, tenant: str, job_id: str, *, actor: str) -> bool:
    """validating -> cancelled; False for a job that is past it. Raises NotFound."""
    changed = conn.execute(
        batch_jobs.update()
        .where(*_validating(tenant, job_id))
        .values(state="cancelled", lease_until=None, ended_at=func.clock_timestamp())
    )
    if changed.rowcount == 1:
        append(conn, tenant=tenant, actor=actor, events=[events.BatchJobCancelled(job_id)])
        return True
    state = conn.scalar(select(batch_jobs.c.state).where(batch_jobs.c.id == job_id, batch_jobs.c.tenant == tenant))
    if state is None:
        raise NotFound(f"no batch {job_id}")
    if state != "started":
        raise Conflict(f"batch {job_id} is {state} and cannot be cancelled")
    return False


def finalize(conn: Connection, tenant: str, job_id: str, outputs: Sequence[OutputFile]) -> bool:
    """Write down which output files a job has; False where they are known already.

    A file that was not there before may come later: a person released a held image.
    """
    row = conn.execute(
        select(batch_jobs).where(batch_jobs.c.id == job_id, batch_jobs.c.tenant == tenant).with_for_update()
    ).one_or_none()
    if row is None or row.state != "started":
        return False
    known = {"output": row.output_file_id, "error": row.error_file_id}
    new = {output.part: (new_id(), output.bytes) for output in outputs if known[output.part] is None}
    if row.finalized_at is not None and not new:
        return False
    lasts = None if row.output_seconds is None else func.now() + timedelta(seconds=row.output_seconds)
    for part, (id, size) in new.items():
        conn.execute(
            files.insert().values(
                id=id,
                tenant=tenant,
                purpose="batch_output",
                name=f"batch_{job_id}_{part}.jsonl",
                bytes=size,
                part=part,
                batch_job_id=job_id,
                stored_at=func.clock_timestamp(),
                expires_at=lasts,
            )
        )
    ids = {f"{part}_file_id": id for part, (id, _) in new.items()}
    at = func.coalesce(batch_jobs.c.finalized_at, func.clock_timestamp())
    conn.execute(batch_jobs.update().where(batch_jobs.c.id == job_id).values(finalized_at=at, **ids))
    return True


def forget(conn: Connection) -> int:
    """Deletes jobs that came to nothing a while ago: their errors quote what their sender wrote. How many."""
    old = batch_jobs.c.ended_at < func.clock_timestamp() - timedelta(days=KEPT_DAYS)
    return conn.execute(batch_jobs.delete().where(batch_jobs.c.ended_at.is_not(None), old)).rowcount


def _validating(tenant: str, job_id: str) -> tuple[ColumnElement[bool], ...]:
    return (batch_jobs.c.id == job_id, batch_jobs.c.tenant == tenant, batch_jobs.c.state == "validating")


def _held(tenant: str, check: Check) -> Any:
    return batch_jobs.update().where(*_validating(tenant, check.job_id), batch_jobs.c.attempt == check.attempt)


def _lease() -> Any:
    return func.clock_timestamp() + timedelta(seconds=CHECK_SECONDS)

"""Files of a tenant: reserved, stored, deleted; and what the clerk deletes by itself.

    begin     a row without `stored_at`, before the bytes are put into the store
    finish    the bytes lie there: the file exists, with its event
    delete    its tenant wants it gone: it is answered as unknown from this commit on
    dismiss   expired files, uploads that came to no end, and files whose content is erased: deleted the same way
    gone      the store has deleted the object: the row goes

Killed between `begin` and `finish`, the row stays without an event, and `dismiss` takes it after an hour. Killed
between `delete` and `gone`, the clerk deletes again, which the store does not mind.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, func, select

from policy import events
from policy.ledger.append import append
from workers.errors import LimitExceeded, NotFound
from workers.jobs.uploads.tables import batch_jobs, files
from workers.states import ORDER_CHANNEL

CLERK = "clerk"
BATCH, VISION = "batch", "vision"  # purposes of what tenants upload: lines of a batch, a picture
CAMPAIGN = "campaign"  # a large campaign's table or pictures, until it is checked
STEP = 100  # files of one round of the clerk
_UPLOAD = timedelta(hours=1)  # longer than any body may take to arrive and to be put


class GoneFile(NamedTuple):
    """A deleted file whose object may still be there."""

    id: str
    tenant: str
    has_object: bool


def begin(
    conn: Connection,
    *,
    id: str,
    tenant: str,
    name: str,
    size: int,
    sha256: str,
    seconds: int | None,
    most: int,
    purpose: str = BATCH,
) -> None:
    """A file that is about to be put into the store. Raises LimitExceeded where the tenant keeps too much.

    Uploads at the same moment may pass the limit by one file each.
    """
    kept = conn.execute(
        select(func.coalesce(func.sum(files.c.bytes), 0)).where(
            files.c.tenant == tenant, files.c.deleted_at.is_(None), files.c.sha256.is_not(None)
        )
    ).scalar_one()
    if kept + size > most:
        raise LimitExceeded(
            f"your files have {kept:,} bytes, this one has {size:,}, and {most:,} are kept for a tenant; delete some"
        )
    expires_at = None if seconds is None else func.now() + timedelta(seconds=seconds)
    conn.execute(
        files.insert().values(
            id=id, tenant=tenant, purpose=purpose, name=name, bytes=size, sha256=sha256, expires_at=expires_at
        )
    )


def finish(conn: Connection, tenant: str, id: str, *, actor: str) -> None:
    """The bytes lie in the store. Raises NotFound where the clerk gave the upload up meanwhile."""
    stored = conn.execute(
        files.update()
        .where(files.c.id == id, files.c.tenant == tenant, files.c.stored_at.is_(None), files.c.deleted_at.is_(None))
        .values(stored_at=func.clock_timestamp())
        .returning(files.c.purpose, files.c.sha256, files.c.bytes)
    ).one_or_none()
    if stored is None:
        raise NotFound(f"no file {id}")
    append(
        conn, tenant=tenant, actor=actor, events=[events.FileStored(id, stored.purpose, stored.sha256, stored.bytes)]
    )


def delete(conn: Connection, tenant: str, id: str, *, actor: str) -> None:
    """Gone for its tenant from this commit on. Raises NotFound, also for a repeat."""
    gone = conn.execute(
        files.update()
        .where(files.c.id == id, files.c.tenant == tenant, files.c.stored_at.is_not(None), files.c.deleted_at.is_(None))
        .values(deleted_at=func.clock_timestamp())
    )
    if gone.rowcount != 1:
        raise NotFound(f"no file {id}")
    append(conn, tenant=tenant, actor=actor, events=[events.FileDeleted(id, "asked")])
    conn.execute(select(func.pg_notify(ORDER_CHANNEL, "")))


def dismiss(conn: Connection) -> int:
    """Deletes what expired and what was never stored; how many files."""
    now = func.clock_timestamp()
    unstored = files.c.stored_at.is_(None) & (files.c.created_at < now - _UPLOAD)
    due = select(files.c.id).where((files.c.expires_at <= now) | unstored).limit(STEP)
    return _dismiss(conn, due, "expired")


def dismiss_of_requests(conn: Connection, tenant: str, request_ids: Collection[str]) -> int:
    """Deletes the files that these requests were made of: their lines hold the text that is erased."""
    of_requests = select(batch_jobs.c.file_id).where(
        batch_jobs.c.tenant == tenant, batch_jobs.c.request_id.in_(list(request_ids))
    )
    due = select(files.c.id).where(files.c.tenant == tenant, files.c.id.in_(of_requests))
    return _dismiss(conn, due, "erased")


def dismiss_checked(conn: Connection, tenant: str, ids: Collection[str], *, actor: str) -> int:
    """Deletes files of a campaign whose check is over."""
    due = select(files.c.id).where(files.c.tenant == tenant, files.c.purpose == CAMPAIGN, files.c.id.in_(ids))
    return _dismiss(conn, due, "checked", actor=actor)


def dismiss_of_picture(conn: Connection, tenant: str, sha256: str, *, actor: str) -> int:
    """Deletes the files with exactly these bytes: a picture that is erased is in none of them."""
    due = select(files.c.id).where(files.c.tenant == tenant, files.c.purpose == VISION, files.c.sha256 == sha256)
    return _dismiss(conn, due, "erased", actor=actor)


def deleted(conn: Connection) -> list[GoneFile]:
    """Files whose rows are still there, oldest first."""
    query = select(files.c.id, files.c.tenant, files.c.sha256.is_not(None)).where(files.c.deleted_at.is_not(None))
    return [GoneFile(*row) for row in conn.execute(query.order_by(files.c.deleted_at).limit(STEP))]


def gone(conn: Connection, ids: Sequence[str]) -> None:
    """Their objects are deleted."""
    conn.execute(files.delete().where(files.c.id.in_(ids), files.c.deleted_at.is_not(None)))


def _dismiss(conn: Connection, due: Select[Any], reason: str, *, actor: str = CLERK) -> int:
    there = due.where(files.c.deleted_at.is_(None)).order_by(files.c.id)
    chosen = there.with_for_update(skip_locked=True).cte("chosen")
    dismissed = conn.execute(
        files.update()
        .where(files.c.id == chosen.c.id)
        .values(deleted_at=func.clock_timestamp())
        .returning(files.c.id, files.c.tenant, files.c.stored_at)
    ).all()
    for tenant in sorted({row.tenant for row in dismissed}):
        told = [events.FileDeleted(row.id, reason) for row in dismissed if row.tenant == tenant and row.stored_at]
        append(conn, tenant=tenant, actor=actor, events=told)
    return len(dismissed)

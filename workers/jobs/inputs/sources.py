"""Sources: buckets of tenants that inputs and feeds are read from, as s3:// addresses name them.

    register  with its secret, which nobody can show again     caller: api
    remove    nothing is read from it any more                 caller: api
    access    the bucket, with what opens it                   callers: api, identify

Each change is one transaction with its event. The secret is deleted with its source.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from policy import events
from policy.events import Private
from policy.ledger.append import append
from workers.errors import Conflict, LimitExceeded, NotFound
from workers.jobs.inputs.tables import source_buckets, source_secrets
from workers.jobs.types import new_id
from workers.outbound.places import SourceAccess

MAX_SOURCES = 20  # of a tenant


@dataclass(frozen=True, slots=True)
class SourceView:
    """A source as its tenant sees it."""

    id: str
    endpoint: str
    region: str
    bucket: str
    prefix: str
    access_key_id: str
    created_at: datetime


def register(conn: Connection, tenant: str, new: SourceAccess, *, actor: str) -> str:
    """The id. Raises LimitExceeded, and Conflict where the tenant has one of that bucket."""
    buckets = [one.bucket for one in list_sources(conn, tenant, limit=MAX_SOURCES)]
    if len(buckets) >= MAX_SOURCES:
        raise LimitExceeded(f"a tenant has at most {MAX_SOURCES} sources; remove one first")
    if new.bucket in buckets:
        raise Conflict(f"there is a source of bucket '{new.bucket}' already; remove it first")
    id = new_id()
    values = {name: getattr(new, name) for name in new.__slots__ if name != "secret"}
    conn.execute(source_buckets.insert().values(id=id, tenant=tenant, **values))
    conn.execute(source_secrets.insert().values(source_id=id, tenant=tenant, secret=new.secret))
    _record(conn, tenant, id, "registered", actor=actor, place=f"{new.endpoint}/{new.bucket}/{new.prefix}")
    return id


def remove(conn: Connection, tenant: str, source_id: str, *, actor: str) -> None:
    """Nothing is read from it any more. Raises NotFound, also for a repeat."""
    table = source_buckets
    mine = table.c.id == source_id, table.c.tenant == tenant, table.c.deleted_at.is_(None)
    if conn.execute(table.update().where(*mine).values(deleted_at=func.now())).rowcount != 1:
        raise NotFound(f"no source {source_id}")
    conn.execute(source_secrets.delete().where(source_secrets.c.source_id == source_id))
    _record(conn, tenant, source_id, "removed", actor=actor)


def list_sources(conn: Connection, tenant: str, *, limit: int, after: str | None = None) -> list[SourceView]:
    """Oldest first."""
    table = source_buckets
    columns = [table.c[name] for name in SourceView.__slots__]
    query = select(*columns).where(table.c.tenant == tenant, table.c.deleted_at.is_(None)).order_by(table.c.id)
    if after is not None:
        query = query.where(table.c.id > after)
    return [SourceView(*row) for row in conn.execute(query.limit(limit))]


def access(conn: Connection, tenant: str, bucket: str) -> SourceAccess | None:
    """None: the tenant has no source of this bucket."""
    table, secrets = source_buckets, source_secrets
    columns = [(secrets if name == "secret" else table).c[name] for name in SourceAccess.__slots__]
    query = select(*columns).join(secrets, secrets.c.source_id == table.c.id)
    mine = table.c.tenant == tenant, table.c.bucket == bucket, table.c.deleted_at.is_(None)
    row = conn.execute(query.where(*mine)).one_or_none()
    return None if row is None else SourceAccess(*row)


def _record(conn: Connection, tenant: str, source_id: str, change: str, *, actor: str, place: str = "") -> None:
    append(conn, tenant=tenant, actor=actor, events=[events.SourceChanged(source_id, change, Private(place))])

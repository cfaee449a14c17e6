"""/v1/sources: buckets of a tenant's own that inputs and feeds are read from, by s3:// addresses."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from sqlalchemy import Connection

from api.edge.auth import Admin, Reader
from api.edge.bodies import json_body
from api.edge.dependencies import PartsOf
from api.edge.idempotency import OnceOf, answered
from api.edge.in_turn import InTurn
from api.edge.limits.addresses import demand_public
from api.edge.paging import id_of, page, uuid_or_not_found
from api.schemas.base import NoQuery, Page, PageQuery
from api.schemas.fields import PathId
from api.schemas.sources import SourceBucketBody, SourceBucketReply
from workers.jobs.idempotency import StoredReply
from workers.jobs.inputs import sources
from workers.outbound.places import SourceAccess

router = APIRouter(route_class=InTurn, prefix="/v1/sources", tags=["Inputs"])


@router.post("", status_code=201, response_model=SourceBucketReply, summary="Register a source of inputs and feeds")
def register(
    caller: Admin,
    once: OnceOf,
    query: Annotated[NoQuery, Query()],
    asked: Annotated[SourceBucketBody, Depends(json_body(SourceBucketBody))],
) -> Response:
    """From now on `s3://BUCKET/KEY` is an address of `POST /v1/inputs`, of `source.url` of a catalogue, and of its
    pictures.

    Give a key that may read objects below the prefix and nothing else; the secret is never shown again. Nothing is
    read now: what cannot be read is told where it is asked for.
    """
    fingerprint = once.fingerprint(asked)
    if replayed := once.replay(caller.tenant, fingerprint):
        return replayed
    demand_public(once.parts, caller.tenant, asked.endpoint, field="endpoint")

    def work(conn: Connection) -> StoredReply:
        new = SourceAccess(
            asked.endpoint,
            asked.region,
            asked.bucket,
            f"{asked.prefix}/" if asked.prefix else "",
            asked.access_key_id,
            asked.secret_access_key,
        )
        id = sources.register(conn, caller.tenant, new, actor=caller.actor)
        (found,) = (one for one in _listed(conn, caller.tenant) if one.id == id)
        return answered(201, found)

    return once.run(caller.tenant, fingerprint, work)


@router.get("", summary="List the sources of inputs and feeds, oldest first")
def list_sources(caller: Reader, parts: PartsOf, query: Annotated[PageQuery, Query()]) -> Page[SourceBucketReply]:
    """Without their secrets."""
    with parts.transaction(caller.tenant) as conn:
        found = sources.list_sources(conn, caller.tenant, limit=query.limit + 1, after=id_of(query.cursor))
    shown, cursor = page([SourceBucketReply(**asdict(one)) for one in found], query.limit)
    return Page(data=shown, next_cursor=cursor)


@router.delete("/{source_id}", status_code=204, summary="Remove a source of inputs and feeds")
def remove(source_id: PathId, caller: Admin, once: OnceOf, query: Annotated[NoQuery, Query()]) -> Response:
    """Nothing is read from it any more, and its secret is deleted. What was read stays."""
    id = uuid_or_not_found(source_id, "source")

    def work(conn: Connection) -> StoredReply:
        sources.remove(conn, caller.tenant, id, actor=caller.actor)
        return answered(204)

    return once.run(caller.tenant, once.fingerprint(), work)


def _listed(conn: Connection, tenant: str) -> list[SourceBucketReply]:
    found = sources.list_sources(conn, tenant, limit=sources.MAX_SOURCES)
    return [SourceBucketReply(**asdict(one)) for one in found]

"""/v1/targets: buckets of a tenant's own that released files are delivered to, and how far a delivery is."""

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
from api.schemas.targets import FileDeliveryReply, TargetBody, TargetReply
from workers.jobs.delivery import targets, views
from workers.jobs.idempotency import StoredReply

router = APIRouter(route_class=InTurn, prefix="/v1", tags=["Delivery"])


@router.post("/targets", status_code=201, response_model=TargetReply, summary="Register a target of delivery")
def register(
    caller: Admin,
    once: OnceOf,
    query: Annotated[NoQuery, Query()],
    asked: Annotated[TargetBody, Depends(json_body(TargetBody))],
) -> Response:
    """The clerk checks it at once: it writes an object below the prefix, reads its digest and deletes it.

    Nothing is delivered before it is `ready`. The key needs to put, read and delete objects below the prefix and
    nothing else; the secret is never shown again.
    """
    fingerprint = once.fingerprint(asked)
    if replayed := once.replay(caller.tenant, fingerprint):
        return replayed
    demand_public(once.parts, caller.tenant, asked.endpoint, field="endpoint")

    def work(conn: Connection) -> StoredReply:
        new = targets.NewTarget(
            asked.name,
            asked.endpoint,
            asked.region,
            asked.bucket,
            f"{asked.prefix}/" if asked.prefix else "",
            asked.access_key_id,
            asked.secret_access_key,
            asked.on_recall,
        )
        id = targets.register(conn, caller.tenant, new, actor=caller.actor)
        return answered(201, _shown(views.get_target_view(conn, caller.tenant, id)))

    return once.run(caller.tenant, fingerprint, work)


@router.get("/targets", summary="List the targets of delivery, oldest first")
def list_all(caller: Reader, parts: PartsOf, query: Annotated[PageQuery, Query()]) -> Page[TargetReply]:
    """Without their secrets."""
    with parts.transaction(caller.tenant) as conn:
        found = views.list_targets(conn, caller.tenant, limit=query.limit + 1, after=id_of(query.cursor))
    shown, cursor = page(found, query.limit)
    return Page(data=[_shown(one) for one in shown], next_cursor=cursor)


@router.get("/targets/{target_id}", summary="One target of delivery")
def read(target_id: PathId, caller: Reader, parts: PartsOf, query: Annotated[NoQuery, Query()]) -> TargetReply:
    """Without its secret."""
    with parts.transaction(caller.tenant) as conn:
        return _shown(views.get_target_view(conn, caller.tenant, uuid_or_not_found(target_id, "target")))


@router.post("/targets/{target_id}/check", response_model=TargetReply, summary="Check a target anew")
def check(target_id: PathId, caller: Admin, once: OnceOf, query: Annotated[NoQuery, Query()]) -> Response:
    """Deliveries that stood still are tried as soon as it is ready."""
    id = uuid_or_not_found(target_id, "target")

    def work(conn: Connection) -> StoredReply:
        targets.recheck(conn, caller.tenant, id, actor=caller.actor)
        return answered(200, _shown(views.get_target_view(conn, caller.tenant, id)))

    return once.run(caller.tenant, once.fingerprint(), work)


@router.delete("/targets/{target_id}", status_code=204, summary="Remove a target of delivery")
def remove(target_id: PathId, caller: Admin, once: OnceOf, query: Annotated[NoQuery, Query()]) -> Response:
    """Nothing is delivered to it any more, and nothing there is withdrawn. What was delivered stays."""
    id = uuid_or_not_found(target_id, "target")

    def work(conn: Connection) -> StoredReply:
        targets.remove(conn, caller.tenant, id, actor=caller.actor)
        return answered(204)

    return once.run(caller.tenant, once.fingerprint(), work)


@router.get("/requests/{request_id}/delivery", summary="How far the delivery of a request is")
def read_delivery(
    request_id: PathId, caller: Reader, parts: PartsOf, query: Annotated[NoQuery, Query()]
) -> FileDeliveryReply:
    """404 for a request that names no target."""
    with parts.transaction(caller.tenant) as conn:
        found = views.get_delivery(conn, caller.tenant, uuid_or_not_found(request_id, "request"))
    return FileDeliveryReply(**asdict(found))


def _shown(one: views.TargetView) -> TargetReply:
    return TargetReply(**asdict(one))

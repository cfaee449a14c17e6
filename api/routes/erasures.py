"""/v1/erasures: erase private text on request. The API writes the order; the clerk carries it out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse, Response
from sqlalchemy import Connection

from api.edge.auth import Admin
from api.edge.bodies import json_body
from api.edge.dependencies import PartsOf
from api.edge.idempotency import OnceOf, answered
from api.edge.in_turn import InTurn
from api.edge.paging import id_of, page, uuid_or_not_found
from api.edge.problems import Problem
from api.schemas.base import NoQuery, Page, PageQuery
from api.schemas.fields import PathId
from api.schemas.privacy import ErasureBody, ErasurePreviewReply, ErasureReply, erasure_reply, preview_reply
from workers.jobs.idempotency import StoredReply
from workers.jobs.privacy.orders import get_erasure, list_erasures, order, refuse_where_it_cannot
from workers.jobs.privacy.select import preview

router = APIRouter(route_class=InTurn, prefix="/v1/erasures", tags=["Privacy"])


@router.post(
    "",
    status_code=202,
    response_model=ErasureReply,
    responses={200: {"model": ErasurePreviewReply, "description": "Counted only (`dry_run`); nothing was changed"}},
    response_description="Ordered: the clerk erases it in steps",
    summary="Erase private text",
)
def order_erasure(
    caller: Admin,
    parts: PartsOf,
    once: OnceOf,
    query: Annotated[NoQuery, Query()],
    asked: Annotated[ErasureBody, Depends(json_body(ErasureBody))],
) -> Response:
    """Prompts, templates, names, metadata, ids of yours, comments and stored replies of what you name; proofs stay.

    Refused with 409 while a legal hold covers part of it (`legal_hold`, which names the hold) and while an item still
    needs its prompt (`conflict`). Released pictures stay: recall them first, then their objects can go, too. The
    text that was searched for is stored nowhere; with an `Idempotency-Key`, a fingerprint of it is kept that nobody can
    check a guess against without your API key.
    """
    if parts.auditor is None:
        raise Problem("audit_not_configured", "Set PRESSWORK_AUDITOR_DATABASE_URL for the API process.")
    fingerprint = once.private_fingerprint(asked)
    if not asked.dry_run and (replayed := once.replay(caller.tenant, fingerprint)):
        return replayed
    scope = asked.scope()
    with parts.auditor.begin() as conn:
        found = preview(conn, caller.tenant, scope)
    if asked.dry_run:
        return JSONResponse(preview_reply(found).model_dump(mode="json"))
    refuse_where_it_cannot(scope, found)

    def work(conn: Connection) -> StoredReply:
        erasure_id = order(conn, caller.tenant, scope, actor=caller.actor)
        return answered(202, erasure_reply(get_erasure(conn, caller.tenant, erasure_id)))

    return once.run(caller.tenant, fingerprint, work)


@router.get("", summary="List orders to erase, newest first")
def list_erasure_orders(caller: Admin, parts: PartsOf, query: Annotated[PageQuery, Query()]) -> Page[ErasureReply]:
    """Every order about your tenant, those of the operator too."""
    with parts.transaction(caller.tenant) as conn:
        found = list_erasures(conn, caller.tenant, limit=query.limit + 1, before=id_of(query.cursor))
    shown, cursor = page(found, query.limit)
    return Page(data=[erasure_reply(view) for view in shown], next_cursor=cursor)


@router.get("/{erasure_id}", summary="How far an order to erase has come")
def read_erasure(erasure_id: PathId, caller: Admin, parts: PartsOf, query: Annotated[NoQuery, Query()]) -> ErasureReply:
    """`left` is empty when it is finished; what stays in it is under a legal hold."""
    with parts.transaction(caller.tenant) as conn:
        return erasure_reply(get_erasure(conn, caller.tenant, uuid_or_not_found(erasure_id, "erasure")))

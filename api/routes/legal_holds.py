"""/v1/legal-holds: what must not be erased, on request or by retention, until the hold is lifted."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from sqlalchemy import Connection

from api.edge.auth import Admin
from api.edge.bodies import json_body
from api.edge.dependencies import PartsOf
from api.edge.idempotency import OnceOf, answered
from api.edge.in_turn import InTurn
from api.edge.paging import id_of, page, uuid_or_not_found
from api.schemas.base import NoQuery, Page, PageQuery
from api.schemas.fields import PathId
from api.schemas.privacy import LegalHoldBody, LegalHoldReply, hold_reply
from workers.jobs.idempotency import StoredReply
from workers.jobs.privacy.legal_holds import get_hold, lift, list_holds, place

router = APIRouter(route_class=InTurn, prefix="/v1/legal-holds", tags=["Privacy"])


@router.post("", status_code=201, response_model=LegalHoldReply, summary="Place a legal hold")
def place_hold(
    caller: Admin,
    once: OnceOf,
    query: Annotated[NoQuery, Query()],
    asked: Annotated[LegalHoldBody, Depends(json_body(LegalHoldBody))],
) -> Response:
    """Nothing in its scope is erased from this answer on. Two holds on one thing are two holds: lift both."""

    def work(conn: Connection) -> StoredReply:
        placed = place(conn, caller.tenant, asked.scope(), reason=asked.reason, actor=caller.actor)
        return answered(201, hold_reply(placed))

    return once.run(caller.tenant, once.private_fingerprint(asked), work)


@router.get("", summary="List legal holds, oldest first")
def list_legal_holds(caller: Admin, parts: PartsOf, query: Annotated[PageQuery, Query()]) -> Page[LegalHoldReply]:
    """Lifted ones too."""
    with parts.transaction(caller.tenant) as conn:
        found = list_holds(conn, caller.tenant, limit=query.limit + 1, after=id_of(query.cursor))
    shown, cursor = page(found, query.limit)
    return Page(data=[hold_reply(view) for view in shown], next_cursor=cursor)


@router.get("/{hold_id}", summary="One legal hold")
def read_hold(hold_id: PathId, caller: Admin, parts: PartsOf, query: Annotated[NoQuery, Query()]) -> LegalHoldReply:
    """With its reason, and who lifted it."""
    with parts.transaction(caller.tenant) as conn:
        return hold_reply(get_hold(conn, caller.tenant, uuid_or_not_found(hold_id, "legal hold")))


@router.delete("/{hold_id}", status_code=204, summary="Lift a legal hold")
def lift_hold(hold_id: PathId, caller: Admin, once: OnceOf, query: Annotated[NoQuery, Query()]) -> Response:
    """What waited for it goes on within a minute. Repeating it is harmless."""
    hold_id = uuid_or_not_found(hold_id, "legal hold")

    def work(conn: Connection) -> StoredReply:
        lift(conn, caller.tenant, hold_id, actor=caller.actor)
        return answered(204)

    return once.run(caller.tenant, once.fingerprint(), work)

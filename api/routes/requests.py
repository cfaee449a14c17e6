"""/v1/requests: submit one prompt, read how far requests have come, cancel."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from sqlalchemy import Connection

from api.edge.auth import Reader, Submitter
from api.edge.bodies import json_body
from api.edge.dependencies import PartsOf
from api.edge.idempotency import OnceOf, answered
from api.edge.in_turn import InTurn
from api.edge.paging import id_of, page, uuid_or_not_found
from api.routes.items import item_reply
from api.schemas.base import NoQuery, Page, PageQuery
from api.schemas.fields import PathId
from api.schemas.items import CancelledReply, ItemReply, ItemsQuery
from api.schemas.requests import CountsReply, RequestReply, SingleBody
from api.schemas.submission import AcceptedReply
from api.submission.single import check_single
from api.submission.store import links, store
from workers.jobs.cancel import cancel_request
from workers.jobs.idempotency import StoredReply
from workers.jobs.views import RequestView, get_request, list_items, list_requests
from workers.states import ITEM_OPEN

router = APIRouter(route_class=InTurn, prefix="/v1/requests", tags=["Requests"])


@router.post(
    "",
    status_code=202,
    response_model=AcceptedReply,
    response_description="Stored, with all its items",
    summary="Submit one prompt",
)
def submit_single(
    caller: Submitter,
    parts: PartsOf,
    once: OnceOf,
    query: Annotated[NoQuery, Query()],
    asked: Annotated[SingleBody, Depends(json_body(SingleBody))],
) -> Response:
    """Stores the request and all its variants, or nothing.

    A prompt that policy refuses is an answer, not an error: its items are stored as refused, and the
    reply says by which rule.
    """
    fingerprint = once.fingerprint(asked)
    if replayed := once.replay(caller.tenant, fingerprint):
        return replayed
    checked = check_single(asked, parts, caller.tenant)
    return once.run(caller.tenant, fingerprint, lambda conn: store(conn, caller, parts, checked))


@router.get("", summary="List requests, newest first")
def list_all(caller: Reader, parts: PartsOf, query: Annotated[PageQuery, Query()]) -> Page[RequestReply]:
    """Every request of your tenant, with counts."""
    with parts.transaction(caller.tenant) as conn:
        found = list_requests(conn, caller.tenant, limit=query.limit + 1, before=id_of(query.cursor))
    shown, cursor = page(found, query.limit)
    return Page(data=[request_reply(view) for view in shown], next_cursor=cursor)


@router.get("/{request_id}", summary="Status of a request, with counts")
def read(request_id: PathId, caller: Reader, parts: PartsOf, query: Annotated[NoQuery, Query()]) -> RequestReply:
    """The counts add up to `items`; the request is finished when none is pending or planned."""
    with parts.transaction(caller.tenant) as conn:
        return request_reply(get_request(conn, caller.tenant, uuid_or_not_found(request_id, "request")))


@router.get("/{request_id}/items", summary="Items of a request, in the order of the spreadsheet")
def list_its_items(
    request_id: PathId, caller: Reader, parts: PartsOf, query: Annotated[ItemsQuery, Query()]
) -> Page[ItemReply]:
    """One entry an image: what was asked, what became of it, and the id of its asset."""
    request_id = uuid_or_not_found(request_id, "request")
    with parts.transaction(caller.tenant) as conn:
        found = list_items(
            conn,
            caller.tenant,
            request_id,
            limit=query.limit + 1,
            after=id_of(query.cursor),
            state=query.state or None,
        )
    shown, cursor = page(found, query.limit)
    return Page(data=[item_reply(view) for view in shown], next_cursor=cursor)


@router.post("/{request_id}/cancel", response_model=CancelledReply, summary="Cancel what is still open of a request")
def cancel(request_id: PathId, caller: Submitter, once: OnceOf, query: Annotated[NoQuery, Query()]) -> Response:
    """Pending and planned items will not be made; what is released stays. Repeating it is harmless."""
    request_id = uuid_or_not_found(request_id, "request")

    def work(conn: Connection) -> StoredReply:
        return answered(200, CancelledReply(cancelled=cancel_request(conn, caller.tenant, request_id, caller.actor)))

    return once.run(caller.tenant, once.fingerprint(), work)


def request_reply(view: RequestView) -> RequestReply:
    is_open = any(view.counts.get(state) for state in ITEM_OPEN)
    return RequestReply(
        id=view.id,
        kind=view.kind,
        name=view.name,
        template=None if view.erased_at else view.template,
        model=view.model,
        priority=view.priority,
        state="open" if is_open else "finished",
        items=view.item_count,
        counts=CountsReply(**view.counts),
        metadata=dict(view.metadata),
        renditions=list(view.renditions),
        publish_prompt=view.publish_prompt,
        created_at=view.created_at,
        cancelled_at=view.cancelled_at,
        erased_at=view.erased_at,
        links=links(view.id),
    )

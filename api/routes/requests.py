"""/v1/requests: submit one prompt, read how far requests have come, pause, change and cancel them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response
from sqlalchemy import Connection

from api.edge.auth import Caller, Reader, Submitter
from api.edge.bodies import json_body, optional_json_body
from api.edge.dependencies import PartsOf
from api.edge.idempotency import Once, OnceOf, answered
from api.edge.in_turn import InTurn
from api.edge.limits.agents import demand_sent_by
from api.edge.limits.money import demand_currency
from api.edge.paging import id_of, page, uuid_or_not_found
from api.routes.items import item_reply
from api.schemas.base import NoQuery, Page, PageQuery
from api.schemas.budgets import UsageReply, budget_reply
from api.schemas.control import CancelBody, RequestPatchBody, RestQuery, RetriedReply, RetryBody
from api.schemas.fields import PathId
from api.schemas.items import CancelledReply, ItemReply, ItemsQuery
from api.schemas.request_replies import BreakerReply, CountsReply, RequestEntryReply, RequestReply
from api.schemas.requests import SingleBody
from api.schemas.results import ReasonReply, SummaryReply
from api.schemas.submission import AcceptedReply, DryRunReply
from api.submission.single import check_single
from api.submission.store import demand_future, dry_run, links, store
from workers.cost.limits import Limits
from workers.delivery.remedies import remedy
from workers.jobs.cancel import EVERYTHING, cancel_request
from workers.jobs.control import changes, phases, spending
from workers.jobs.control.retry import retry
from workers.jobs.control.selection import ItemSelection
from workers.jobs.control.usage import usage
from workers.jobs.idempotency import StoredReply
from workers.jobs.results import Reason, reasons
from workers.jobs.views import RequestView, get_request, list_items, list_requests
from workers.states import ITEM_OPEN, ItemState, PauseReason, RequestPhase

router = APIRouter(route_class=InTurn, prefix="/v1/requests", tags=["Requests"])


@router.post(
    "",
    status_code=202,
    response_model=AcceptedReply,
    responses={200: {"model": DryRunReply, "description": "Checked only (`dry_run`); nothing was stored"}},
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
    if not asked.dry_run and (replayed := once.replay(caller.tenant, fingerprint)):
        return replayed
    checked = check_single(asked, parts, caller.tenant)
    if asked.dry_run:
        with parts.transaction(caller.tenant) as conn:
            return JSONResponse(dry_run(conn, caller, parts, checked).model_dump(mode="json"))
    return once.run(caller.tenant, fingerprint, lambda conn: store(conn, caller, parts, checked))


@router.get("", summary="List requests, newest first")
def list_all(caller: Reader, parts: PartsOf, query: Annotated[PageQuery, Query()]) -> Page[RequestEntryReply]:
    """Every request of your tenant, with counts. What was written at length is in the answer about one request."""
    with parts.transaction(caller.tenant) as conn:
        found = list_requests(conn, caller.tenant, limit=query.limit + 1, before=id_of(query.cursor))
    shown, cursor = page(found, query.limit)
    return Page(data=[RequestEntryReply(**_entry(view)) for view in shown], next_cursor=cursor)


async def _waited(
    request: Request, request_id: PathId, caller: Reader, parts: PartsOf, query: Annotated[RestQuery, Query()]
) -> None:
    """Holds no thread. The caller is authenticated before, and the row is read after."""
    id = uuid_or_not_found(request_id, "request")
    if query.wait:
        await parts.room.wait(request, caller.tenant, phases.resting_requests, id, query.wait)


@router.get("/{request_id}", summary="Status of a request, with counts", dependencies=[Depends(_waited)])
def read(request_id: PathId, caller: Reader, parts: PartsOf, query: Annotated[RestQuery, Query()]) -> RequestReply:
    """The counts add up to `items`; the request is finished when none is pending or planned.

    `wait` holds the reply until nothing more is made of the request: it is over, paused, or waits for a person.
    """
    request_id = uuid_or_not_found(request_id, "request")
    with parts.transaction(caller.tenant) as conn:
        view = get_request(conn, caller.tenant, request_id)
        return request_reply(conn, view, reasons(conn, caller.tenant, request_id))


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
            skip=query.skip,
        )
    shown, cursor = page(found, query.limit)
    return Page(data=[item_reply(view) for view in shown], next_cursor=cursor)


@router.patch("/{request_id}", response_model=RequestReply, summary="Change a request while it runs")
def change(
    request_id: PathId,
    caller: Submitter,
    once: OnceOf,
    query: Annotated[NoQuery, Query()],
    asked: Annotated[RequestPatchBody, Depends(json_body(RequestPatchBody))],
) -> Response:
    """Priority and deadline of what is not planned yet, and its budget. A request that is over is 409."""
    request_id = uuid_or_not_found(request_id, "request")
    limits = asked.budget.limits() if asked.budget else Limits()
    demand_currency(limits, once.parts.settings.currency, field="budget.currency")

    def work(conn: Connection) -> StoredReply:
        demand_future(conn, asked.deadline)
        changes.change(conn, caller.tenant, request_id, asked.changes(), actor=caller.actor)
        if "budget" in asked.model_fields_set:
            spending.set_limits(conn, caller.tenant, request_id, limits, actor=caller.actor)
        return answered(200, request_reply(conn, get_request(conn, caller.tenant, request_id)))

    return once.run(caller.tenant, once.fingerprint(asked), work)


@router.post("/{request_id}/pause", response_model=RequestReply, summary="Plan nothing new of a request")
def pause(request_id: PathId, caller: Submitter, once: OnceOf, query: Annotated[NoQuery, Query()]) -> Response:
    """What is in flight is finished and released. Repeating it is harmless; a request that is over is 409."""
    return _moved(phases.pause, request_id, caller, once)


@router.post("/{request_id}/resume", response_model=RequestReply, summary="Let a paused request go on")
def resume(request_id: PathId, caller: Submitter, once: OnceOf, query: Annotated[NoQuery, Query()]) -> Response:
    """It goes on in the phase that it was paused in. One whose deadline has passed needs another deadline first."""
    return _moved(phases.resume, request_id, caller, once)


def _moved(move: Callable[..., object], request_id: str, caller: Caller, once: Once) -> Response:
    """The request after `move`, which is `phases.pause` or `phases.resume`."""
    request_id = uuid_or_not_found(request_id, "request")

    def work(conn: Connection) -> StoredReply:
        demand_sent_by(conn, caller, request_id)
        move(conn, caller.tenant, request_id, actor=caller.actor)
        return answered(200, request_reply(conn, get_request(conn, caller.tenant, request_id)))

    return once.run(caller.tenant, once.fingerprint(), work)


@router.post("/{request_id}/cancel", response_model=CancelledReply, summary="Cancel what is still open of a request")
def cancel(
    request_id: PathId,
    caller: Submitter,
    once: OnceOf,
    query: Annotated[NoQuery, Query()],
    asked: Annotated[CancelBody | None, Depends(optional_json_body(CancelBody))],
) -> Response:
    """Pending and planned items will not be made; what is released stays. Repeating it is harmless.

    Without a body, everything that is open is cancelled; a body selects a part.
    """
    request_id = uuid_or_not_found(request_id, "request")

    def work(conn: Connection) -> StoredReply:
        demand_sent_by(conn, caller, request_id)
        cancelled = cancel_request(conn, caller.tenant, request_id, caller.actor, _selection(asked))
        return answered(200, CancelledReply(cancelled=cancelled))

    return once.run(caller.tenant, once.fingerprint(*([asked] if asked else [])), work)


@router.post("/{request_id}/retry", response_model=RetriedReply, summary="Make the failed items of a request again")
def retry_failed(
    request_id: PathId,
    caller: Submitter,
    once: OnceOf,
    query: Annotated[NoQuery, Query()],
    asked: Annotated[RetryBody | None, Depends(optional_json_body(RetryBody))],
) -> Response:
    """With the same ids and seeds, as another round of the request. Refused items are never made again.

    A request that is finished runs again; one that is cancelled or expired is 409. The images count against budgets.
    """
    request_id = uuid_or_not_found(request_id, "request")
    wanted = asked or RetryBody()
    rows = tuple((first, last) for first, last in wanted.rows)

    def work(conn: Connection) -> StoredReply:
        done = retry(
            conn,
            caller.tenant,
            request_id,
            caller.key_id,
            selection=ItemSelection(rows=rows, custom_ids=tuple(wanted.custom_ids)),
            new_seed=wanted.new_seed,
            currency=once.parts.settings.currency,
            actor=caller.actor,
        )
        return answered(200, RetriedReply(items=done.items, round=done.round))

    return once.run(caller.tenant, once.fingerprint(*([asked] if asked else [])), work)


def _selection(asked: CancelBody | None) -> ItemSelection:
    if asked is None:
        return EVERYTHING
    return ItemSelection(
        states=tuple(asked.states),
        rows=tuple((first, last) for first, last in asked.rows),
        custom_ids=tuple(asked.custom_ids),
        variants=tuple(asked.variants),
        channels=tuple(asked.channels),
        cells=tuple((column, tuple(values)) for column, values in asked.columns.items()),
    )


def request_reply(conn: Connection, view: RequestView, why: Sequence[Reason] = ()) -> RequestReply:
    template = None if view.erased_at else view.template
    channels = [dict(channel) for channel in view.channels]
    settled = usage(conn, view.tenant, by="request", request_id=view.id)
    used = UsageReply(**asdict(settled[0])) if settled else None
    own = spending.budget_of(conn, view.tenant, view.id)
    return RequestReply(
        **_entry(view, why),
        template=template,
        metadata=dict(view.metadata),
        channels=channels,
        budget=budget_reply(own) if own else None,
        used=used,
    )


def _entry(view: RequestView, why: Sequence[Reason] = ()) -> dict[str, Any]:
    """The fields that a list shows too."""
    is_open = any(view.counts.get(state) for state in ITEM_OPEN)
    return {
        "id": view.id,
        "parent_id": view.parent_id,
        "kind": view.kind,
        "name": view.name,
        "model": view.model,
        "priority": view.priority,
        "state": "open" if is_open else "finished",
        "phase": RequestPhase(view.phase),
        "paused_for": PauseReason(view.paused_for) if view.paused_for else None,
        "paused_figures": BreakerReply(**view.paused_figures) if view.paused_figures else None,
        "deadline": view.deadline,
        "at_deadline": "expire" if view.at_deadline == "expire" else "pause",
        "items": view.item_count,
        "counts": CountsReply(**view.counts),
        "renditions": list(view.renditions),
        "publish_prompt": view.publish_prompt,
        "created_at": view.created_at,
        "cancelled_at": view.cancelled_at,
        "ended_at": view.ended_at,
        "erased_at": view.erased_at,
        "summary": _summary(view, why),
        "links": links(view.id),
    }


def _summary(view: RequestView, why: Sequence[Reason]) -> SummaryReply:
    counts = {field: view.counts.get(field, 0) for field in SummaryReply.model_fields if field in set(ItemState)}
    return SummaryReply(
        **counts,
        open=sum(view.counts.get(state, 0) for state in ITEM_OPEN),
        reasons=[ReasonReply(**asdict(one), remedy=remedy(one.state, one.code)) for one in why],
    )

"""/v1/events and /v1/requests/{request_id}/events: what happens to requests, as server-sent events."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from api.edge.auth import Caller, Reader
from api.edge.dependencies import Parts, PartsOf
from api.edge.limits.held import HeldStream
from api.edge.live.feed import Feed
from api.edge.live.stream import Listener, live_events
from api.edge.middleware.conditional import hands_over
from api.edge.paging import uuid_or_not_found
from api.edge.problems import Problem
from api.schemas.fields import PathId
from api.schemas.streams import RequestStreamQuery, StreamQuery
from policy.ledger.reading.sealed import first_about
from workers.jobs.keys import is_valid
from workers.jobs.views import get_request
from workers.states import ITEM_OPEN

router = APIRouter(prefix="/v1", tags=["Live"])
LastEventId = Annotated[
    str | None,
    Header(
        alias="Last-Event-ID",
        max_length=18,
        pattern="^[0-9]*$",
        description="the `id` of the last event that was seen: the stream goes on behind it",
    ),
]
_STREAM: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}}


def _begin(query: Annotated[StreamQuery, Query()], last_event_id: LastEventId = None) -> int | None:
    """The number behind which the stream begins. The header decides: a browser sends it beside the first address."""
    return int(last_event_id) if last_event_id else query.after


class _Asked(NamedTuple):
    """What a listener of one request asks for."""

    begin: int | None
    progress_seconds: float


def _asked(query: Annotated[RequestStreamQuery, Query()], last_event_id: LastEventId = None) -> _Asked:
    return _Asked(_begin(query, last_event_id), query.progress)


@router.get(
    "/events",
    summary="Events of your requests, as they happen",
    response_class=StreamingResponse,
    responses=_STREAM,
)
async def follow_all(
    request: Request,
    caller: Reader,
    parts: PartsOf,
    begin: Annotated[int | None, Depends(_begin)],
) -> Response:
    """Server-sent events of every request of your tenant. Without `Last-Event-ID` or `after`, from now on.

    An event comes when it is sealed, about a second after its commit. None is lost between two connections, as long as
    the second one sends the last `id` that was seen. A stream holds one of the places that `wait` has as well.
    """
    feed = _feed(parts)
    after = await run_in_threadpool(feed.head) if begin is None else begin
    return _stream(request, parts, caller, after)


@router.get(
    "/requests/{request_id}/events",
    summary="Events of one request, as they happen",
    response_class=StreamingResponse,
    responses={**_STREAM, 204: {"description": "The request is over, and there are no later events"}},
)
async def follow(
    request: Request,
    request_id: PathId,
    caller: Reader,
    parts: PartsOf,
    asked: Annotated[_Asked, Depends(_asked)],
) -> Response:
    """Server-sent events of one request, from its beginning or behind `Last-Event-ID`, until it is over.

    204 where it is over and nothing is left to tell: a browser then stops to reconnect.
    """
    _feed(parts)
    id = uuid_or_not_found(request_id, "request")
    begin = asked.begin
    over = await run_in_threadpool(_is_over, parts, caller.tenant, id)
    after = await run_in_threadpool(_before, parts, caller.tenant, id) if begin is None else begin
    if over and begin is not None and not await run_in_threadpool(_has_more, parts, caller.tenant, id, after):
        return Response(status_code=204)
    return _stream(request, parts, caller, after, id, progress_seconds=asked.progress_seconds)


def _stream(
    request: Request,
    parts: Parts,
    caller: Caller,
    after: int,
    request_id: str | None = None,
    *,
    progress_seconds: float = 0.0,
) -> Response:
    if not hands_over(request):  # HEAD
        return Response(media_type="text/event-stream")

    def still_valid() -> bool:
        with parts.engine.begin() as conn:
            return is_valid(conn, caller.tenant, caller.key_id)

    def over() -> bool:
        return request_id is not None and _is_over(parts, caller.tenant, request_id)

    def counts() -> Mapping[str, int]:
        with parts.transaction(caller.tenant) as conn:
            return get_request(conn, caller.tenant, str(request_id)).counts

    seconds = parts.settings.stream_seconds
    listener = Listener(caller.tenant, request_id, after, seconds, still_valid, over, progress_seconds, counts)
    with ExitStack() as held:
        held.enter_context(parts.room.place(caller.tenant))
        return HeldStream(live_events(_feed(parts), listener), held.pop_all())


def _feed(parts: Parts) -> Feed:
    if parts.feed is None:
        raise Problem("audit_not_configured", "Set PRESSWORK_AUDITOR_DATABASE_URL for the API process.")
    return parts.feed


def _is_over(parts: Parts, tenant: str, request_id: str) -> bool:
    with parts.transaction(tenant) as conn:
        view = get_request(conn, tenant, request_id)
    return view.ended_at is not None and not any(view.counts.get(state) for state in ITEM_OPEN)


def _before(parts: Parts, tenant: str, request_id: str) -> int:
    """The number before the first event of a request; the newest one where none is sealed yet."""
    feed = _feed(parts)
    head = feed.head()
    first = _first(parts, tenant, request_id)
    return head if first is None else first - 1


def _first(parts: Parts, tenant: str, request_id: str) -> int | None:
    if parts.auditor is None:
        return None
    with parts.auditor.begin() as conn:
        return first_about(conn, tenant, f"request:{request_id}")


def _has_more(parts: Parts, tenant: str, request_id: str, after: int) -> bool:
    """Whether an event about the request is sealed behind a number."""
    if parts.auditor is None:
        return False
    with parts.auditor.begin() as conn:
        return first_about(conn, tenant, f"request:{request_id}", after=after) is not None

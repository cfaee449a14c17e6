"""/v1/requests/{request_id}/course: what a request was expected to take, what it took, and how its breaker stands."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from api.edge.auth import Reader
from api.edge.dependencies import PartsOf
from api.edge.in_turn import InTurn
from api.edge.paging import uuid_or_not_found
from api.schemas.base import NoQuery
from api.schemas.budgets import UsageReply
from api.schemas.course import CourseReply, CurveReply, WatchReply
from api.schemas.fields import PathId
from api.submission.preview.forecast import forecast_of, stored_works, taken, unknown
from workers.jobs.control import breaker
from workers.jobs.control.usage import usage
from workers.jobs.views import count_drawn_work

router = APIRouter(route_class=InTurn, prefix="/v1/requests", tags=["Requests"])


@router.get("/{request_id}/course", summary="Forecast and spent of a request, and its breaker")
def read_course(request_id: PathId, caller: Reader, parts: PartsOf, query: Annotated[NoQuery, Query()]) -> CourseReply:
    """The forecast is of all its images, from the batches that were measured until now. The curves replay its rows."""
    id = uuid_or_not_found(request_id, "request")
    with parts.transaction(caller.tenant) as conn:
        works = stored_works(count_drawn_work(conn, caller.tenant, id), parts.settings)
        made = forecast_of(conn, works, parts.settings)
        watched = breaker.curves(conn, caller.tenant, id)
        used = usage(conn, caller.tenant, by="request", request_id=id)
    seconds, cost = taken(made)
    return CourseReply(
        images=made.images,
        gpu_seconds=seconds,
        cost=cost,
        currency=parts.settings.currency if cost else None,
        message=unknown(made),
        used=UsageReply(**asdict(used[0])) if used else None,
        breaker=WatchReply(threshold=watched[0], curves=[CurveReply(**one._asdict()) for one in watched[1]])
        if watched
        else None,
    )

"""Start: what the key that is signed in may do, and the way there."""

from __future__ import annotations

from fastapi import APIRouter, Response

from api.console.failing import PageRoute
from api.console.visits import VisitOf

router = APIRouter(route_class=PageRoute)


@router.get("/console")
async def start(visit: VisitOf) -> Response:
    return visit.page("start.html", section="start")

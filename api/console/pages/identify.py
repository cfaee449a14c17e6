"""Identify: a picture is dropped, and the answer says whether it was made here, with the map of what agrees."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response

from api.console.failing import PageRoute
from api.console.origins import demand_own_page, demand_token
from api.console.visits import VisitOf

router = APIRouter(route_class=PageRoute)
_WAIT_SECONDS = 10
_MAP_ROW = re.compile("[#x~.]{1,64}")


@router.get("/console/identify")
async def ask(visit: VisitOf) -> Response:
    visit.demand("read")
    return visit.page("identify.html", section="identify")


@router.post("/console/identify")
async def send(request: Request, visit: VisitOf) -> Response:
    """The file itself is the body, which streams to the API. The answer is a part that asks until there is one."""
    demand_own_page(request)
    demand_token(request, visit.session)
    headers = {"content-type": "application/octet-stream"}
    if length := request.headers.get("content-length"):
        headers["content-length"] = length
    asked = await visit.call("POST", "/v1/identify", content=request.stream(), headers=headers)
    return visit.page("parts/identified.html", answer=asked.json(), map=[])


@router.get("/console/identify/{identification_id}")
async def answer(
    visit: VisitOf, identification_id: str, wait: Annotated[int, Query(ge=0, le=_WAIT_SECONDS)] = _WAIT_SECONDS
) -> Response:
    found = await visit.get(f"/v1/identify/{quote(identification_id, safe='')}", wait=wait)
    rows = (found["agreement"] or {}).get("map", [])
    return visit.page("parts/identified.html", answer=found, map=[row for row in rows if _MAP_ROW.fullmatch(row)])

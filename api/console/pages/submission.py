"""New campaign: a spreadsheet is checked by the API without being stored, and then submitted."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from api.console.failing import PageRoute
from api.console.origins import demand_own_page, demand_token
from api.console.visits import CallRefused, Visit, VisitOf

router = APIRouter(route_class=PageRoute)
_KEPT = ("content-type", "content-length", "idempotency-key")


@router.get("/console/new")
async def ask(visit: VisitOf) -> Response:
    visit.demand("submit")
    models = (await visit.get("/v1/models"))["data"] if visit.may("read") else []
    return visit.page("new.html", section="new", models=models)


@router.post("/console/new/check")
async def check(request: Request, visit: VisitOf) -> Response:
    """What the API says of the campaign. The body is its own: `spec`, which says `dry_run`, and `file`."""
    return await _answered(request, visit, "parts/checked.html")


@router.post("/console/new/submit")
async def submit(request: Request, visit: VisitOf) -> Response:
    """The same body without `dry_run`, and an Idempotency-Key: a second press of the button submits nothing twice."""
    return await _answered(request, visit, "parts/submitted.html")


async def _answered(request: Request, visit: Visit, template: str) -> Response:
    demand_own_page(request)
    demand_token(request, visit.session)
    try:
        answer = await _passed_on(request, visit)
    except CallRefused as refused:
        return visit.page("parts/refused.html", problem=refused.problem)
    return visit.page(template, answer=answer)


async def _passed_on(request: Request, visit: Visit) -> dict[str, Any]:
    """The body streams through: the API reads it once, within its own limits."""
    headers = {name: value for name in _KEPT if (value := request.headers.get(name))}
    answered = await visit.call("POST", "/v1/campaigns", content=request.stream(), headers=headers)
    found: dict[str, Any] = answered.json()
    return found

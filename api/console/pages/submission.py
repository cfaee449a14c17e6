"""New campaign: a spreadsheet is checked by the API without being stored, and then submitted."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

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


@router.get("/console/new/checks/{campaign_id}")
async def follow(visit: VisitOf, campaign_id: str) -> Response:
    """How far the check of a large file is; at the end, what it found."""
    check = await visit.get(f"/v1/campaigns/{quote(campaign_id, safe='')}")
    return _shown(visit, check)


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
    return _shown(visit, answer) if "state" in answer else visit.page(template, answer=answer)


def _shown(visit: Visit, check: dict[str, Any]) -> Response:
    """A large campaign: being checked, or as a small one would have been answered."""
    if check["state"] == "failed":
        return visit.page("parts/refused.html", problem=check["problem"])
    if (reply := check["reply"]) is not None:
        return visit.page(f"parts/{'checked' if reply.get('dry_run') else 'submitted'}.html", answer=reply)
    return visit.page("parts/checking.html", check=check)


async def _passed_on(request: Request, visit: Visit) -> dict[str, Any]:
    """The body streams through: the API reads it once, within its own limits."""
    headers = {name: value for name in _KEPT if (value := request.headers.get(name))}
    answered = await visit.call("POST", "/v1/campaigns", content=request.stream(), headers=headers)
    found: dict[str, Any] = answered.json()
    return found

"""Campaigns: the list, one of them with its rows, and what can be done to it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from api.console.failing import PageRoute
from api.console.visits import ChangeOf, Visit, VisitOf
from api.edge.problems import Problem

router = APIRouter(route_class=PageRoute)
STATES = ("released", "held", "refused", "failed", "cancelled", "recalled", "planned", "pending")
_ON_A_PAGE, _ROWS_ON_A_PAGE = 25, 50
_OPEN_PHASES = ("pilot", "awaiting_acceptance", "running", "paused")


@router.get("/console/campaigns")
async def show_list(visit: VisitOf, cursor: str = "") -> Response:
    page = await visit.get("/v1/requests", limit=_ON_A_PAGE, cursor=cursor)
    return visit.page("campaigns.html", section="campaigns", page=page, states=STATES, first=not cursor)


@router.get("/console/campaigns/{request_id}")
async def show_one(visit: VisitOf, request_id: str, state: str = "", cursor: str = "") -> Response:
    """Its state, and a page of its rows. The part that changes comes again from `live` with each event."""
    address = f"/v1/requests/{quote(request_id, safe='')}"
    campaign = await visit.get(address)
    course = await visit.get(f"{address}/course") if campaign["kind"] == "campaign" else None
    rows = await visit.get(f"{address}/items", state=state, cursor=cursor, limit=_ROWS_ON_A_PAGE)
    more = urlencode({"state": state, "cursor": rows["next_cursor"] or ""})
    return visit.page(
        "campaign.html",
        section="campaigns",
        rows=rows,
        course=course,
        state=state,
        more=f"/console/campaigns/{campaign['id']}?{more}",
        first=not cursor,
        **_shown(visit, campaign),
    )


@router.get("/console/campaigns/{request_id}/live")
async def show_live(visit: VisitOf, request_id: str) -> Response:
    """How far it has come: the part of the page that follows the events."""
    campaign = await visit.get(f"/v1/requests/{quote(request_id, safe='')}")
    return visit.page("parts/campaign_live.html", **_shown(visit, campaign))


@router.post("/console/campaigns/{request_id}/{act}")
async def change(visit: VisitOf, request_id: str, act: str, form: ChangeOf) -> Response:
    """Pause, resume, cancel what is open, or make failed images again; then back to the campaign."""
    if act not in ("pause", "resume", "cancel", "retry"):
        raise Problem("not_found", "There is no such change of a campaign.")
    id = quote(request_id, safe="")
    await visit.send("POST", f"/v1/requests/{id}/{act}")
    return RedirectResponse(f"/console/campaigns/{id}", 303)


def _shown(visit: Visit, campaign: dict[str, Any]) -> dict[str, Any]:
    """What both templates need: the campaign, and the changes that its phase and the key allow."""
    acts = []
    if visit.may("submit"):
        phase, failed = campaign["phase"], campaign["counts"]["failed"]
        acts += ["pause"] if phase in ("pilot", "running") else ["resume"] if phase == "paused" else []
        acts += ["retry"] if failed else []
        acts += ["cancel"] if phase in _OPEN_PHASES and campaign["summary"]["open"] else []
    return {"campaign": campaign, "acts": acts, "states": STATES, "is_over": campaign["phase"] not in _OPEN_PHASES}

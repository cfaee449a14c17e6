"""Contact sheet of a campaign, and the acceptance of its pilot: pictures in a grid that scrolls through all of them."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from api.console.failing import PageRoute
from api.console.visits import ChangeOf, VisitOf
from api.edge.problems import Problem

router = APIRouter(route_class=PageRoute)


@router.get("/console/campaigns/{request_id}/sheet")
async def show_sheet(visit: VisitOf, request_id: str, state: str = "") -> Response:
    """The grid asks for its items and thumbnails by itself, as far as it is scrolled."""
    campaign = await visit.get(f"/v1/requests/{quote(request_id, safe='')}")
    if state and state not in campaign["counts"]:
        raise Problem("not_found", "There is no such state of an item.")
    total = campaign["counts"][state] if state else campaign["items"]
    return visit.page("sheet.html", section="campaigns", campaign=campaign, state=state, total=total)


@router.get("/console/campaigns/{request_id}/pilot")
async def show_pilot(visit: VisitOf, request_id: str) -> Response:
    address = f"/v1/requests/{quote(request_id, safe='')}"
    campaign, pilot = await visit.get(address), await visit.get(f"{address}/pilot")
    return visit.page("pilot.html", section="campaigns", campaign=campaign, pilot=pilot)


@router.post("/console/campaigns/{request_id}/pilot/{decision}")
async def decide(visit: VisitOf, request_id: str, decision: str, form: ChangeOf) -> Response:
    """Accept or reject the very sheet that was looked at, with the pictures that the person marked as bad."""
    if decision not in ("accept", "reject"):
        raise Problem("not_found", "A pilot is accepted or rejected.")
    id = quote(request_id, safe="")
    marked = [name.removeprefix("bad-") for name in form if name.startswith("bad-")]
    decided = {"digest": form.get("digest", ""), "rejected": marked}
    await visit.send("POST", f"/v1/requests/{id}/pilot/{decision}", decided)
    return RedirectResponse(f"/console/campaigns/{id}", 303)

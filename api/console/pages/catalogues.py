"""Catalogues: the list, one with its plans and runs, and a plan as a difference that a person applies."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from api.console.failing import PageRoute
from api.console.visits import ChangeOf, Visit, VisitOf, whole_number
from workers.jobs.catalogue.plans import APPLIED

router = APIRouter(route_class=PageRoute)
KINDS = ("create", "change", "retire", "missing", "blocked")
_ON_A_PAGE, _CHANGES_ON_A_PAGE = 20, 50


@router.get("/console/catalogues")
async def show_list(visit: VisitOf) -> Response:
    found = await visit.get("/v1/catalogues")
    return visit.page("catalogues.html", section="catalogues", catalogues=found["data"])


@router.get("/console/catalogues/{name}")
async def show_one(visit: VisitOf, name: str) -> Response:
    """What waits for a person, its latest plans and runs, and a place to drop the next feed."""
    address = _address(name)
    catalogue = await visit.get(address)
    plans = await visit.get(f"{address}/plans", limit=_ON_A_PAGE)
    runs = await visit.get(f"{address}/runs", limit=_ON_A_PAGE)
    return visit.page(
        "catalogue.html", section="catalogues", catalogue=catalogue, plans=plans["data"], runs=runs["data"], kinds=KINDS
    )


@router.post("/console/catalogues/{name}/rollback")
async def roll_back(visit: VisitOf, name: str, form: ChangeOf) -> Response:
    """What was live after an earlier run is live again."""
    await visit.send("POST", f"{_address(name)}/rollback", {"to_run": whole_number(form.get("to_run", ""))})
    return RedirectResponse(f"/console/catalogues/{quote(name, safe='')}", 303)


@router.get("/console/catalogues/{name}/plans/{plan_id}")
async def show_plan(visit: VisitOf, name: str, plan_id: str, kind: str = "", cursor: str = "") -> Response:
    """Its counts and causes, what stops it, and each change with the picture before and after."""
    address = _address(name, plan_id)
    plan = await visit.get(address)
    changes: dict[str, Any] = {"data": [], "next_cursor": None}
    if plan["state"] in ("ready", "applied"):
        changes = await visit.get(f"{address}/changes", kind=kind, cursor=cursor, limit=_CHANGES_ON_A_PAGE)
    more = urlencode({"kind": kind, "cursor": changes["next_cursor"] or ""})
    return visit.page(
        "catalogue_plan.html",
        section="catalogues",
        changes=changes,
        kind=kind,
        more=f"?{more}",
        first=not cursor,
        **_shown(visit, plan),
    )


@router.get("/console/catalogues/{name}/plans/{plan_id}/live")
async def show_progress(visit: VisitOf, name: str, plan_id: str) -> Response:
    """Whether it is made: the part of the page that asks again. Once it is, the whole page is loaded anew."""
    plan = await visit.get(_address(name, plan_id))
    answer = visit.page("parts/catalogue_planning.html", **_shown(visit, plan))
    if plan["state"] != "planning":
        answer.headers["HX-Refresh"] = "true"
    return answer


@router.post("/console/catalogues/{name}/plans/{plan_id}/apply")
async def apply(visit: VisitOf, name: str, plan_id: str, form: ChangeOf) -> Response:
    """Exactly the plan that was shown, by its digest. A second press of the button is answered with the first run."""
    body: dict[str, Any] = {"digest": form.get("digest", ""), "confirm": "confirm" in form, "again": "again" in form}
    if form.get("limit"):
        body["limit"] = whole_number(form["limit"])
    headers = {"Idempotency-Key": f"console-{plan_id}"}
    await visit.call("POST", f"{_address(name, plan_id)}/apply", json=body, headers=headers)
    return RedirectResponse(f"/console/catalogues/{quote(name, safe='')}/plans/{quote(plan_id, safe='')}", 303)


def _shown(visit: Visit, plan: dict[str, Any]) -> dict[str, Any]:
    """What both templates need. What safeguards stop, a key of a person applies: the API refuses any other."""
    ready = plan["state"] == "ready" and any(plan["counts"].get(kind) for kind in APPLIED)
    open_to_it = ready and visit.may("submit")
    needs_person = open_to_it and bool(plan["safeguards"]) and not visit.key["person"]
    may_apply = open_to_it and not needs_person
    return {"plan": plan, "kinds": KINDS, "may_apply": may_apply, "needs_person": needs_person}


def _address(name: str, plan_id: str | None = None) -> str:
    plan = "" if plan_id is None else f"/plans/{quote(plan_id, safe='')}"
    return f"/v1/catalogues/{quote(name, safe='')}{plan}"

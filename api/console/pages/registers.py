"""Registers: usage and budgets, models, inputs, the ledger's answers, and what an admin sets for the tenant."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from api.console.failing import PageRoute
from api.console.visits import CallRefused, ChangeOf, Visit, VisitOf
from api.edge.problems import Problem

router = APIRouter(route_class=PageRoute)
_ON_A_PAGE = 50
QUESTIONS = ("refusals", "reviews", "still-public", "counts", "made-by")  # of /v1/audit, each a table
_GROUPS = ("day", "request", "key", "tenant")


@router.get("/console/usage")
async def usage(visit: VisitOf, by: str = "day") -> Response:
    if by not in _GROUPS:
        raise Problem("not_found", f"Usage is counted by {', '.join(_GROUPS)}.")
    used, budgets = await visit.get("/v1/usage", by=by), await visit.get("/v1/budgets")
    return visit.page("usage.html", section="usage", used=used["data"], budgets=budgets["data"], by=by, groups=_GROUPS)


@router.get("/console/models")
async def models(visit: VisitOf) -> Response:
    """What may be used, and what is installed and cannot be, with the reason."""
    usable, unusable = await visit.get("/v1/models"), await visit.get("/v1/models/unusable")
    return visit.page("models.html", section="models", models=usable["data"], unusable=unusable["data"])


@router.get("/console/inputs")
async def inputs(visit: VisitOf, cursor: str = "") -> Response:
    page = await visit.get("/v1/inputs", limit=_ON_A_PAGE, cursor=cursor)
    return visit.page("inputs.html", section="inputs", page=page, first=not cursor)


@router.get("/console/audit")
async def audit(visit: VisitOf, question: str = "refusals", cursor: str = "", model: str = "") -> Response:
    """One question as a table; the columns are those that the API answers."""
    visit.demand("audit")
    if question not in QUESTIONS:
        raise Problem("not_found", f"The ledger is asked for {', '.join(QUESTIONS)}.")
    asked = {"model": model, "cursor": cursor, "limit": _ON_A_PAGE}
    needs_model = question == "made-by" and not model
    page: dict[str, Any] = {"data": [], "next_cursor": None}
    if not needs_model:
        page = await visit.get(f"/v1/audit/{question}", **asked)
    head = await _checkpoint(visit)
    columns = _columns(page["data"])
    return visit.page(
        "audit.html",
        section="audit",
        questions=QUESTIONS,
        question=question,
        page=page,
        columns=columns,
        model=model,
        needs_model=needs_model,
        head=head,
        first=not cursor,
    )


@router.get("/console/settings")
async def settings(visit: VisitOf) -> Response:
    """Keys, webhooks, recalls and legal holds of the tenant. The keys themselves are shown nowhere."""
    visit.demand("admin")
    keys, webhooks = await visit.get("/v1/keys", limit=500), await visit.get("/v1/webhooks", limit=500)
    recalls, holds = (
        await visit.get("/v1/recalls", limit=_ON_A_PAGE),
        await visit.get("/v1/legal-holds", limit=_ON_A_PAGE),
    )
    return visit.page(
        "settings.html",
        section="settings",
        keys=keys["data"],
        webhooks=webhooks["data"],
        recalls=recalls["data"],
        holds=holds["data"],
    )


@router.post("/console/settings/keys/{key_id}/revoke")
async def revoke(visit: VisitOf, key_id: str, form: ChangeOf) -> Response:
    """The key stops working at once, and with it its sessions; of one's own key, this one too."""
    await visit.send("DELETE", f"/v1/keys/{quote(key_id, safe='')}")
    return RedirectResponse("/console/settings", 303)


async def _checkpoint(visit: Visit) -> str | None:
    """The newest signed head of the ledger; None where nothing is sealed yet, or the API has no auditor's login."""
    try:
        answered = await visit.call("GET", "/v1/audit/checkpoint")
    except CallRefused as refused:
        if refused.status not in (404, 501):
            raise
        return None
    return answered.text


def _columns(rows: list[dict[str, Any]]) -> list[str]:
    """Names of plain values in the rows, in their order; lists and objects are in the export."""
    named = [name for row in rows for name, value in row.items() if isinstance(value, str | int | float)]
    return list(dict.fromkeys(named))

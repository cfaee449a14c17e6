"""Registers: usage and budgets, models, inputs, and the ledger's answers."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from api.console.failing import PageRoute
from api.console.visits import CallRefused, Visit, VisitOf
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

"""/v1/budgets and /v1/usage: what may be made, and what was made of it, in images, GPU seconds and money."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse, Response
from sqlalchemy import Connection

from api.edge.auth import Admin, Reader
from api.edge.bodies import json_body
from api.edge.dependencies import PartsOf
from api.edge.idempotency import OnceOf, answered
from api.edge.in_turn import InTurn
from api.edge.problems import Complaint, Problem
from api.results.usage_csv import usage_csv
from api.schemas.base import NoQuery, Page
from api.schemas.budgets import BudgetBody, BudgetReply, UsageQuery, UsageReply
from workers.jobs.control.budget import Budget, list_budgets, set_budget
from workers.jobs.control.usage import usage
from workers.jobs.idempotency import StoredReply

router = APIRouter(route_class=InTurn, prefix="/v1", tags=["Budgets"])


@router.get("/budgets", summary="List the budgets")
def list_all(caller: Reader, parts: PartsOf, query: Annotated[NoQuery, Query()]) -> Page[BudgetReply]:
    """That of the tenant first, then those of API keys. All on one page."""
    with parts.transaction(caller.tenant) as conn:
        found = list_budgets(conn, caller.tenant)
    return Page(data=[_reply(budget) for budget in found], next_cursor=None)


@router.put("/budgets", response_model=BudgetReply, summary="Set a budget")
def put(
    caller: Admin,
    parts: PartsOf,
    once: OnceOf,
    query: Annotated[NoQuery, Query()],
    asked: Annotated[BudgetBody, Depends(json_body(BudgetBody))],
) -> Response:
    """A submission that does not fit is refused with 402 and stores nothing. What was accepted before goes on."""

    _demand_currency(asked, parts.settings.currency)

    def work(conn: Connection) -> StoredReply:
        standing = set_budget(conn, caller.tenant, asked.key_id, asked.limits(), actor=caller.actor)
        return answered(200, _reply(standing or Budget(key_id=asked.key_id)))

    return once.run(caller.tenant, once.fingerprint(asked), work)


@router.get(
    "/usage",
    response_model=Page[UsageReply],
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
    summary="What was made, by day, request, API key or altogether",
)
def read_usage(caller: Reader, parts: PartsOf, query: Annotated[UsageQuery, Query()]) -> Response:
    """The first 1,000 lines; narrow `since` and `until` for more. Refused, failed and cancelled images cost nothing."""
    with parts.transaction(caller.tenant) as conn:
        lines = usage(conn, caller.tenant, by=query.by, since=query.since, until=query.until)
    if query.format == "csv":
        headers = {"Content-Disposition": f'attachment; filename="usage-by-{query.by}.csv"'}
        return Response(usage_csv(lines), media_type="text/csv; charset=utf-8", headers=headers)
    page = Page[UsageReply](data=[UsageReply(**asdict(line)) for line in lines], next_cursor=None)
    return JSONResponse(page.model_dump(mode="json"))


def _demand_currency(asked: BudgetBody, currency: str) -> None:
    """Raises Problem for a budget in money that this installation does not count in."""
    if asked.cost is None or asked.currency == currency:
        return
    message = f"this installation counts in {currency}, not in {asked.currency}"
    remedy = f"Send the limit in {currency}."
    if not currency:
        message = "this installation has no price list, so nothing of it costs money"
        remedy = "Limit images or gpu_seconds, or ask the operator to set PRESSWORK_PRICES."
    complaint = Complaint("other_currency", message, remedy, field="currency")
    raise Problem("invalid_body", f"currency: {message}.", errors=[complaint])


def _reply(budget: Budget) -> BudgetReply:
    fields = {name: getattr(budget, name) for name in BudgetReply.model_fields}
    return BudgetReply(**{name: float(one) if isinstance(one, Decimal) else one for name, one in fields.items()})

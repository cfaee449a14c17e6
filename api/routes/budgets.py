"""/v1/budgets and /v1/usage: what may be made, and what was made of it, in images, GPU seconds and money."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse, Response
from sqlalchemy import Connection

from api.edge.auth import Admin, Reader
from api.edge.bodies import json_body
from api.edge.dependencies import PartsOf
from api.edge.idempotency import OnceOf, answered
from api.edge.in_turn import InTurn
from api.edge.limits.money import demand_currency
from api.results.usage_csv import usage_csv
from api.schemas.base import NoQuery, Page
from api.schemas.budgets import BudgetBody, BudgetReply, UsageQuery, UsageReply, budget_reply
from workers.jobs.control.budget import Budget, list_budgets, set_budget
from workers.jobs.control.usage import usage
from workers.jobs.idempotency import StoredReply

router = APIRouter(route_class=InTurn, prefix="/v1", tags=["Budgets"])


@router.get("/budgets", summary="List the budgets")
def list_all(caller: Reader, parts: PartsOf, query: Annotated[NoQuery, Query()]) -> Page[BudgetReply]:
    """That of the tenant first, then those of API keys. All on one page."""
    with parts.transaction(caller.tenant) as conn:
        found = list_budgets(conn, caller.tenant)
    return Page(data=[budget_reply(budget) for budget in found], next_cursor=None)


@router.put("/budgets", response_model=BudgetReply, summary="Set a budget")
def put(
    caller: Admin,
    parts: PartsOf,
    once: OnceOf,
    query: Annotated[NoQuery, Query()],
    asked: Annotated[BudgetBody, Depends(json_body(BudgetBody))],
) -> Response:
    """A submission that does not fit is refused with 402 and stores nothing. What was accepted before goes on."""

    demand_currency(asked.limits(), parts.settings.currency)

    def work(conn: Connection) -> StoredReply:
        standing = set_budget(conn, caller.tenant, asked.key_id, asked.limits(), actor=caller.actor)
        return answered(200, budget_reply(standing or Budget(key_id=asked.key_id)))

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

"""/v1/audit: the questions an auditor asks, each answered from the ledger for your tenant, page by page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from sqlalchemy import Connection

from api.edge.auth import Auditor
from api.edge.dependencies import Parts, PartsOf
from api.edge.in_turn import InTurn
from api.edge.paging import cursor_of_number, number_of, uuid_or_not_found
from api.edge.problems import Complaint, Problem
from api.schemas.audit import (
    AuditReviewsQuery,
    CountsQuery,
    LineageReply,
    RowsPage,
    ScopeQuery,
    StillPublicPage,
)
from api.schemas.base import NoQuery, NumberedPageQuery
from api.schemas.fields import PathId
from policy.errors import LedgerError
from policy.ledger.reading import questions
from policy.ledger.reading.report import asset_report
from policy.ledger.reading.report_html import as_html
from policy.ledger.tree.proofs import head
from policy.still_public import still_public_page
from workers.errors import NotFound

router = APIRouter(route_class=InTurn, prefix="/v1/audit", tags=["Audit"])
_LOOKED_AT = 500  # public pictures one call judges again: about half a second of one core


@router.get("/assets/{asset_id}", summary="Everything about an asset, from its request to its recall")
def lineage(asset_id: PathId, caller: Auditor, parts: PartsOf, query: Annotated[NoQuery, Query()]) -> LineageReply:
    """Request, prompt, recipe, model revision, LoRAs, seed, place in the batch, device, worker, policy version,
    verdict with scores, marks, files, reviews, links given out, recall. Text that was erased is null.
    """
    asset_id = uuid_or_not_found(asset_id, "asset")
    with _ledger(parts) as conn:
        found = questions.lineage(conn, asset_id, tenant=caller.tenant)
    if found is None:
        raise NotFound(f"no asset {asset_id}")
    return LineageReply(**found)


@router.get(
    "/assets/{asset_id}/report",
    summary="A report about an asset, to read and to print",
    response_class=Response,
    responses={200: {"content": {"text/html": {"schema": {"type": "string"}}}}},
)
def report(asset_id: PathId, caller: Auditor, parts: PartsOf, query: Annotated[NoQuery, Query()]) -> Response:
    """One HTML file, as `presswork audit report` writes it: what happened, under which rules, who decided, every event
    of your tenant, and how to check it. Prompts that were not erased are in it.
    """
    asset_id = uuid_or_not_found(asset_id, "asset")
    with _ledger(parts) as conn:
        try:
            newest = head(conn)
        except LedgerError as error:
            newest = str(error)
        made = asset_report(conn, asset_id, origin=parts.settings.ledger_origin, head=newest, tenant=caller.tenant)
    if made is None:
        raise NotFound(f"no asset {asset_id}")
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="report-{asset_id}.html"',
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox",
    }
    return Response(as_html(made), media_type="text/html; charset=utf-8", headers=headers)


@router.get("/made-by", summary="Every picture a model, a revision or a LoRA made, released or not")
def made_by(caller: Auditor, parts: PartsOf, query: Annotated[ScopeQuery, Query()]) -> RowsPage:
    """Name a model, a revision or a LoRA; several parameters mean all of them. Oldest first."""
    if query.model is None and query.revision is None and query.lora is None:
        complaint = Complaint("missing", "nothing was asked for", "Name a model, a revision or a lora.", field="query")
        raise Problem("invalid_parameters", "query: name a model, a revision or a lora.", errors=[complaint])
    with _ledger(parts) as conn:
        found = questions.made_by(
            conn, query.scope(caller.tenant), after=number_of(query.cursor), limit=query.limit + 1
        )  # fmt: skip
        return _listed(found, query)


@router.get("/refusals", summary="Every item that was held or refused, and why")
def refusals(caller: Auditor, parts: PartsOf, query: Annotated[ScopeQuery, Query()]) -> RowsPage:
    """With categories, rules, findings and raw scores. Oldest first."""
    with _ledger(parts) as conn:
        found = questions.refused(
            conn, query.scope(caller.tenant), after=number_of(query.cursor), limit=query.limit + 1
        )  # fmt: skip
        return _listed(found, query)


@router.get("/reviews", summary="Who reviewed what, and how they decided")
def reviews(caller: Auditor, parts: PartsOf, query: Annotated[AuditReviewsQuery, Query()]) -> RowsPage:
    """Oldest first. A first release under four eyes has `final` false."""
    with _ledger(parts) as conn:
        found = questions.reviews(
            conn,
            query.scope(caller.tenant),
            reviewer=query.reviewer,
            decision=query.decision,
            after=number_of(query.cursor),
            limit=query.limit + 1,
        )
        return _listed(found, query)


@router.get("/still-public", summary="Released pictures that the rules of today would hold or refuse")
def still_public(caller: Auditor, parts: PartsOf, query: Annotated[ScopeQuery, Query()]) -> StillPublicPage:
    """Judges the next `limit` public pictures again, under the rule set this API runs; follow `next_cursor` to the
    end, as a page may hold none. Recalled pictures are left out. Policy, rule and category are those of the release.
    """
    limit, scope = min(query.limit, _LOOKED_AT), query.scope(caller.tenant)
    with _ledger(parts) as conn:
        looked = still_public_page(
            conn, parts.rules, tenant=caller.tenant, after=number_of(query.cursor), limit=limit, scope=scope
        )
    return StillPublicPage(
        policy_version=parts.rules.version,
        data=[one.to_json() for one in looked.found],
        judged=looked.judged,
        not_judged=looked.not_judged,
        next_cursor=None if looked.last is None else cursor_of_number(looked.last),
    )


@router.get("/counts", summary="How many items were settled, by day and decision")
def counts(caller: Auditor, parts: PartsOf, query: Annotated[CountsQuery, Query()]) -> RowsPage:
    """Days are those of UTC, the oldest first: what is settled between two pages changes the last rows only."""
    after = number_of(query.cursor)
    with _ledger(parts) as conn:
        rows = [dict(row) for row in questions.counts(conn, query.by, query.scope(caller.tenant))]
    end = after + query.limit
    return RowsPage(data=rows[after:end], next_cursor=cursor_of_number(end) if len(rows) > end else None)


def _ledger(parts: Parts) -> AbstractContextManager[Connection]:
    if parts.auditor is None:
        raise Problem("audit_not_configured", "Set PRESSWORK_AUDITOR_DATABASE_URL for the API process.")
    return parts.auditor.begin()


def _listed(found: Iterable[Mapping[str, Any]], query: NumberedPageQuery) -> RowsPage:
    """The first `limit` of what was found (one more was asked for), and the cursor behind them."""
    rows = list(islice(found, query.limit + 1))
    shown = rows[: query.limit]
    cursor = cursor_of_number(shown[-1]["entry_id"]) if len(rows) > query.limit else None
    return RowsPage(data=[{name: row[name] for name in row if name != "entry_id"} for row in shown], next_cursor=cursor)

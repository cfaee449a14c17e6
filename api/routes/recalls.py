"""/v1/recalls: take released pictures back. The API writes the order; the clerk carries it out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse, Response
from sqlalchemy import Connection

from api.edge.auth import Admin
from api.edge.bodies import json_body
from api.edge.dependencies import Parts, PartsOf
from api.edge.idempotency import OnceOf, answered
from api.edge.in_turn import InTurn
from api.edge.paging import id_of, page, uuid_or_not_found
from api.edge.problems import Complaint, Problem
from api.schemas.base import NoQuery, Page
from api.schemas.fields import PathId
from api.schemas.recalls import (
    RecallBody,
    RecallPreviewReply,
    RecallQuery,
    RecallReply,
    RecallsQuery,
    preview_reply,
    recall_reply,
)
from workers.jobs.idempotency import StoredReply
from workers.jobs.recall.criteria import Criteria, licensed, preview
from workers.jobs.recall.orders import order
from workers.jobs.recall.views import get_recall, list_recalls, matching_now

router = APIRouter(route_class=InTurn, prefix="/v1/recalls", tags=["Recalls"])


@router.post(
    "",
    status_code=202,
    response_model=RecallReply,
    responses={200: {"model": RecallPreviewReply, "description": "Counted only (`dry_run`); nothing was changed"}},
    response_description="Ordered: no link to these assets is given from now on",
    summary="Recall released assets",
)
def order_recall(
    caller: Admin,
    parts: PartsOf,
    once: OnceOf,
    query: Annotated[RecallQuery, Query()],
    asked: Annotated[RecallBody, Depends(json_body(RecallBody))],
) -> Response:
    """Your own tenant's released assets that match every criterion, as of this very moment.

    Look with `dry_run` first, and send its count back as `expected_assets`. What is released later is not covered,
    even if it matches: `matching_now` of the recall counts it, and a second order takes it.
    """
    fingerprint = once.fingerprint(asked)
    if not query.dry_run and (replayed := once.replay(caller.tenant, fingerprint)):
        return replayed
    criteria = asked.criteria(_licensed(parts, asked.licence))
    if query.dry_run:
        with parts.transaction(caller.tenant) as conn:
            return JSONResponse(preview_reply(preview(conn, caller.tenant, criteria)).model_dump(mode="json"))

    def work(conn: Connection) -> StoredReply:
        recall_id = order(
            conn,
            caller.tenant,
            criteria,
            reason_code=asked.reason_code,
            reason=asked.reason,
            actor=caller.actor,
            expected=asked.expected_assets,
        )
        return answered(202, recall_reply(get_recall(conn, caller.tenant, recall_id)))

    return once.run(caller.tenant, fingerprint, work)


@router.get("", summary="List recalls, newest first")
def list_all(caller: Admin, parts: PartsOf, query: Annotated[RecallsQuery, Query()]) -> Page[RecallReply]:
    """Every recall of your tenant's assets, those that the operator ordered too."""
    with parts.transaction(caller.tenant) as conn:
        found = list_recalls(conn, caller.tenant, limit=query.limit + 1, before=id_of(query.cursor))
    shown, cursor = page(found, query.limit)
    return Page(data=[recall_reply(view) for view in shown], next_cursor=cursor)


@router.get("/{recall_id}", summary="One recall and how far it is carried out")
def read(recall_id: PathId, caller: Admin, parts: PartsOf, query: Annotated[NoQuery, Query()]) -> RecallReply:
    """Finished when every file is out of reach."""
    with parts.transaction(caller.tenant) as conn:
        view = get_recall(conn, caller.tenant, uuid_or_not_found(recall_id, "recall"))
        later = matching_now(conn, caller.tenant, Criteria.from_json(view.criteria))
    return recall_reply(view, later)


def _licensed(parts: Parts, licence: str | None) -> tuple[str, ...]:
    """The revisions under a licence, from the cards at hand and, with a view of the ledger, all that ever were."""
    if licence is None:
        return ()
    cards = [parts.registry.get(name) for name in parts.registry.names()]
    if parts.auditor is None:
        found = licensed(None, cards, licence)
    else:
        with parts.auditor.begin() as conn:
            found = licensed(conn, cards, licence)
    if not found:
        known = ", ".join(sorted({card.licence for card in cards})) or "none"
        message = f"no model's card carries this licence; the cards at hand carry {known}"
        complaint = Complaint("invalid", message, "Write it as the card does.", field="licence")
        raise Problem("invalid_body", f"licence: {message}.", errors=[complaint])
    return found

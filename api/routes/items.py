"""/v1/items: one image to make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response
from sqlalchemy import Connection

from api.edge.auth import Reader, Submitter
from api.edge.dependencies import PartsOf
from api.edge.idempotency import OnceOf, answered
from api.edge.in_turn import InTurn
from api.edge.paging import uuid_or_not_found
from api.schemas.base import NoQuery
from api.schemas.fields import PathId
from api.schemas.items import CancelledReply, FindingReply, ItemReply, VerdictReply
from workers.jobs.cancel import cancel_item
from workers.jobs.idempotency import StoredReply
from workers.jobs.views import ItemView, get_item

router = APIRouter(route_class=InTurn, prefix="/v1/items", tags=["Items"])


@router.get("/{item_id}", summary="One item")
def read(item_id: PathId, caller: Reader, parts: PartsOf, query: Annotated[NoQuery, Query()]) -> ItemReply:
    """What was asked and what became of it."""
    with parts.transaction(caller.tenant) as conn:
        return item_reply(get_item(conn, caller.tenant, uuid_or_not_found(item_id, "item")))


@router.post("/{item_id}/cancel", response_model=CancelledReply, summary="Cancel one item")
def cancel(item_id: PathId, caller: Submitter, once: OnceOf, query: Annotated[NoQuery, Query()]) -> Response:
    """1 if the item was still open, 0 if it was settled already. Nothing of a cancelled item is ever released."""
    item_id = uuid_or_not_found(item_id, "item")

    def work(conn: Connection) -> StoredReply:
        return answered(200, CancelledReply(cancelled=int(cancel_item(conn, caller.tenant, item_id, caller.actor))))

    return once.run(caller.tenant, once.fingerprint(), work)


def item_reply(view: ItemView) -> ItemReply:
    return ItemReply(
        id=view.id,
        request_id=view.request_id,
        row=view.row,
        custom_id=view.custom_id,
        variant=view.variant,
        prompt=None if view.erased_at else view.prompt,
        negative_prompt=None if view.erased_at else view.negative_prompt,
        unread_prompt=view.unread_prompt or None,
        unread_negative_prompt=view.unread_negative_prompt or None,
        rewritten=[_finding(finding) for finding in view.rewrites],
        seed=view.seed,
        recipe=dict(view.recipe),
        state=view.state,
        reason=view.reason,
        verdict=_verdict(view),
        asset_id=view.asset_id,
        thumbhash=view.thumbhash,
        reused=view.reused,
        drawing_item_id=view.drawing_item_id,
        not_reused=view.not_reused,
        gpu_seconds=view.gpu_seconds,
        cost=view.cost,
        currency=view.currency,
        created_at=view.created_at,
        settled_at=view.settled_at,
        erased_at=view.erased_at,
    )


def _verdict(view: ItemView) -> VerdictReply | None:
    """Decision and reasons; raw scores stay inside, as they would teach how to stay just below a threshold."""
    if view.verdict is None:
        return None
    return VerdictReply(
        decision=view.verdict["decision"],
        policy_version=view.verdict["policy_version"],
        findings=[_finding(finding) for finding in view.verdict["findings"]],
    )


def _finding(stored: Mapping[str, Any]) -> FindingReply:
    return FindingReply(**{name: stored[name] for name in ("decision", "stage", "category", "rule", "detail")})

"""/v1/requests/{request_id}/pilot: the sample that is made first, and a person's decision about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from sqlalchemy import Connection

from api.edge.auth import Caller, PersonSubmitter, Reader
from api.edge.bodies import json_body
from api.edge.dependencies import Parts, PartsOf
from api.edge.idempotency import OnceOf, answered
from api.edge.in_turn import InTurn
from api.edge.paging import uuid_or_not_found
from api.edge.problems import Complaint, Problem
from api.schemas.base import NoQuery
from api.schemas.fields import PathId
from api.schemas.pilots import PilotDecisionBody, PilotDecisionReply, PilotItemReply, PilotReply
from workers.jobs.control.acceptance import ACCEPT, REJECT, PilotDecision, PilotView, decide, look
from workers.jobs.control.binomial import share_at_most, statement
from workers.jobs.idempotency import StoredReply
from workers.states import RequestPhase

router = APIRouter(route_class=InTurn, prefix="/v1/requests", tags=["Pilots"])


@router.get("/{request_id}/pilot", summary="The pilot of a campaign: its images, and what they prove")
def read(request_id: PathId, caller: Reader, parts: PartsOf, query: Annotated[NoQuery, Query()]) -> PilotReply:
    """404 for a request without a pilot. A decision names the `digest`, so that nobody accepts what nobody saw."""
    request_id = uuid_or_not_found(request_id, "request")
    with parts.transaction(caller.tenant) as conn:
        return pilot_reply(look(conn, caller.tenant, request_id))


@router.post("/{request_id}/pilot/accept", response_model=PilotReply, summary="Accept a pilot: the rest is made")
def accept(
    request_id: PathId,
    caller: PersonSubmitter,
    *,
    parts: PartsOf,
    once: OnceOf,
    query: Annotated[NoQuery, Query()],
    asked: Annotated[PilotDecisionBody, Depends(json_body(PilotDecisionBody))],
) -> Response:
    """By a key that names its person. With more bad images than `max_rejected`, it is 409 (`pilot_failed`)."""
    decided = PilotDecision(ACCEPT, asked.digest, tuple(asked.rejected))
    return once.run(caller.tenant, once.fingerprint(asked), _work(request_id, caller, parts, decided))


@router.post("/{request_id}/pilot/reject", response_model=PilotReply, summary="Reject a pilot: the rest waits")
def reject(
    request_id: PathId,
    caller: PersonSubmitter,
    *,
    parts: PartsOf,
    once: OnceOf,
    query: Annotated[NoQuery, Query()],
    asked: Annotated[PilotDecisionBody, Depends(json_body(PilotDecisionBody))],
) -> Response:
    """By a key that names its person. The request is paused: cancel it, or resume it to decide again."""
    decided = PilotDecision(REJECT, asked.digest, tuple(asked.rejected))
    return once.run(caller.tenant, once.fingerprint(asked), _work(request_id, caller, parts, decided))


def _work(request_id: str, caller: Caller, parts: Parts, decided: PilotDecision) -> Callable[[Connection], StoredReply]:
    request_id = uuid_or_not_found(request_id, "request")
    rules = parts.rules.review

    def work(conn: Connection) -> StoredReply:
        parts.registers.ensure()
        _demand_sampled(look(conn, caller.tenant, request_id), decided.rejected)
        shown = decide(conn, caller.tenant, request_id, decided, key_id=caller.key_id, rules=rules)
        return answered(200, pilot_reply(shown))

    return work


def _demand_sampled(view: PilotView, rejected: Sequence[str]) -> None:
    """Raises Problem for ids that are not in the sample: a slip must not pass as a rejection."""
    sampled = {item.id for item in view.items}
    for place, item_id in enumerate(rejected):
        if item_id not in sampled:
            message = f"item {item_id} is not in the pilot"
            remedy = "Take ids from `items` of GET .../pilot."
            complaint = Complaint("not_in_pilot", message, remedy, field=f"rejected.{place}")
            raise Problem("invalid_body", f"rejected.{place}: {message}.", errors=[complaint])


def pilot_reply(view: PilotView) -> PilotReply:
    bad = view.bad()
    counted = max(view.judged, bad)
    return PilotReply(
        request_id=view.request_id,
        phase=RequestPhase(view.phase),
        ready=view.phase == RequestPhase.AWAITING_ACCEPTANCE,
        images=view.images,
        max_rejected=view.max_rejected,
        strata=view.strata,
        stratify_by=list(view.stratify_by),
        four_eyes=view.four_eyes,
        judged=view.judged,
        bad=bad,
        acceptable=view.phase == RequestPhase.AWAITING_ACCEPTANCE and bad <= view.max_rejected and view.judged > 0,
        share_at_most=round(share_at_most(counted, bad), 4),
        proves=f"With {bad} of {counted} bad: {statement(counted, bad)}",
        digest=view.digest,
        items=[
            PilotItemReply(
                item_id=item.id,
                row=item.row,
                custom_id=item.custom_id,
                variant=item.variant,
                state=item.state,
                reason=item.reason,
                counts_as_bad=item.is_bad,
                sha256=list(item.sha256),
                asset_id=item.asset_id,
            )
            for item in view.items
        ],
        decisions=[
            PilotDecisionReply(
                decision="accept" if choice.decision == ACCEPT else "reject",
                key_id=choice.key_id,
                by=choice.by,
                digest=choice.digest,
                images=choice.images,
                bad=choice.bad,
                share_at_most=round(share_at_most(choice.images, choice.bad), 4),
                proves=statement(choice.images, choice.bad),
                at=choice.at,
            )
            for choice in view.choices
        ],
    )

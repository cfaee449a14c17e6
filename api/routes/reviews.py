"""/v1/reviews: held pictures, and what people decide about them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from api.edge.auth import Caller, Reviewer
from api.edge.bodies import json_body
from api.edge.dependencies import Parts, PartsOf
from api.edge.errors import problem_for
from api.edge.idempotency import OnceOf, answered
from api.edge.in_turn import InTurn
from api.edge.middleware.conditional import hands_over
from api.edge.paging import id_of, page, uuid_or_not_found
from api.schemas.base import NoQuery, Page
from api.schemas.fields import PathId
from api.schemas.reviews import (
    DecisionBody,
    DecisionReply,
    DecisionResultReply,
    DecisionResultsReply,
    DecisionsBody,
    HeldItemDetailReply,
    HeldItemReply,
    HeldPictureReply,
    ReviewClaimsBody,
    ReviewClaimsReply,
    ReviewsQuery,
    held_item,
    hold_fields,
)
from policy.events import HoldViewed
from policy.ledger.append import append
from workers import metrics
from workers.errors import WorkerError
from workers.jobs.idempotency import StoredReply
from workers.jobs.review import claims
from workers.jobs.review.decide import ReviewDecision, Reviewed, review
from workers.jobs.review.views import HoldView, get_hold, list_holds

router = APIRouter(route_class=InTurn, prefix="/v1/reviews", tags=["Reviews"])


@router.get("", summary="Held pictures, the first submitted first")
def list_all(caller: Reviewer, parts: PartsOf, query: Annotated[ReviewsQuery, Query()]) -> Page[HeldItemReply]:
    """The queue unless `decided` says otherwise. No pictures here: reading one entry gives a link to look at."""
    with parts.transaction(caller.tenant) as conn:
        found = list_holds(conn, caller.tenant, query.filter(), limit=query.limit + 1, after=id_of(query.cursor))
    shown, cursor = page(found, query.limit)
    return Page(data=[held_item(view, parts.rules.review) for view in shown], next_cursor=cursor)


@router.get("/{item_id}", summary="One held picture, with a link to look at it")
def read(
    request: Request, item_id: PathId, caller: Reviewer, parts: PartsOf, query: Annotated[NoQuery, Query()]
) -> HeldItemDetailReply:
    """The link is an event of the ledger. There is none after a decision."""
    with parts.transaction(caller.tenant) as conn:
        view = get_hold(conn, caller.tenant, uuid_or_not_found(item_id, "held item"))
        if view.decided_at is None and hands_over(request):
            viewed = HoldViewed(view.request_id, view.id, caller.key_id, parts.settings.link_seconds)
            append(conn, tenant=caller.tenant, actor=caller.actor, events=[viewed])
    return HeldItemDetailReply(
        **hold_fields(view, parts.rules.review),
        negative_prompt=view.negative_prompt,
        seed=view.seed,
        recipe=dict(view.recipe),
        scores=view.verdict["scores"],
        picture=_picture(view, parts),
        asset_id=view.asset_id if view.state in ("released", "recalled") else None,
    )


@router.post("/claims", response_model=ReviewClaimsReply, summary="Say what you are about to look at")
def claim_some(
    caller: Reviewer,
    parts: PartsOf,
    *,
    once: OnceOf,
    query: Annotated[NoQuery, Query()],
    asked: Annotated[ReviewClaimsBody, Depends(json_body(ReviewClaimsBody))],
) -> Response:
    """For two minutes, so that two reviewers do not look at the same picture. It stops nobody from deciding."""

    def work(conn: Connection) -> StoredReply:
        return answered(
            200, ReviewClaimsReply(**claims.claim(conn, caller.tenant, caller.key_id, asked.item_ids)._asdict())
        )

    return once.run(caller.tenant, once.fingerprint(asked), work)


@router.post("/{item_id}", response_model=DecisionReply, summary="Release or refuse a held picture")
def decide(
    item_id: PathId,
    caller: Reviewer,
    *,
    parts: PartsOf,
    once: OnceOf,
    query: Annotated[NoQuery, Query()],
    asked: Annotated[DecisionBody, Depends(json_body(DecisionBody))],
) -> Response:
    """A refusal takes effect at once. A final release is carried out within seconds; `final` says whether it is."""
    item_id = uuid_or_not_found(item_id, "held item")
    decided: list[Reviewed] = []

    def work(conn: Connection) -> StoredReply:
        decided.append(_decide(conn, item_id, asked, caller, parts))
        return answered(200, _decision_reply(decided[0]))

    response = once.run(caller.tenant, once.fingerprint(asked), work)
    _count(decided)
    return response


@router.post("", response_model=DecisionResultsReply, summary="Decide about several held pictures")
def decide_several(
    request: Request,
    caller: Reviewer,
    *,
    parts: PartsOf,
    once: OnceOf,
    query: Annotated[NoQuery, Query()],
    asked: Annotated[DecisionsBody, Depends(json_body(DecisionsBody))],
) -> Response:
    """Each decision stands for itself: one that meets a problem stops no other. All are stored in one transaction."""
    decided: list[Reviewed] = []

    def work(conn: Connection) -> StoredReply:
        results: dict[int, DecisionResultReply] = {}
        # Locked in one order, so that two lists of the same items do not deadlock.
        for place, decision in sorted(enumerate(asked.decisions), key=lambda one: one[1].item_id):
            try:
                with conn.begin_nested():  # a savepoint: what one decision did is undone alone
                    done = _decide(conn, decision.item_id, decision, caller, parts)
            except WorkerError as error:
                problem = problem_for(error, request)
                failure = {"code": problem.code, "detail": problem.detail}
                results[place] = DecisionResultReply(item_id=decision.item_id, status=problem.status, **failure)
            else:
                decided.append(done)
                results[place] = DecisionResultReply(item_id=decision.item_id, status=200, result=_decision_reply(done))
        return answered(200, DecisionResultsReply(results=[results[place] for place in sorted(results)]))

    response = once.run(caller.tenant, once.fingerprint(asked), work)
    _count(decided)
    return response


def _decide(conn: Connection, item_id: str, asked: DecisionBody, caller: Caller, parts: Parts) -> Reviewed:
    parts.registers.ensure()  # who may release what is for rules that enough people approved
    judgement = ReviewDecision(item_id, asked.decision, asked.sha256, asked.comment)
    return review(
        conn,
        caller.tenant,
        judgement,
        key_id=caller.key_id,
        rules=parts.rules.review,
        policy_version=parts.rules.version,
    )


def _decision_reply(done: Reviewed) -> DecisionReply:
    return DecisionReply(
        item_id=done.item_id,
        decision=done.decision,
        final=done.final,
        people_needed=done.people_needed,
        people_agreed=done.people_agreed,
    )


def _count(decided: Iterable[Reviewed]) -> None:
    """After the commit, so that a decision that was rolled back is not counted."""
    for done in decided:
        metrics.REVIEWS.labels(done.decision, "yes" if done.final else "no").inc()


def _picture(view: HoldView, parts: Parts) -> HeldPictureReply:
    seconds = parts.settings.link_seconds
    undecided = view.decided_at is None
    media_types = {kept["key"]: kept["media_type"] for kept in view.renditions}
    return HeldPictureReply(
        url=parts.store.presign(view.key, seconds) if undecided else None,
        url_expires_at=datetime.now(UTC) + timedelta(seconds=seconds) if undecided else None,
        media_type=media_types.get(view.key, "image/png"),  # what has no renditions is an unmarked PNG
        renditions=[
            {name: kept[name] for name in ("name", "media_type", "width", "height", "bytes", "sha256")}
            for kept in view.renditions
        ],
    )

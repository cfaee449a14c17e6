"""Reviews, as a reviewer sends them and is answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, JsonValue

from api.schemas.base import BodyModel, PageQuery, ReplyModel
from api.schemas.fields import MAX_PROSE_CHARS, Instant, Line, Sha256, SomeProse
from policy.rulebook.review import ReviewRules
from workers.jobs.review.decide import categories, people_agreed, why_not_releasable
from workers.jobs.review.views import HoldFilter, HoldView

MAX_DECISIONS = 100  # of one call
MAX_CLAIMS = 20

_ITEM_ID = "0199c0de-7b1b-7d02-8a44-0c5a5f0c2f10"
_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
_DECISION: dict[str, JsonValue] = {"decision": "release", "comment": "licence is on file", "sha256": _SHA256}


def _canonical(id: object) -> object:
    """A UUID in its one spelling; what is no text is left to the schema. Raises ValueError."""
    return str(UUID(id)) if isinstance(id, str) else id


def _stripped(text: str) -> str:
    if not (stripped := text.strip()):
        raise ValueError("the comment is empty")
    return stripped


Comment = Annotated[SomeProse, Field(max_length=MAX_PROSE_CHARS), AfterValidator(_stripped)]


class DecisionBody(BodyModel):
    """What a reviewer says of one held picture."""

    model_config = ConfigDict(json_schema_extra={"examples": [_DECISION]})

    decision: Literal["release", "refuse"]
    comment: Comment = Field(description="why; kept with the decision")
    sha256: Sha256 = Field(description="of the picture you looked at, as answered by GET /v1/reviews/{item_id}")


class ItemDecisionBody(DecisionBody):
    """A decision that names its item."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"item_id": _ITEM_ID, **_DECISION}]})

    item_id: Annotated[str, BeforeValidator(_canonical)] = Field(json_schema_extra={"format": "uuid"})


class DecisionsBody(BodyModel):
    """Several decisions; each stands for itself."""

    decisions: list[ItemDecisionBody] = Field(min_length=1, max_length=MAX_DECISIONS)


class ReviewClaimsBody(BodyModel):
    """Held pictures that a reviewer is about to look at."""

    item_ids: list[Annotated[str, BeforeValidator(_canonical), Field(json_schema_extra={"format": "uuid"})]] = Field(
        min_length=1, max_length=MAX_CLAIMS
    )


class ReviewClaimsReply(ReplyModel):
    """Which of them are this reviewer's for a while. One in neither list is not held, or decided."""

    claimed: list[str] = Field(description="no other key is given these before `until`")
    taken: list[str] = Field(description="another key is looking at these")
    until: datetime | None


class ReviewsQuery(PageQuery):
    """Which held pictures."""

    decided: Literal["no", "yes", "any"] = Field("no", description="no: the queue")
    category: Line = Field("", max_length=63, description="held for this category")
    request_id: UUID | None = Field(None, description="of this request")
    held_before: Instant | None = Field(None, description="held before this day or moment (RFC 3339)")

    def filter(self) -> HoldFilter:
        return HoldFilter(
            decided={"no": False, "yes": True, "any": None}[self.decided],
            category=self.category or None,
            request_id=str(self.request_id) if self.request_id else None,
            held_before=self.held_before,
        )


class HoldFindingReply(ReplyModel):
    """One reason of a hold, with its score where a classifier gave one."""

    decision: str
    stage: str
    category: str
    rule: str
    score: float | None
    detail: str


class ReviewReply(ReplyModel):
    """What one person said."""

    reviewer: str = Field(description="name of the key")
    key_id: str
    decision: str
    final: bool = Field(description="false: another person must agree")
    comment: str
    policy_version: str
    at: datetime


class HeldItemReply(ReplyModel):
    """A picture in quarantine, and why."""

    item_id: str = Field(examples=[_ITEM_ID])
    request_id: str
    request_name: str
    custom_id: str
    row: int
    variant: int
    prompt: str
    state: str = Field(description="of the item: held until a decision was carried out", examples=["held"])
    categories: list[str] = Field(examples=[["brands"]])
    findings: list[HoldFindingReply]
    policy_version: str = Field(description="that held it")
    sha256: str = Field(description="of the picture; a decision must name it", examples=[_SHA256])
    held_at: datetime
    decided_at: datetime | None
    releasable: bool
    why_not_releasable: str | None
    people_needed: int = Field(description="different people who must say release")
    people_agreed: int
    reviews: list[ReviewReply]


class HeldPictureReply(ReplyModel):
    """Where to look. The link needs no key and ends by itself; null once a decision was made."""

    url: str | None
    url_expires_at: datetime | None
    media_type: str
    renditions: list[dict[str, Any]] = Field(description="what a release would release, each with its digest")


class HeldItemDetailReply(HeldItemReply):
    """All a reviewer needs. Reading it is an event of the ledger, as it gives out a link."""

    negative_prompt: str
    seed: int
    recipe: dict[str, Any]
    scores: dict[str, float] = Field(description="every score of every classifier")
    picture: HeldPictureReply
    asset_id: str | None = Field(description="of the released picture")


class DecisionReply(ReplyModel):
    """What a decision led to. A final release is carried out within seconds: then the item is released."""

    item_id: str
    decision: str
    final: bool
    people_needed: int
    people_agreed: int


class DecisionResultReply(ReplyModel):
    """One of several decisions: 200, or the status and code of the problem that it met."""

    item_id: str
    status: int = Field(examples=[200])
    code: str | None = Field(None, examples=["conflict"])
    detail: str | None = None
    result: DecisionReply | None = None


class DecisionResultsReply(ReplyModel):
    """In the order of the decisions."""

    results: list[DecisionResultReply]


def held_item(view: HoldView, rules: ReviewRules) -> HeldItemReply:
    return HeldItemReply(**hold_fields(view, rules))


def hold_fields(view: HoldView, rules: ReviewRules) -> dict[str, Any]:
    """The fields of a HeldItem. Rules of now: they say who may release, not who might have when it was held."""
    held_for = categories(view.verdict)
    why_not = why_not_releasable(view.asset_id, view.attempt, held_for, rules)
    return {
        "item_id": view.id,
        "request_id": view.request_id,
        "request_name": view.request_name,
        "custom_id": view.custom_id,
        "row": view.row,
        "variant": view.variant,
        "prompt": view.prompt,
        "state": view.state,
        "categories": held_for,
        "findings": [HoldFindingReply(**finding) for finding in view.verdict["findings"]],
        "policy_version": view.verdict["policy_version"],
        "sha256": view.sha256,
        "held_at": view.held_at,
        "decided_at": view.decided_at,
        "releasable": not why_not,
        "why_not_releasable": why_not or None,
        "people_needed": rules.people_needed(held_for),
        "people_agreed": people_agreed(view.reviews),
        "reviews": [
            ReviewReply(
                reviewer=said.reviewer,
                key_id=said.key_id,
                decision=said.decision,
                final=said.final,
                comment=said.comment,
                policy_version=said.policy_version,
                at=said.at,
            )
            for said in view.reviews
        ],
    }

"""Replies about requests: how far each has come, and why it is paused."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from api.schemas.base import ReplyModel
from api.schemas.budgets import BudgetReply, UsageReply
from api.schemas.requests import _ID
from api.schemas.results import SummaryReply
from api.schemas.submission import LinksReply
from workers.states import PauseReason, Priority, RequestPhase


class CountsReply(ReplyModel):
    """Items by state; they add up to the request's items."""

    pending: int = 0
    planned: int = 0
    released: int = 0
    held: int = 0
    refused: int = 0
    failed: int = 0
    cancelled: int = 0
    recalled: int = 0


class BreakerReply(ReplyModel):
    """Why a breaker paused a request. A trial is a row."""

    test: Literal["policy", "failures", "rejections"] = Field(
        description="policy: held or refused; failures: failed, or the marks did not hold; rejections: by reviewers"
    )
    rows: int = Field(examples=[41], description="counted since it began, or was resumed")
    bad: int = Field(examples=[9])
    share: str = Field(examples=["0.2195"])
    sum: str = Field(examples=["9.97"], description="of the CUSUM; it trips at `threshold`")
    threshold: str = Field(examples=["9.20"])
    worst_rule: str | None = Field(examples=["nudity/explicit"], description="rule, or reason, of most bad images")
    worst_rule_images: int = Field(examples=[8])


class RequestEntryReply(ReplyModel):
    """A request in a list: how far it has come, without what its caller wrote at length."""

    id: str = Field(examples=[_ID])
    parent_id: str | None = Field(None, description="the earlier request whose rows it corrects")
    kind: Literal["single", "campaign", "batch", "marks"] = Field(examples=["campaign"])
    name: str = Field(examples=["spring catalogue"])
    model: str = Field(examples=["studio"])
    priority: Priority = Field(examples=["standard"])
    state: Literal["open", "finished"] = Field(
        description="open while an item is pending or planned, then finished", examples=["open"]
    )
    phase: RequestPhase = Field(
        description="what the request as a whole does; nothing new is planned in paused and awaiting_acceptance",
        examples=["running"],
    )
    paused_for: PauseReason | None = Field(description="why it is paused", examples=[None])
    paused_figures: BreakerReply | None = Field(
        None, description="what tripped the breaker, while it is paused for that"
    )
    deadline: datetime | None
    at_deadline: Literal["pause", "expire"]
    items: int = Field(examples=[48])
    counts: CountsReply = Field(examples=[{"pending": 16, "planned": 8, "released": 22, "held": 1, "refused": 1}])
    renditions: list[str] = Field(description="files of each image", examples=[["original", "jpeg"]])
    publish_prompt: bool = Field(description="whether its prompts stand in the public marks", examples=[False])
    created_at: datetime
    cancelled_at: datetime | None
    ended_at: datetime | None = Field(description="since when its phase is finished, cancelled or expired")
    erased_at: datetime | None = Field(description="since when name, template and metadata are erased")
    summary: SummaryReply = Field(description="what became of its images")
    links: LinksReply


class RequestReply(RequestEntryReply):
    """A request and how far it has come."""

    template: str | None = Field(
        description="the template of a campaign, the prompt of a single request; null once it was erased",
        examples=["a {colour} {object} on a white background"],
    )
    metadata: dict[str, Any]
    channels: list[dict[str, Any]] = Field(description="further files of each image, with all their fields")
    budget: BudgetReply | None = Field(None, description="its own; null: it has none")
    used: UsageReply | None = Field(description="images, GPU seconds and money of what is settled; null: nothing is")

"""Pilot of a campaign: what is asked for at submit, the sheet that a person looks at, and the decision."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, JsonValue, model_validator

from api.schemas.base import BodyModel, ReplyModel
from api.schemas.fields import UUID, Line
from workers.states import ItemState, RequestPhase

DEFAULT_IMAGES, MOST_IMAGES = 50, 1_000
MAX_STRATIFIED = 4  # columns
DIGEST = "^sha256:[0-9a-f]{64}$"
_DIGEST = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_PILOT: list[JsonValue] = [{"images": 50, "max_rejected": 1, "stratify_by": ["country", "category"]}]
_DECISION: list[JsonValue] = [{"digest": _DIGEST, "rejected": []}]

ColumnName = Annotated[Line, Field(min_length=1, max_length=100)]
ItemId = Annotated[str, Field(pattern=UUID, max_length=36)]


class PilotBody(BodyModel):
    """A sample of the campaign that is made first. The rest waits until a person accepts it."""

    model_config = ConfigDict(json_schema_extra={"examples": _PILOT})

    images: int = Field(DEFAULT_IMAGES, ge=1, le=MOST_IMAGES, description="images of the sample, at least")
    max_rejected: int = Field(
        1, ge=0, le=MOST_IMAGES - 1, description="bad images with which the pilot may still be accepted; below `images`"
    )
    stratify_by: list[ColumnName] = Field(
        [],
        max_length=MAX_STRATIFIED,
        description="columns of the file: each combination of their values gives its share of the sample, rounded up",
    )
    four_eyes: bool = Field(False, description="another person than the one who submits the campaign accepts the pilot")

    @model_validator(mode="after")
    def _some_are_good(self) -> Self:
        if self.max_rejected >= self.images:
            raise ValueError("max_rejected must be below images: a pilot that may be bad throughout proves nothing")
        return self


class PilotPlanReply(ReplyModel):
    """The pilot that was planned, and what accepting it will prove."""

    images: int = Field(examples=[50], description="that count for the proof")
    sampled: int = Field(examples=[52], description="made first: each stratum's share is rounded up")
    strata: int = Field(examples=[6])
    max_rejected: int = Field(examples=[1])
    stratify_by: list[str]
    four_eyes: bool
    share_at_most: float = Field(
        examples=[0.0914], description="of bad images in the campaign, with 95 % confidence, at `max_rejected`"
    )
    proves: str


class PilotItemReply(ReplyModel):
    """One image of the sample."""

    item_id: str
    row: int
    custom_id: str
    variant: int
    state: ItemState
    reason: str | None
    counts_as_bad: bool = Field(description="failed, refused, recalled, or held and not released yet")
    sha256: list[str] = Field(description="of its files, sorted; of a held image, what a reviewer looks at")
    asset_id: str | None = Field(None, description="of a released image")


class PilotDecisionReply(ReplyModel):
    """What a person decided about a sheet."""

    decision: Literal["accept", "reject"]
    key_id: str
    by: str = Field(description="name of the key")
    digest: str
    images: int
    bad: int
    share_at_most: float
    proves: str
    at: datetime


class PilotReply(ReplyModel):
    """The sheet of a pilot: its images, what became of each, and what that proves."""

    request_id: str
    phase: RequestPhase
    ready: bool = Field(description="the sample is made, and the campaign waits for a decision")
    images: int
    max_rejected: int
    strata: int
    stratify_by: list[str]
    four_eyes: bool
    judged: int = Field(description="images that count for the proof now")
    bad: int = Field(description="images that count as rejected without anybody's word")
    acceptable: bool = Field(description="whether accepting it is allowed as it stands")
    share_at_most: float = Field(description="of bad images in the campaign with 95 % confidence, as it stands")
    proves: str
    digest: str = Field(examples=[_DIGEST], description="of this very sheet; a decision names it")
    items: list[PilotItemReply]
    decisions: list[PilotDecisionReply]


class PilotDecisionBody(BodyModel):
    """A decision about exactly one sheet."""

    model_config = ConfigDict(json_schema_extra={"examples": _DECISION})

    digest: str = Field(pattern=DIGEST, max_length=71, description="of the sheet that was looked at")
    rejected: list[ItemId] = Field(
        [], max_length=2 * MOST_IMAGES, description="ids of the sampled items that are not good enough"
    )

"""Budgets and usage as they are set and answered."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from api.schemas.base import BodyModel, QueryModel, ReplyModel
from api.schemas.fields import Id, Instant

MAX_IMAGES = 2**53 - 1


class BudgetBody(BodyModel):
    """How many images may be made from now on, with those that were counted already."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"images": 50_000}, {"images": None}]})

    key_id: Id | None = Field(None, description="the budget of this API key; null: of the whole tenant")
    images: int | None = Field(ge=0, le=MAX_IMAGES, description="null takes the budget away")


class BudgetReply(ReplyModel):
    """A budget. What may still be asked for is `images` less the other two."""

    key_id: str | None
    images: int | None = Field(description="null: there is no budget")
    images_reserved: int = Field(description="of requests that are under way")
    images_made: int = Field(description="released or held since the budget was set")


class UsageQuery(QueryModel):
    """What is counted, by when it was settled."""

    by: Literal["day", "request", "key"] = Field("day", description="days are those of UTC")
    since: Instant | None = Field(None, description="from this moment on")
    until: Instant | None = Field(None, description="before this moment")


class UsageReply(ReplyModel):
    """What one day, request or key used."""

    group: str = Field(examples=["2026-11-30"])
    made: int = Field(description="released, held or recalled: what counts against budgets")
    refused: int
    failed: int
    cancelled: int

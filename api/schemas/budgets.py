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

    by: Literal["day", "request", "key", "tenant"] = Field("day", description="days are those of UTC")
    format: Literal["json", "csv"] = Field("json", description="csv: a line for each group and currency")
    since: Instant | None = Field(None, description="from this moment on")
    until: Instant | None = Field(None, description="before this moment")


Money = dict[str, float]


class UsageReply(ReplyModel):
    """What one day, request or key used. GPU seconds are those of settled images; what has none was not measured."""

    group: str = Field(examples=["2026-11-30"])
    made: int = Field(description="released, held or recalled: what counts against budgets")
    refused: int
    failed: int
    cancelled: int
    gpu_seconds: float = Field(description="of what was made", examples=[812.4])
    gpu_seconds_refused: float = Field(description="of refused images; costs you nothing")
    gpu_seconds_failed: float = Field(description="of failed images; costs you nothing")
    energy_joules: float | None = Field(description="of all of them; null: no device reported any")
    cost: Money | None = Field(description="of what was made, by currency; null: no price", examples=[{"EUR": 0.79}])
    cost_not_made: Money | None = Field(description="of refused and failed images, which costs you nothing")

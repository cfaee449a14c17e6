"""Budgets and usage as they are set and answered."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, Self

from pydantic import ConfigDict, Field, JsonValue, model_validator

from api.schemas.base import BodyModel, QueryModel, ReplyModel
from api.schemas.fields import Id, Instant
from workers.cost.limits import Limits
from workers.jobs.control.budget import Budget

MAX_IMAGES = 2**53 - 1
MAX_AMOUNT = 99_999_999  # GPU seconds, or units of the currency: what the database's columns hold

_EXAMPLES: list[JsonValue] = [{"images": 50_000}, {"cost": 250, "currency": "EUR"}, {"images": None}]


class LimitsBody(BodyModel):
    """What may be made at most. A limit that is null or left out is none."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"images": 500}]})

    images: int | None = Field(None, ge=1, le=MAX_IMAGES, description="null: no limit of images")
    gpu_seconds: float | None = Field(
        None, gt=0, le=MAX_AMOUNT, allow_inf_nan=False, description="null: no limit of GPU seconds"
    )
    cost: float | None = Field(None, gt=0, le=MAX_AMOUNT, allow_inf_nan=False, description="null: no limit of money")
    currency: str | None = Field(None, pattern="^[A-Z]{3}$", description="of `cost`; that of the price list")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set & {"images", "gpu_seconds", "cost"}:
            raise ValueError("name a limit: images, gpu_seconds or cost; null takes it away")
        if self.cost is not None and self.currency is None:
            raise ValueError("name the currency of cost")
        return self

    def limits(self) -> Limits:
        """Each as the database keeps it."""
        seconds, cost = (None if one is None else Decimal(str(one)) for one in (self.gpu_seconds, self.cost))
        return Limits(self.images, seconds, cost, self.currency if cost is not None else None)


class BudgetBody(LimitsBody):
    """What may be made from now on, with what was counted already. All limits null, or left out: no budget."""

    model_config = ConfigDict(json_schema_extra={"examples": _EXAMPLES})

    key_id: Id | None = Field(None, description="the budget of this API key; null: of the whole tenant")


class BudgetReply(ReplyModel):
    """A budget. What may still be asked for is a limit less what is reserved and made of it."""

    key_id: str | None
    images: int | None = Field(description="null: no limit")
    images_reserved: int = Field(description="of requests that are under way")
    images_made: int = Field(description="released or held since the budget was set")
    gpu_seconds: float | None = Field(description="null: no limit")
    gpu_seconds_reserved: float = Field(description="P90 of what is under way; what was not measured reserves none")
    gpu_seconds_made: float
    cost: float | None = Field(description="null: no limit")
    cost_reserved: float
    cost_made: float
    currency: str | None = Field(examples=["EUR"])


def budget_reply(budget: Budget) -> BudgetReply:
    fields = {name: getattr(budget, name) for name in BudgetReply.model_fields}
    return BudgetReply(**{name: float(one) if isinstance(one, Decimal) else one for name, one in fields.items()})


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
    reused: int = Field(0, description="took a picture that was there already; costs nothing")
    reencoded: int = Field(0, description="files were made of a drawing that was kept; costs nothing")
    refused: int
    failed: int
    cancelled: int
    gpu_seconds: float = Field(description="of what was made", examples=[812.4])
    gpu_seconds_refused: float = Field(description="of refused images; costs you nothing")
    gpu_seconds_failed: float = Field(description="of failed images; costs you nothing")
    energy_joules: float | None = Field(description="of all of them; null: no device reported any")
    cost: Money | None = Field(description="of what was made, by currency; null: no price", examples=[{"EUR": 0.79}])
    cost_not_made: Money | None = Field(description="of refused and failed images, which costs you nothing")

"""Course of a request as it is answered: what it was expected to take, what it took, and how its breaker stands."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.schemas.base import ReplyModel
from api.schemas.budgets import UsageReply
from api.schemas.forecast import QuantilesReply


class CurveReply(ReplyModel):
    """One of the sums of a breaker (CUSUM): it grows with each bad row and falls with each good one, never below 0."""

    test: Literal["policy", "failures", "rejections"]
    sum: float = Field(description="where it stands; the request is paused when it reaches the threshold")
    rows: int = Field(description="counted since it began, or was resumed")
    bad: int
    points: list[float] = Field(description="the sum after the rows as they were settled; at most 120")


class WatchReply(ReplyModel):
    """How a breaker stands."""

    threshold: float = Field(examples=[9.2])
    curves: list[CurveReply]


class CourseReply(ReplyModel):
    """What a request was expected to take as a whole, what it took so far, and what would pause it."""

    images: int = Field(description="that are drawn for it, settled ones included")
    gpu_seconds: QuantilesReply | None = Field(description="expected of all of them; null: unknown, see `message`")
    cost: QuantilesReply | None = Field(description="null: unknown, or a device class without a price")
    currency: str | None = Field(description="of `cost`", examples=["EUR"])
    message: str = Field(description="why something is unknown")
    used: UsageReply | None = Field(description="so far; null: nothing is settled")
    breaker: WatchReply | None = Field(description="null: it has none, as requests of fewer than four rows")

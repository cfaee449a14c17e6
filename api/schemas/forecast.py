"""Forecast as it is answered by a check."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from api.schemas.base import ReplyModel


class QuantilesReply(ReplyModel):
    """As often below as above, and exceeded by one in ten."""

    p50: float
    p90: float


class FinishReply(ReplyModel):
    """When the last image is made, if nothing else is sent and the capacity stays that of the last hour."""

    p50: datetime
    p90: datetime


class ForecastReply(ReplyModel):
    """What the images would take, from batches that were measured here. What was not measured is null, not guessed."""

    images: int = Field(description="to be made: without refused ones")
    gpu_seconds: QuantilesReply | None = Field(description="null: unknown until the pilot", examples=[None])
    cost: QuantilesReply | None = Field(description="null: unknown, or a device class without a price")
    currency: str | None = Field(description="of `cost`", examples=["EUR"])
    batches_measured: int = Field(description="that the figures come from")
    unknown_images: int = Field(description="of whose kind fewer than 30 batches were measured")
    device_classes: list[str] = Field(examples=[["NVIDIA H200"]])
    finish: FinishReply | None = Field(description="null: unknown; `message` says why")
    message: str = Field(description="why something is unknown")

"""Webhooks as they are sent and answered."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field, JsonValue

from api.schemas.base import BodyModel, ReplyModel

_WEBHOOK: dict[str, JsonValue] = {"url": "https://example.com/presswork", "events": ["asset.recalled"]}


class WebhookBody(BodyModel):
    """An address that is told what happens to your tenant's assets."""

    model_config = ConfigDict(json_schema_extra={"examples": [_WEBHOOK]})

    url: str = Field(min_length=1, max_length=2000, description="https, public, without user or fragment")
    events: list[Literal["asset.released", "asset.recalled"]] = Field(min_length=1, max_length=2)


class WebhookReply(ReplyModel):
    """An address, without its secret."""

    id: str
    url: str
    events: list[str]
    created_at: datetime
    failures: int = Field(description="attempts that failed in a row")
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_for: str | None = Field(description="failing: for days; gone: it answered 410", examples=["failing"])


class WebhookCreatedReply(WebhookReply):
    """A new address. `secret` is shown in this answer and never again."""

    secret: str = Field(examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])


class WebhookSecretReply(ReplyModel):
    """A new secret; the one before signs on for a day beside it."""

    secret: str


class DeliveryReply(ReplyModel):
    """A message to an address, and how the last attempt went."""

    message_id: str = Field(description="the header webhook-id, the same in every attempt")
    event: str
    state: str = Field(description="pending, delivered or given_up")
    attempts: int
    status: int | None = Field(description="of the last answer")
    error: str | None = Field(description="stable code of what went wrong last")
    created_at: datetime
    next_at: datetime = Field(description="not before this, while it is pending")
    settled_at: datetime | None

"""Webhooks: bodies, replies, and the messages that receivers get."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, get_args

from pydantic import ConfigDict, Field, JsonValue

from api.schemas.base import BodyModel, ReplyModel

WebhookEvent = Literal[
    "asset.released",
    "asset.recalled",
    "campaign.pilot_ready",
    "request.paused",
    "request.finished",
    "review.waiting",
    "budget.low",
    "delivery.paused",
    "catalogue.paused",
    "catalogue.run_finished",
    "catalogue.tick_stopped",
]
MAX_EVENTS = len(get_args(WebhookEvent))
_WEBHOOK: dict[str, JsonValue] = {"url": "https://example.com/presswork", "events": ["asset.recalled"]}


class WebhookBody(BodyModel):
    """An address that receives messages about your tenant's assets."""

    model_config = ConfigDict(json_schema_extra={"examples": [_WEBHOOK]})

    url: str = Field(min_length=1, max_length=2000, description="https, public, without user or fragment")
    events: list[WebhookEvent] = Field(min_length=1, max_length=MAX_EVENTS)


class WebhookPatchBody(BodyModel):
    """What changes of a webhook; a field that is left out, or null, stays as it is."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"enabled": False}, {"url": "https://example.com/other"}]}
    )

    url: str | None = Field(None, min_length=1, max_length=2000, description="https, public, without user or fragment")
    events: list[WebhookEvent] | None = Field(None, min_length=1, max_length=MAX_EVENTS)
    enabled: bool | None = Field(None, description="false: nothing is sent, and nothing is written to be sent later")


class WebhookReply(ReplyModel):
    """An address, without its secret."""

    id: str
    url: str
    events: list[str]
    created_at: datetime
    failures: int = Field(description="attempts that failed in a row")
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_for: str | None = Field(
        description="failing: for days; gone: it answered 410; manual: you did", examples=["failing"]
    )


class WebhookCreatedReply(WebhookReply):
    """A new address. `secret` is shown in this answer, and again only in a replay of it."""

    secret: str = Field(examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])


class WebhookSecretReply(ReplyModel):
    """A new secret; those before sign on beside it, each for a day after its rotation."""

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

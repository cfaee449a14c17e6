"""Webhook messages: the bodies that receivers get, and the `webhooks` member of the OpenAPI document.

A test compares the models with what is really sent. Receivers should ignore fields that they do not know.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_SHA256 = Field(description="of every file of the asset, sorted", examples=[["9f86d081884c7d659a2feaa0c55ad015..."]])


class _Content(BaseModel):
    model_config = ConfigDict(frozen=True)


class AssetReleasedContent(_Content):
    """A released asset. No prompt and no link."""

    asset_id: str
    item_id: str
    request_id: str
    custom_id: str
    variant: int
    sha256: list[str] = _SHA256


class AssetRecalledContent(_Content):
    """An asset that was taken back."""

    recall_id: str
    asset_id: str
    item_id: str
    request_id: str
    reason_code: str = Field(examples=["licence"])
    sha256: list[str] = _SHA256
    recalled_at: datetime


class FinishedSummary(_Content):
    """Items by what they came to, unless a person decides on held ones later."""

    released: int
    held: int
    refused: int
    failed: int
    cancelled: int
    recalled: int


class RequestFinishedContent(_Content):
    """A request with nothing left to be made."""

    request_id: str
    phase: str = Field(examples=["finished"], description="finished, cancelled or expired")
    items: int
    summary: FinishedSummary


class PilotReadyContent(_Content):
    """A campaign whose sample is made. Nothing more is made before a person accepts it."""

    request_id: str
    images: int = Field(examples=[50], description="of the sample")
    summary: FinishedSummary


class RequestPausedContent(_Content):
    """A request of which nothing new is made for now."""

    request_id: str
    reason: str = Field(examples=["person"], description="person, breaker, budget, deadline or policy")
    figures: dict[str, Any] | None = Field(None, description="what the reason was measured by")


class DeliveryPausedContent(_Content):
    """A delivery that stands still, and why: of a request, or of what is live of a catalogue."""

    request_id: str | None
    catalogue: str | None = Field(description="its name, where the delivery is of no request")
    target_id: str
    reason: str = Field(examples=["forbidden"])


class ReviewWaitingContent(_Content):
    """A held picture that a reviewer decides about. No prompt and no link."""

    request_id: str
    item_id: str
    custom_id: str
    variant: int
    categories: list[str] = Field(examples=[["people"]], description="what it is held for")


class BudgetLowContent(_Content):
    """A budget of which much is used. Each threshold is told once, until the limits are set anew."""

    budget: Literal["tenant", "key", "request"] = Field(description="whose it is")
    request_id: str | None
    key_id: str | None
    threshold_percent: int = Field(examples=[80], description="80, 90 or 100")
    used_percent: int = Field(examples=[83], description="of images, GPU seconds or money, whichever is used most")


class WebhookTestContent(_Content):
    """The webhook whose owner asked for a test."""

    webhook_id: str


class AssetReleasedMessage(_Content):
    """An asset was released."""

    type: Literal["asset.released"]
    timestamp: datetime
    data: AssetReleasedContent


class AssetRecalledMessage(_Content):
    """An asset was recalled."""

    type: Literal["asset.recalled"]
    timestamp: datetime
    data: AssetRecalledContent


class CampaignPilotReadyMessage(_Content):
    """The sample of a campaign is made and waits for a person."""

    type: Literal["campaign.pilot_ready"]
    timestamp: datetime
    data: PilotReadyContent


class ReviewWaitingMessage(_Content):
    """A picture is held and waits for a reviewer."""

    type: Literal["review.waiting"]
    timestamp: datetime
    data: ReviewWaitingContent


class DeliveryPausedMessage(_Content):
    """A target does not take the files of a request or a catalogue; it is tried again by itself."""

    type: Literal["delivery.paused"]
    timestamp: datetime
    data: DeliveryPausedContent


class RequestPausedMessage(_Content):
    """A request was paused."""

    type: Literal["request.paused"]
    timestamp: datetime
    data: RequestPausedContent


class RequestFinishedMessage(_Content):
    """A request is finished: nothing of it is left to be made."""

    type: Literal["request.finished"]
    timestamp: datetime
    data: RequestFinishedContent


class BudgetLowMessage(_Content):
    """A budget runs low."""

    type: Literal["budget.low"]
    timestamp: datetime
    data: BudgetLowContent


class WebhookTestMessage(_Content):
    """A test, sent whatever events the webhook wants."""

    type: Literal["webhook.test"]
    timestamp: datetime
    data: WebhookTestContent


class CataloguePausedContent(_Content):
    """A catalogue of which nothing is applied by itself until a person decides."""

    catalogue: str
    reason: str = Field(description="safeguards | rollback")
    figures: dict[str, Any]


class CatalogueRunFinishedContent(_Content):
    """A run of a catalogue of which nothing is open any more."""

    catalogue: str
    run: int
    request_id: str
    flipped: int = Field(description="pictures that became live")
    counts: dict[str, int] = Field(description="its images by state", examples=[{"released": 41, "held": 1}])


class CatalogueTickStoppedContent(_Content):
    """A due time of a schedule of which nothing was applied, though something may have to be."""

    catalogue: str
    due_at: datetime
    outcome: str = Field(description="asked | failed | refused | overlapped")
    reason: str = Field(examples=["safeguards"])


class CataloguePausedMessage(_Content):
    """A catalogue asks for a person."""

    type: Literal["catalogue.paused"]
    timestamp: datetime
    data: CataloguePausedContent


class CatalogueRunFinishedMessage(_Content):
    """A run of a catalogue is finished."""

    type: Literal["catalogue.run_finished"]
    timestamp: datetime
    data: CatalogueRunFinishedContent


class CatalogueTickStoppedMessage(_Content):
    """A scheduled run of a catalogue was not applied."""

    type: Literal["catalogue.tick_stopped"]
    timestamp: datetime
    data: CatalogueTickStoppedContent


MESSAGES: dict[str, type[BaseModel]] = {
    "asset.released": AssetReleasedMessage,
    "asset.recalled": AssetRecalledMessage,
    "campaign.pilot_ready": CampaignPilotReadyMessage,
    "review.waiting": ReviewWaitingMessage,
    "budget.low": BudgetLowMessage,
    "delivery.paused": DeliveryPausedMessage,
    "request.paused": RequestPausedMessage,
    "catalogue.paused": CataloguePausedMessage,
    "catalogue.run_finished": CatalogueRunFinishedMessage,
    "catalogue.tick_stopped": CatalogueTickStoppedMessage,
    "request.finished": RequestFinishedMessage,
    "webhook.test": WebhookTestMessage,
}
_HEADERS = {
    "webhook-id": ("Id of the message, the same in every attempt. Drop ids that you have seen.", "msg_webhook_test_1"),
    "webhook-timestamp": ("Time of this attempt, in seconds since 1970.", "1764489600"),
    "webhook-signature": (
        "`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`, once for each secret, separated by spaces.",
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    ),
}


def webhooks_member() -> dict[str, Any]:
    """The `webhooks` member of the OpenAPI document. The schemas it names are those of MESSAGES."""
    return {event: {"post": _operation(event, message)} for event, message in MESSAGES.items()}


def _operation(event: str, message: type[BaseModel]) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{message.__name__}"}
    return {
        "tags": ["Webhooks"],
        "operationId": f"webhook_{event.replace('.', '_')}",
        "summary": message.__doc__,
        "description": "A signed message of Standard Webhooks to an address of yours.",
        "security": [],
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": True,
                "description": description,
                "schema": {"type": "string"},
                "example": example,
            }
            for name, (description, example) in _HEADERS.items()
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {
            "2XX": {"description": "Delivered."},
            "410": {"description": "The webhook is disabled."},
            "default": {"description": "Tried again later; `Retry-After` is honoured up to six hours."},
        },
    }

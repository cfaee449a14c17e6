"""Identification, as it is asked and answered about pictures found elsewhere."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from api.schemas.base import QueryModel, ReplyModel
from workers.states import AssetState

MAX_WAIT_SECONDS = 20.0  # a proxy in front waits 30 s or more


class WaitQuery(QueryModel):
    """How long the reply may wait for the answer."""

    wait: float = Field(0.0, ge=0, le=MAX_WAIT_SECONDS, description="seconds to wait for the answer")


class OriginReply(ReplyModel):
    """Where an asset of your own comes from, as of now."""

    asset_id: str
    state: AssetState = Field(examples=["released"])
    request_id: str
    item_id: str
    custom_id: str = Field(examples=["sku-4711"])
    variant: int
    released_at: datetime
    policy_version: str
    model: str | None
    model_revision: str | None
    href: str = Field(description="the asset")
    events_href: str = Field(description="what the ledger says of it; needs the scope audit")


class IdentificationReply(ReplyModel):
    """A question about a picture and, once it is `done`, the answer."""

    id: str
    state: Literal["waiting", "running", "done", "failed"] = Field(examples=["done"])
    sha256: str = Field(description="of the file that was sent")
    bytes: int
    reason: str | None = Field(description="stable code of a failure", examples=["not_a_picture"])
    created_at: datetime
    settled_at: datetime | None
    finding: Literal["ours", "ours_altered", "shares_content", "not_found", "conflicting"] | None = Field(
        description="only `ours` and `ours_altered` claim that the picture was made here", examples=["ours"]
    )
    verified: bool | None = Field(
        description="the code was read and all of the asset's frame that is seen is as near as a copy is"
    )
    made_here: bool | None = Field(description="some layer names an asset of this installation")
    own: bool | None = Field(description="the asset is your tenant's")
    asset_state: AssetState | None = Field(examples=["released"])
    reasons: list[str] = Field(description="sentences")
    false_match_probability: float | None = Field(description="expected wrong finds in such a search; docs/identify.md")
    agreement: dict[str, Any] | None = Field(
        description="of the asset's frame: share that agrees, share that shows something else, how far `apart` the two "
        "are (1: as far as a copy may be), and a map of 16 rows: `#` agrees, `x` shows something else, `~` is farther "
        "than copies are, `.` is not in the picture"
    )
    place: list[list[float]] = Field(
        description="corners of the asset in the picture, from its upper left clockwise, as shares of width and height"
    )
    also: list[dict[str, Any]] = Field(description="further assets elsewhere in the picture")
    layers: dict[str, Any] | None = Field(description="manifest, watermark, candidates: what each says")
    picture: dict[str, Any] | None = Field(description="the file as it was opened")
    lineage: OriginReply | None = Field(description="for an asset of your own")

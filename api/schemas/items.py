"""Items as they are asked for and answered."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from api.schemas.base import PageQuery, ReplyModel
from workers.states import ItemState

_ID = "0199c0de-7b1a-7c53-9d0f-3f0f6a3f8c11"
_ITEM_ID = "0199c0de-7b1b-7d02-8a44-0c5a5f0c2f10"
_ASSET_ID = "0199c0df-0a4e-7b6b-b2a1-58f2f0c0a9d3"


class ItemsQuery(PageQuery):
    """Which page of a request's items."""

    state: ItemState | Literal[""] = Field("", description="only items in this state")
    skip: int = Field(
        0, ge=0, le=10**6, description="items to leave out before the page: a jump to a place, for lists that scroll"
    )


class CancelledReply(ReplyModel):
    """How many items were still open and will not be made; repeating a cancel answers 0."""

    cancelled: int = Field(ge=0, examples=[48])


class FindingReply(ReplyModel):
    """One reason of a verdict."""

    decision: str
    stage: str
    category: str
    rule: str
    detail: str


class VerdictReply(ReplyModel):
    """What policy decided, and under which version."""

    decision: str
    policy_version: str
    findings: list[FindingReply]


class ItemReply(ReplyModel):
    """One image to make, or what became of it."""

    id: str = Field(examples=[_ITEM_ID])
    request_id: str = Field(examples=[_ID])
    row: int
    custom_id: str
    variant: int
    prompt: str | None = Field(description="null once it was erased")
    negative_prompt: str | None = Field(description="null once it was erased")
    unread_prompt: str | None = Field(
        None, description="the end of the prompt, where the model's text encoder reads no further; null: it reads all"
    )
    unread_negative_prompt: str | None = Field(None, description="the same of the negative prompt")
    rewritten: list[FindingReply] = Field(
        description="why policy changed a text; empty: prompt and negative_prompt as sent"
    )
    seed: int
    recipe: dict[str, Any]
    state: ItemState = Field(examples=["released"])
    reason: str | None = Field(description="stable code of a failure")
    verdict: VerdictReply | None
    asset_id: str | None = Field(examples=[_ASSET_ID])
    thumbhash: str | None = Field(
        None,
        description="of the asset, in base64: to be shown before its thumbnail is there; null: none, or recalled",
        examples=["3wcKNxpwd4eAeIiHiHiIeIiHCAeHcI8I"],
    )
    reused: bool = Field(False, description="the asset was there already; the item took no GPU and cost nothing")
    drawing_item_id: str | None = Field(
        None, description="the item whose kept drawing the files are made of, without a GPU; null: it is drawn"
    )
    not_reused: str | None = Field(
        None,
        description="why it was drawn: new, or the first field that differs from the earlier item of its row; policy:"
        " the rule set is another; off: as asked; null: reused, or refused",
        examples=["prompt"],
    )
    gpu_seconds: float | None = Field(
        description="its share of the time that its batch held a device; null: not measured"
    )
    cost: float | None = Field(description="what it counts against budgets in money; null: its device has no price")
    currency: str | None = Field(description="of `cost`", examples=["EUR"])
    created_at: datetime
    settled_at: datetime | None
    erased_at: datetime | None = Field(description="since when its texts are erased; the ledger keeps their proof")

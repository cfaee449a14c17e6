"""Assets as they are answered: files, links, recall marks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from api.schemas.base import ReplyModel
from workers.states import AssetState

_ID = "0199c0de-7b1a-7c53-9d0f-3f0f6a3f8c11"
_ITEM_ID = "0199c0de-7b1b-7d02-8a44-0c5a5f0c2f10"
_ASSET_ID = "0199c0df-0a4e-7b6b-b2a1-58f2f0c0a9d3"


class RenditionReply(ReplyModel):
    """One file of an asset. The link needs no key and ends by itself; null for a recalled asset."""

    name: str = Field(examples=["original"])
    file_name: str = Field(description="safe, the same in every answer; also in the link", examples=["sku-4711.png"])
    media_type: str = Field(examples=["image/png"])
    width: int = Field(examples=[128])
    height: int = Field(examples=[128])
    bytes: int = Field(examples=[31337])
    sha256: str = Field(examples=["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"])
    url: str | None = Field(examples=["https://s3.example.com/presswork/released/acme/..."])
    url_expires_at: datetime | None


class RecallMarkReply(ReplyModel):
    """Why and since when an asset is not handed out."""

    recall_id: str
    reason_code: str
    ordered_at: datetime
    recalled_at: datetime | None = Field(description="null for the moment between the order and its execution")


class SearchReply(ReplyModel):
    """How well copies of an asset can be found by what they show. False: by its marks alone, or uncropped only."""

    identifiable: bool
    quality: int = Field(description="0 to 100: how much there is in the picture", examples=[100])
    features: int = Field(description="places that are found again in a crop", examples=[215])


class AssetReply(ReplyModel):
    """A released image: screened, marked, signed. Reading it is an event of the ledger, as it gives out links."""

    id: str = Field(examples=[_ASSET_ID])
    item_id: str = Field(examples=[_ITEM_ID])
    request_id: str = Field(examples=[_ID])
    custom_id: str = Field(examples=["sku-4711"])
    variant: int = Field(examples=[0])
    state: AssetState = Field(examples=["released"])
    watermark_id: str = Field(
        description="the 48 bits of the invisible watermark, in hexadecimal", examples=["00f3a9c47be1"]
    )
    policy_version: str
    provenance: dict[str, Any] = Field(description="recipe, seed, place in the batch, marks and their read-back")
    released_at: datetime
    erased_at: datetime | None = Field(description="since when the texts it was made from are erased")
    recall: RecallMarkReply | None = Field(None, description="why and since when it is not handed out")
    renditions: list[RenditionReply]
    search: SearchReply | None = Field(description="null until it is indexed, seconds after the release")

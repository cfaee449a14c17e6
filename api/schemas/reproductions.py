"""Reproductions as they are answered: a released image that was drawn again, and how near it comes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.schemas.base import ReplyModel
from workers.states import ItemState


class ReproductionReply(ReplyModel):
    """What became of drawing an asset again. `result` is null until the new picture is released."""

    asset_id: str = Field(description="the asset that was drawn again")
    request_id: str = Field(description="the request that draws it; it is made, screened and counted as any other")
    state: ItemState = Field(description="of its one item; refused or held where today's policy decides otherwise")
    drawn_asset_id: str | None = Field(description="the new asset")
    result: Literal["exact", "equal_to_the_eye", "different"] | None = Field(
        description="exact: the pixels before any mark are the same; equal_to_the_eye: by the fingerprints"
    )
    difference: str | None = Field(
        description="the first field of the receipt that is not what it was",
        examples=["torch: 2.12.0 then, 2.13.0 now"],
    )
    fingerprint_distance: int | None = Field(
        description="bits of 256 in which the fingerprints differ; null until both are indexed"
    )

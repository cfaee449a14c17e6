"""New grounds as they are asked for: where the product stands, at what scale, with what shadow."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from api.schemas.base import BodyModel
from workers.masks.options import PLACEMENT, SHADOW, Bounds, GroundOptions


def _within(bounds: Bounds) -> object:
    return Field(ge=bounds.least, le=bounds.most, allow_inf_nan=False)


class PlacementBody(BodyModel):
    """Where the middle of the product's picture lies on the new ground, and its scale."""

    x: Annotated[float, _within(PLACEMENT["x"])] = Field(0.5, description="of the width, from the left")
    y: Annotated[float, _within(PLACEMENT["y"])] = Field(0.5, description="of the height, from the top")
    scale: Annotated[float, _within(PLACEMENT["scale"])] = Field(
        1.0, description="1: the product's pixels are moved whole; else they are resampled once"
    )


class ShadowBody(BodyModel):
    """The shadow of the product. Amounts are shares of light taken away."""

    contact: Annotated[float, _within(SHADOW["contact"])] = Field(0.5, description="where the product stands")
    drop: Annotated[float, _within(SHADOW["drop"])] = Field(0.3, description="beside it, away from the light")
    angle: Annotated[float, _within(SHADOW["angle"])] | None = Field(
        None, description="degrees from above where the light comes from, left below zero; left out: as on the product"
    )
    softness: Annotated[float, _within(SHADOW["softness"])] = Field(0.05, description="of the product's height")


class GroundBody(BodyModel):
    """How a product stands on its new ground."""

    placement: PlacementBody = Field(default_factory=PlacementBody, description="left out: where it was")
    shadow: ShadowBody | None = Field(
        default_factory=ShadowBody, description="null: none; left out: as its members say"
    )
    around: bool = Field(
        False, description="the ground is drawn around the product, which the model sees; needs a model with inpaint"
    )

    def options(self) -> GroundOptions:
        """The same for a worker."""
        return GroundOptions.from_json(self.model_dump())

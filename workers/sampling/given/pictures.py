"""Pictures of a task: what the pipelines of a task get of the pictures that an item is made from.

A picture that a pipeline draws over is scaled to cover the size to draw and cut at its middle; a mask goes the same
way, pixel for pixel with its picture. Models see pictures on white. White in a mask is drawn anew; of a mask with
transparency, what is transparent is. Without a mask, what is transparent of the picture itself is: that is how a
picture is continued beyond its edge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO

import cv2
import numpy as np
from PIL import Image

from workers.errors import MaskRefused
from workers.masks import control
from workers.recipes import MARK, Recipe
from workers.sampling.families.family import CONTROL, INPAINT, SHOWN, TRY_ON, UPSCALE
from workers.sampling.types import Pictures

CANNY = "canny"
REFERENCE = "reference_image"  # beside the options of the pipeline: a network reads it
DRAWN_ANEW = 128  # of 255: from here on a mask's pixel is drawn anew


class SourceUnusable(Exception):
    """A picture that this task cannot use, with its stable code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True, eq=False)
class GivenPicture:
    """A sanitised picture: its file, colours as stored, uint8 [H, W, 3], and alpha, uint8 [H, W], where it has any."""

    data: bytes
    colours: np.ndarray
    alpha: np.ndarray | None

    @classmethod
    def read(cls, data: bytes) -> GivenPicture:
        """Of a PNG that we wrote ourselves."""
        pixels = np.asarray(Image.open(BytesIO(data)))
        alpha = pixels[..., 3] if pixels.shape[2] == 4 else None
        return cls(data, np.ascontiguousarray(pixels[..., :3]), alpha)

    def on_white(self) -> np.ndarray:
        """What is seen of it, uint8 [H, W, 3]."""
        if self.alpha is None:
            return self.colours
        share = self.alpha[..., None].astype(np.uint16)
        mixed = self.colours.astype(np.uint16) * share + 255 * (255 - share) + 127
        return (mixed // 255).astype(np.uint8)

    def shares(self) -> np.ndarray:
        """As a mask of a product: how much of each pixel is product, uint8 [H, W]."""
        if self.alpha is not None:
            return self.alpha
        grey: np.ndarray = cv2.cvtColor(self.colours, cv2.COLOR_RGB2GRAY)
        return grey

    def drawn_anew(self) -> np.ndarray:
        """As a mask: where it says that the picture is drawn anew, bool [H, W]."""
        if self.alpha is not None:
            anew: np.ndarray = self.alpha < DRAWN_ANEW
        else:
            anew = cv2.cvtColor(self.colours, cv2.COLOR_RGB2GRAY) >= DRAWN_ANEW
        return anew


def pictures_for(recipe: Recipe, given: Mapping[str, GivenPicture]) -> Pictures:
    """PIL pictures by the option of the pipeline. Raises SourceUnusable."""
    size = (recipe.width, recipe.height)
    found: dict[str, Image.Image] = {}
    if picture := given.get("image"):
        found["image"] = Image.fromarray(picture.on_white())
        if recipe.task == MARK and picture.alpha is not None and picture.alpha.min() < 255:
            raise SourceUnusable("input_transparent")
        if recipe.task in (UPSCALE, MARK):
            if found["image"].size != size:
                raise SourceUnusable("input_size")
            return found
        if recipe.task in (INPAINT, TRY_ON):
            found["mask_image"] = _covering(_mask(picture, given.get("mask")), size, Image.Resampling.BILINEAR)
        found["image"] = _covering(found["image"], size, Image.Resampling.LANCZOS)
    if recipe.task == CONTROL and (guide := given.get("control_image") or given.get("image")):
        shown = guide.on_white()
        found = {"control_image": _covering(Image.fromarray(_edges(shown) if recipe.control == CANNY else shown), size)}
    if recipe.task in SHOWN and (reference := given.get("reference_image")):
        found[REFERENCE] = Image.fromarray(reference.on_white())
    return found


def _mask(picture: GivenPicture, mask: GivenPicture | None) -> Image.Image:
    if mask is not None and mask.colours.shape != picture.colours.shape:
        raise SourceUnusable("mask_size")
    if mask is None and picture.alpha is None:
        raise SourceUnusable("mask_missing")
    anew = picture.drawn_anew() if mask is None else mask.drawn_anew()
    if not anew.any():
        raise SourceUnusable("mask_empty")
    if anew.all():
        raise SourceUnusable("mask_full")
    return Image.fromarray(anew.astype(np.uint8) * 255)


def _edges(picture: np.ndarray) -> np.ndarray:
    try:
        return control.canny(picture)
    except MaskRefused:
        raise SourceUnusable("control_empty") from None


def _covering(
    picture: Image.Image, size: tuple[int, int], how: Image.Resampling = Image.Resampling.LANCZOS
) -> Image.Image:
    """Scaled until both sides are covered, and cut at the middle."""
    if picture.size == size:
        return picture
    scale = max(size[0] / picture.width, size[1] / picture.height)
    width, height = size[0] / scale, size[1] / scale
    left, top = (picture.width - width) / 2, (picture.height - height) / 2
    return picture.resize(size, how, box=(left, top, left + width, top + height), reducing_gap=None)

"""Sanitised pictures: what a task gets of an input, as a PNG that we wrote ourselves.

Upright, RGB or RGBA of 8 bits, no metadata. What a fully transparent pixel hides is white, so that nothing reaches a
model that nobody could see.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image

from policy.errors import PictureRefused
from policy.intake.picture import Picture
from workers.settings import Settings

SMALLEST_SIDE = 16  # pixels; no task has a use for less
ANIMATED, TOO_SMALL, TOO_MANY_PIXELS = "animated", "too_small", "too_many_pixels"


def check_input(picture: Picture, settings: Settings) -> None:
    """Raises PictureRefused for what may be identified and is no input of a task."""
    if picture.frames > 1:
        raise PictureRefused(ANIMATED, f"the picture has {picture.frames} frames; send one of them as a still picture")
    if min(picture.width, picture.height) < SMALLEST_SIDE:
        raise PictureRefused(
            TOO_SMALL, f"{picture.width} x {picture.height}: a side has {SMALLEST_SIDE} pixels or more"
        )
    if (
        picture.width * picture.height > settings.input_max_pixels
        or max(picture.width, picture.height) > settings.input_max_side
    ):
        raise PictureRefused(
            TOO_MANY_PIXELS,
            f"{picture.width} x {picture.height} pixels; an input has up to {settings.input_max_pixels:,}, and"
            f" {settings.input_max_side:,} on a side",
        )


def flattened(picture: Picture) -> np.ndarray:
    """What is seen of it on white, uint8 [H, W, 3]: what screens and models get."""
    return picture.pixels if picture.alpha is None else on_white(picture.pixels, picture.alpha)


def on_white(pixels: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Colours over white, uint8 [H, W, 3], rounded as Pillow does."""
    share = alpha[..., None].astype(np.uint16)
    mixed = pixels.astype(np.uint16) * share + 255 * (255 - share) + 127
    return (mixed // 255).astype(np.uint8)


def seen(picture: Picture) -> np.ndarray:
    """Its colours as a task gets them, uint8 [H, W, 3]: white where nothing is seen."""
    if picture.alpha is None:
        return picture.pixels
    return np.where(picture.alpha[..., None] == 0, np.uint8(255), picture.pixels)


def encoded(picture: Picture) -> bytes:
    """The PNG that is stored."""
    colours = seen(picture)
    image = Image.fromarray(colours if picture.alpha is None else np.dstack([colours, picture.alpha]))
    buffer = BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()

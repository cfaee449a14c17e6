"""Compositing: a product on a new ground, in linear light, with its own pixels kept bit for bit.

The contract of product lock: where alpha is 255 the result is the source picture, where it is 0 the result is the
ground, and only pixels between are mixed. `check_lock` proves it before marks; policy/marks/locks
measures what marks and encoding changed afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from policy.marks.locks.measures import LockMeasures, lock_measures
from workers.errors import MaskRefused
from workers.masks.mask import Alpha, Pixels, Plane
from workers.masks.options import Placement

Linear = NDArray[np.float32]  # light, 0 to 1, [H, W, 3]
_OPAQUE = 1 - 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """A product without its ground: its own colours (also in mixed pixels), and the share of it in each pixel."""

    colours: Pixels
    alpha: Alpha


def composite(cutout: Cutout, ground: Pixels, shade: Plane | None = None) -> Pixels:
    """The product on a ground of its size, RGB uint8 [H, W, 3].

    `shade`, float32 [H, W] of 0 to 1, darkens the ground first (workers/masks/shadow.py). Raises MaskRefused where the
    sizes differ.
    """
    if ground.shape != cutout.colours.shape:
        have, want = (f"{shape[1]} x {shape[0]}" for shape in (ground.shape, cutout.colours.shape))
        raise MaskRefused(f"the ground has {have} pixels, the product's canvas {want}; make the ground in that size")
    under = ground if shade is None else darkened(ground, shade)
    mixed = (cutout.alpha > 0) & (cutout.alpha < 255)
    result = np.where((cutout.alpha == 255)[..., None], cutout.colours, under)
    share = (cutout.alpha[mixed].astype(np.float32) / np.float32(255))[:, None]
    light = to_linear(cutout.colours[mixed]) * share + to_linear(under[mixed]) * (1 - share)
    result[mixed] = from_linear(light)
    return np.asarray(result, np.uint8)


def darkened(ground: Pixels, shade: Plane) -> Pixels:
    """The ground with so much of its light taken away. Unshaded pixels stay as they are."""
    touched = shade > 0
    result = ground.copy()
    result[touched] = from_linear(to_linear(ground[touched]) * (1 - np.clip(shade[touched], 0, 1))[:, None])
    return result


def placed(cutout: Cutout, width: int, height: int, placement: Placement) -> Cutout:
    """The product on a canvas of another size. At scale 1 its pixels are moved whole, and stay bit for bit.

    Raises MaskRefused where nothing of it would be seen.
    """
    scaled = cutout if placement.scale == 1 else _scaled(cutout, placement.scale)
    left, top = corner_of(placement, scaled.alpha.shape, width, height)
    alpha = moved(scaled.alpha, left, top, width, height)
    if not alpha.any():
        raise MaskRefused("nothing of the product lies on the canvas at this place; choose another one")
    return Cutout(moved(scaled.colours, left, top, width, height), alpha)


def corner_of(placement: Placement, size: tuple[int, ...], width: int, height: int) -> tuple[int, int]:
    """Left and top of a picture of this size (height, width) on a canvas; they may lie beyond it."""
    down, across = size[:2]
    return round(placement.x * width - across / 2), round(placement.y * height - down / 2)


def moved(pixels: NDArray[np.uint8], left: int, top: int, width: int, height: int) -> NDArray[np.uint8]:
    """A picture or plane on a canvas of zeros, as far as it lies on it."""
    down, across = pixels.shape[:2]
    canvas = np.zeros((height, width, *pixels.shape[2:]), np.uint8)
    here = slice(max(0, top), max(0, top + down)), slice(max(0, left), max(0, left + across))
    there = tuple(
        slice(max(0, -start), max(0, -start) + length)
        for start, length in zip((top, left), canvas[here].shape[:2], strict=True)
    )
    canvas[here] = pixels[there]
    return canvas


def resampled(picture: Pixels, scale: float) -> Pixels:
    """A whole picture in another size, in light: what `placed` makes of the inside of a product."""
    return _scaled(Cutout(picture, np.full(picture.shape[:2], 255, np.uint8)), scale).colours


def check_lock(cutout: Cutout, composed: Pixels) -> LockMeasures:
    """The difference between product and result where alpha is 255. Before marks it has to be 0."""
    return lock_measures(cutout.colours, composed, cutout.alpha)


def to_linear(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Light of sRGB levels (IEC 61966-2-1), 0 to 1."""
    return _LIGHT[pixels]


def from_linear(light: NDArray[np.float32]) -> NDArray[np.uint8]:
    """sRGB levels of light, rounded."""
    light = np.clip(light, 0, 1)
    levels = np.where(light <= 0.0031308, light * 12.92, 1.055 * np.power(light, 1 / 2.4) - 0.055)
    return np.asarray(np.rint(levels * 255), np.uint8)


def _scaled(cutout: Cutout, scale: float) -> Cutout:
    """Another size: colours weighted by alpha, so that nothing of a transparent pixel is mixed in."""
    height, width = cutout.alpha.shape
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    share = cutout.alpha.astype(np.float32) / np.float32(255)
    weighted = cv2.resize(to_linear(cutout.colours) * share[..., None], size, interpolation=way)
    covered = np.clip(cv2.resize(share, size, interpolation=way), 0, 1)
    covered[covered > _OPAQUE] = 1  # weights of a kernel sum to one, but for their last bits
    colours = from_linear(weighted / np.maximum(covered, np.float32(1e-4))[..., None])
    return Cutout(colours, np.rint(covered * 255).astype(np.uint8))


def _light() -> NDArray[np.float32]:
    levels = np.arange(256) / 255
    return np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4).astype(np.float32)


_LIGHT = _light()

"""Compositing: a product on a new ground, in linear light, with its own pixels kept bit for bit.

The contract of product lock: where alpha is 255 the result is the source picture, where it is 0 the result is the
ground, and only pixels between are mixed. `check_lock` proves it before marks; `lock_measures` says what marks and
encoding changed afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from workers.errors import MaskRefused
from workers.masks.mask import Alpha, Pixels, Plane
from workers.masks.options import Placement

Linear = NDArray[np.float32]  # light, 0 to 1, [H, W, 3]


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """A product without its ground: its own colours (also in mixed pixels), and the share of it in each pixel."""

    colours: Pixels
    alpha: Alpha


@dataclass(frozen=True, slots=True)
class LockMeasures:
    """The difference inside the product, in levels of 0 to 255. `pixels` is how many were compared."""

    pixels: int
    largest: int
    mean: float

    def to_json(self) -> dict[str, Any]:
        """The record for the ledger."""
        return {"pixels": self.pixels, "largest": self.largest, "mean": round(self.mean, 3)}


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
    down, across = scaled.alpha.shape
    left, top = round(placement.x * width - across / 2), round(placement.y * height - down / 2)
    colours = np.zeros((height, width, 3), np.uint8)
    alpha = np.zeros((height, width), np.uint8)
    here = slice(max(0, top), max(0, top + down)), slice(max(0, left), max(0, left + across))
    there = tuple(
        slice(max(0, -start), max(0, -start) + length)
        for start, length in zip((top, left), alpha[here].shape, strict=True)
    )
    colours[here], alpha[here] = scaled.colours[there], scaled.alpha[there]
    if not alpha.any():
        raise MaskRefused("nothing of the product lies on the canvas at this place; choose another one")
    return Cutout(colours, alpha)


def check_lock(cutout: Cutout, composed: Pixels) -> LockMeasures:
    """The difference between product and result where alpha is 255. Before marks it has to be 0."""
    return lock_measures(cutout.colours, composed, cutout.alpha)


def lock_measures(source: Pixels, delivered: Pixels, alpha: Alpha, *, inset: int = 0) -> LockMeasures:
    """The difference inside the opaque product, `inset` pixels away from its edge. 0 of 0 pixels is no proof."""
    opaque = (alpha == 255).astype(np.uint8)
    if inset:
        opaque = cv2.erode(opaque, np.ones((2 * inset + 1, 2 * inset + 1), np.uint8), borderValue=1)
    inside = opaque > 0
    apart = np.abs(source[inside].astype(np.int16) - delivered[inside])
    if not apart.size:
        return LockMeasures(0, 0, 0.0)
    return LockMeasures(int(inside.sum()), int(apart.max()), float(apart.mean()))


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
    colours = from_linear(weighted / np.maximum(covered, np.float32(1e-4))[..., None])
    return Cutout(colours, np.rint(covered * 255).astype(np.uint8))


def _light() -> NDArray[np.float32]:
    levels = np.arange(256) / 255
    return np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4).astype(np.float32)


_LIGHT = _light()

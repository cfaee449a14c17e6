"""Lock measures: the difference inside a product, in levels of 0 to 255, and the bounds that a file has to keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]  # RGB [H, W, 3]
Alpha = NDArray[np.uint8]  # [H, W]; 255 is product

INSET = 2  # pixels: how far from its edge a product is compared, as edges are mixed with the ground


class LockBounds(NamedTuple):
    """The largest difference of one channel of one pixel, and the mean of all."""

    largest: int
    mean: float


# A watermark in the product moves a channel by 18 levels at most, its stronger form by 30 (bench/marks.py). A lossy
# coding adds what it loses at the product's own edges, with chroma at half the sides most of all.
_WHOLE = LockBounds(48, 4.0), LockBounds(128, 6.0)
_STRICT = LockBounds(0, 0.0), LockBounds(128, 4.0)


@dataclass(frozen=True, slots=True)
class LockMeasures:
    """The difference inside the product. `pixels` is how many were compared."""

    pixels: int
    largest: int
    mean: float

    def to_json(self) -> dict[str, Any]:
        """The record for the ledger."""
        return {"pixels": self.pixels, "largest": self.largest, "mean": round(self.mean, 3)}

    def beyond(self, bounds: LockBounds) -> str:
        """Why this is too much, or an empty text. No pixels are no proof."""
        if not self.pixels:
            return "no pixel of the product could be compared"
        if self.largest <= bounds.largest and self.mean <= bounds.mean:
            return ""
        return (
            f"the product changed by up to {self.largest} levels, {self.mean:.2f} on average;"
            f" {bounds.largest} and {bounds.mean:g} are allowed"
        )


def bounds_of(*, strict: bool, lossless: bool) -> LockBounds:
    """What a file may change of a product after the compositor: nothing where it is strict and the file lossless."""
    return (_STRICT if strict else _WHOLE)[0 if lossless else 1]


def lock_measures(source: Image, delivered: Image, alpha: Alpha, *, inset: int = 0) -> LockMeasures:
    """The difference inside the opaque product, `inset` pixels away from its edge. 0 of 0 pixels is no proof."""
    inside = inset_of(alpha, inset)
    apart = np.abs(source[inside].astype(np.int16) - delivered[inside])
    if not apart.size:
        return LockMeasures(0, 0, 0.0)
    return LockMeasures(int(inside.sum()), int(apart.max()), float(apart.mean()))


def inset_of(alpha: Alpha, inset: int) -> NDArray[np.bool_]:
    """Where the product is opaque, and so far from its edge. Beyond the picture it is taken to go on."""
    opaque = (alpha == 255).astype(np.uint8)
    if inset:
        opaque = cv2.erode(opaque, np.ones((2 * inset + 1, 2 * inset + 1), np.uint8), borderValue=1)
    return np.asarray(opaque > 0)

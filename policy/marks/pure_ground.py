"""Pure ground: pixels of exact white or black around a product, which have to stay so in the delivered file.

Marketplaces refuse an ivory ground. So where a picture has a pure ground, the watermark sits in the product, its shadow
and its edges alone, and a file is taken whose encoder left the ground as it was. Where the product is too small to
carry the watermark, the whole picture carries it, as any other does; the evidence says which it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from policy.marks.watermark import Floats, Image

KEPT = 0.995  # of the ground's pixels have to be exactly as they were
_LEAST_SHARE = 0.02  # of the picture; less is a highlight, not a ground
# Levels from the ground's colour up to which nothing changes, and over how many more the mark sets in: where a shadow
# fades out, a mark would end in a line.
_TAIL, _RAMP = np.float32(3), np.float32(8)
_SETS_IN = np.clip((np.arange(256, dtype=np.float32) - _TAIL) / _RAMP, 0, 1)
_LITTLE = 0.25  # of the picture beside its ground (python -m bench.masks)
_LEAST_PART = 0.002  # of the picture: a hole in a product through which the ground is seen


@dataclass(frozen=True, slots=True, eq=False)
class PureGround:
    """Which pixels are ground, bool [H, W], and of what colour most of them are: "white" or "black"."""

    pixels: NDArray[np.bool_]
    colour: str
    where: Floats  # [H, W]: how much a mark may change each pixel; 0 on the ground, 1 well away from its colour

    @property
    def leaves_little(self) -> bool:
        """So little is no ground that the everyday watermark would not survive a copy: begin with the stronger one."""
        return float(1 - self.pixels.mean()) < _LITTLE

    def kept(self, screened: Image, delivered: Image) -> float:
        """The share of ground pixels that are exactly as they were."""
        red, green, blue = cv2.split(cv2.absdiff(screened, delivered))
        changed = cv2.max(cv2.max(red, green), blue).astype(bool) & self.pixels
        return 1 - int(np.count_nonzero(changed)) / int(np.count_nonzero(self.pixels))

    def to_json(self, kept: float) -> dict[str, Any]:
        """The evidence of one file."""
        return {"colour": self.colour, "share": round(float(self.pixels.mean()), 4), "kept": round(kept, 5)}


def pure_ground(image: Image) -> PureGround | None:
    """The pure ground of an RGB picture, uint8 [H, W, 3]: what is connected to its border, and large holes.

    None where it does not reach the border, or is no larger than a highlight. Most pictures cost their border alone.
    """
    edge = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    if not ((edge.min(axis=1) == 255) | (edge.max(axis=1) == 0)).any():
        return None
    red, green, blue = cv2.split(image)
    low, high = cv2.min(cv2.min(red, green), blue), cv2.max(cv2.max(red, green), blue)
    white, black = _large(np.asarray(low == 255)), _large(np.asarray(high == 0))
    of_white, of_black = int(np.count_nonzero(white)), int(np.count_nonzero(black))
    pixels = white | black
    if of_white + of_black < _LEAST_SHARE * pixels.size:
        return None
    away = 255 - low if of_white else high
    if of_white and of_black:
        away = cv2.min(away, high)
    where = np.asarray(cv2.LUT(away, _SETS_IN), np.float32)
    where[pixels] = 0
    return PureGround(pixels, "white" if of_white >= of_black else "black", where)


def _large(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Its connected parts that touch the border or are as large as a hole."""
    height, width = flags.shape
    border = sum(int(np.count_nonzero(line)) for line in (flags[0], flags[-1], flags[:, 0], flags[:, -1]))
    if border == 0 and np.count_nonzero(flags) < _LEAST_PART * flags.size:
        return np.zeros_like(flags)
    _, labels, found, _ = cv2.connectedComponentsWithStats(flags.astype(np.uint8), connectivity=4)
    left, top = found[:, cv2.CC_STAT_LEFT], found[:, cv2.CC_STAT_TOP]
    right, bottom = left + found[:, cv2.CC_STAT_WIDTH], top + found[:, cv2.CC_STAT_HEIGHT]
    at_border = (left == 0) | (top == 0) | (right == width) | (bottom == height)
    area = found[:, cv2.CC_STAT_AREA]
    kept = (area >= _LEAST_PART * flags.size) | (at_border & (area >= 64))
    kept[0] = False
    return flags if kept[1:].all() else np.asarray(kept[labels])

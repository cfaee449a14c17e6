"""Regions: rectangles of a screenshot or a bordered copy that may be one of our pictures.

Everything that differs from the page's background is joined to boxes. Large, well-filled boxes are proposed, largest
first. A picture whose own background equals the page's has no edge to be found by; local features find those. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from policy.fingerprints import Image
from policy.levels import highest

MOST_REGIONS = 4

_SIDE = 512
_DIFFERS = 10  # levels
_SMALLEST_SHARE = 0.03
_FILLED = 0.55
_WHOLE = 0.97  # a region of more than this share is the picture itself
_SMALLEST_PIXELS = 48


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle in pixels of the picture."""

    left: int
    top: int
    right: int
    bottom: int

    def of(self, image: Image) -> Image:
        return np.ascontiguousarray(image[self.top : self.bottom, self.left : self.right])


def regions(image: Image) -> list[Region]:
    """At most MOST_REGIONS rectangles, largest first; none for a picture without background around it."""
    scale = min(1.0, _SIDE / max(image.shape[:2]))
    size = (max(8, round(image.shape[1] * scale)), max(8, round(image.shape[0] * scale)))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    found: dict[tuple[int, int, int, int], int] = {}
    for ground in _grounds(small):
        differs = highest(np.abs(small.astype(np.int16) - ground)) > _DIFFERS
        for joined in (differs, _opened(differs)):
            for left, top, width, height, area in _boxes(joined):
                share = width * height / (size[0] * size[1])
                if _SMALLEST_SHARE <= share <= _WHOLE and area >= _FILLED * width * height:
                    found[_exact(small, ground, (left, top, width, height))] = width * height
    boxes = sorted(found, key=lambda box: -found[box])
    proposed = [_grown(box, scale, image) for box in boxes]
    distinct: list[Region] = []
    for region in proposed:
        small_region = min(region.right - region.left, region.bottom - region.top) < _SMALLEST_PIXELS
        if not small_region and not any(_same(region, other) for other in distinct):
            distinct.append(region)
    return distinct[:MOST_REGIONS]


def _grounds(small: Image) -> list[NDArray[np.int16]]:
    """The page's colour: the most common one, and that of the picture's edge."""
    coarse = (small >> 3).reshape(-1, 3).astype(np.int64)
    keys = coarse[:, 0] << 10 | coarse[:, 1] << 5 | coarse[:, 2]
    common = int(np.bincount(keys, minlength=1 << 15).argmax())
    most = np.median(small.reshape(-1, 3)[keys == common], axis=0).astype(np.int16)
    edge = np.vstack([small[0], small[-1], small[:, 0], small[:, -1]])
    around = np.median(edge, axis=0).astype(np.int16)
    return [most] if np.abs(most - around).max() <= _DIFFERS else [most, around]


def _opened(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask without what is thinner than a line of text: bars and text that touch a picture."""
    kernel = np.ones((9, 9), np.uint8)
    return np.asarray(cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, kernel), bool)


def _boxes(mask: NDArray[np.bool_]) -> list[list[int]]:
    closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=4)
    filled = []
    for label in range(1, count):
        left, top, width, height, _ = (int(each) for each in stats[label])
        part = labels[top : top + height, left : left + width] == label
        # Holes of the ground's own colour inside the outline count as filled.
        outlines, _ = cv2.findContours(part.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        area = sum(float(cv2.contourArea(outline)) for outline in outlines)
        filled.append([left, top, width, height, int(area)])
    return filled


def _exact(small: Image, ground: NDArray[np.int16], box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """The box without edge rows and columns that are mostly background (what closing added, a word that touches)."""
    left, top, width, height = box
    inside = small[top : top + height, left : left + width].astype(np.int16)
    part = highest(np.abs(inside - ground)) > _DIFFERS
    rows, columns = np.flatnonzero(part.mean(axis=1) > 0.4), np.flatnonzero(part.mean(axis=0) > 0.4)
    if not len(rows) or not len(columns):
        return left, top, left + width, top + height
    return left + int(columns[0]), top + int(rows[0]), left + int(columns[-1]) + 1, top + int(rows[-1]) + 1


def _grown(box: tuple[int, int, int, int], scale: float, image: Image) -> Region:
    left, top, right, bottom = box
    height, width = image.shape[:2]
    return Region(
        min(width - 1, round(left / scale)),
        min(height - 1, round(top / scale)),
        min(width, round(right / scale)),
        min(height, round(bottom / scale)),
    )


def _same(one: Region, other: Region) -> bool:
    across = min(one.right, other.right) - max(one.left, other.left)
    down = min(one.bottom, other.bottom) - max(one.top, other.top)
    if across <= 0 or down <= 0:
        return False
    union = _area(one) + _area(other) - across * down
    return across * down > 0.9 * union


def _area(region: Region) -> int:
    return (region.right - region.left) * (region.bottom - region.top)

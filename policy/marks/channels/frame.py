"""Frame: which part of a picture a channel shows, at what size and where, in numbers that can be repeated.

A buyer who checks a locked product repeats the frame on the source picture and compares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import cv2
import numpy as np

from policy.marks.watermark import Image

_SOFT = 12.0  # pixels: sigma of the blur of what goes on beyond the edge
_MAX_SIDE = 16_384  # of anything that a record may ask to be allocated


@dataclass(frozen=True, slots=True)
class ChannelFrame:
    """A part of a picture, which may lie beyond it, drawn `inner` pixels large at `at` on a canvas of `canvas` pixels.

    Every pair is x first. Where part and inner are of one size, pixels are moved whole.
    """

    corner: tuple[int, int]
    part: tuple[int, int]
    inner: tuple[int, int]
    at: tuple[int, int]
    canvas: tuple[int, int]

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """What `to_json` wrote, from anyone. Raises ValueError for what is no frame, or one of absurd size."""
        try:
            pairs = {name: (int(stored[name]["x"]), int(stored[name]["y"])) for name in cls.__slots__}
        except (KeyError, TypeError, ValueError, OverflowError) as missing:
            raise ValueError(f"no frame: {missing}") from missing
        frame = cls(**pairs)
        sizes = (*frame.part, *frame.inner, *frame.canvas)
        places = (*frame.corner, *frame.at)
        if not all(0 < side <= _MAX_SIDE for side in sizes) or not all(abs(place) <= _MAX_SIDE for place in places):
            raise ValueError(f"no frame: sides of 1 to {_MAX_SIDE} pixels are possible")
        if any(
            place < 0 or place + side > whole
            for place, side, whole in zip(frame.at, frame.inner, frame.canvas, strict=True)
        ):
            raise ValueError("no frame: its picture lies beyond its canvas")
        return frame

    def to_json(self) -> dict[str, Any]:
        """The record. No lists of numbers: readers of C2PA take small ones for bytes."""
        return {name: {"x": pair[0], "y": pair[1]} for name, pair in asdict(self).items()}

    @property
    def scale(self) -> float:
        """Pixels of the file for one of the picture."""
        return max(self.inner[0] / self.part[0], self.inner[1] / self.part[1])

    def apply(self, image: Image, ground: tuple[int, int, int] = (0, 0, 0)) -> Image:
        """The picture, RGB uint8, in this frame."""
        inside = _resized(self._cut(image), *self.inner)
        if self.inner == self.canvas:
            return inside
        (left, top), (width, height) = self.at, self.inner
        result = np.empty((self.canvas[1], self.canvas[0], 3), np.uint8)
        result[:] = ground
        result[top : top + height, left : left + width] = inside
        return result

    def _cut(self, image: Image) -> Image:
        height, width = image.shape[:2]
        (x, y), (wide, high) = self.corner, self.part
        beyond = (max(0, -y), max(0, y + high - height), max(0, -x), max(0, x + wide - width))
        inside = image[max(0, y) : max(0, y + high), max(0, x) : max(0, x + wide)]
        if not any(beyond):
            return inside
        if not inside.size:
            raise ValueError("the frame shows nothing of this picture")
        grown = cv2.copyMakeBorder(np.ascontiguousarray(inside), *beyond, cv2.BORDER_REPLICATE)
        soft = cv2.GaussianBlur(grown, (0, 0), _SOFT)  # without it, every speck at the edge becomes a line
        above, below, before, behind = beyond
        kept = slice(above, grown.shape[0] - below), slice(before, grown.shape[1] - behind)
        soft[kept] = grown[kept]
        return np.asarray(soft, np.uint8)


def _resized(image: Image, width: int, height: int) -> Image:
    if image.shape[:2] == (height, width):
        return np.ascontiguousarray(image)
    smaller = width * height < image.shape[0] * image.shape[1]
    kind = cv2.INTER_AREA if smaller else cv2.INTER_LANCZOS4
    return np.asarray(cv2.resize(np.ascontiguousarray(image), (width, height), interpolation=kind), np.uint8)

"""Local features: points of a picture that are found again in a crop, a turned copy or a screenshot of it.

RootSIFT (Arandjelovic and Zisserman, 2012) through OpenCV, at a fixed working size so that a small copy and a large
original show the same points. Contrast is not equalised locally, because a crop would be equalised differently. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from policy.fingerprints import Image

Floats = NDArray[np.float32]

# The longer side of what features are looked for in. Larger costs more and finds nothing that a copy keeps.
WORKING_SIDE = 512
MAX_FEATURES = 700
# Fewer features than this, and a crop or a turned copy of the picture is not found by them.
ENOUGH_FEATURES = 24
DESCRIPTOR = 128  # 4 x 4 cells of 8 angles

_CONTRAST = 0.006
_SMALLEST_SIDE = 24  # of the working picture: a line has no places
_MIRRORED_ANGLES = -np.arange(8) % 8


@dataclass(frozen=True, slots=True)
class Features:
    """Points [N, 2] in pixels of the picture (x, y), unit descriptors [N, 128], and the picture's (width, height)."""

    places: Floats
    descriptors: Floats
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.places)


def features(image: Image, *, most: int = MAX_FEATURES) -> Features:
    """The strongest features of an RGB picture, strongest first. A picture of one colour has none."""
    size = (image.shape[1], image.shape[0])
    none = Features(np.zeros((0, 2), np.float32), np.zeros((0, DESCRIPTOR), np.float32), size)
    luma, scale = working_luma(image)
    if min(luma.shape) < _SMALLEST_SIDE:
        return none
    sift: Any = cv2.SIFT_create(contrastThreshold=_CONTRAST)  # type: ignore[attr-defined]  # not in its stubs
    # Large places outlive shrinking and blur; the strongest by themselves would all be grain.
    points = sorted(sift.detect(luma, None), key=lambda point: -point.response * point.size)[:most]
    points, found = sift.compute(luma, points) if points else (points, None)
    if found is None or not len(points):
        return none
    places = np.array([point.pt for point in points], np.float32)
    # A pixel's centre is at its integer place, before scaling and after.
    places = (places + np.float32(0.5)) / np.float32(scale) - np.float32(0.5)
    total = np.maximum(found.sum(axis=1, keepdims=True), 1e-6)
    return Features(places, np.sqrt(found / total).astype(np.float32), size)


def mirrored(found: Features) -> Features:
    """The features of the mirrored picture, derived without detecting them again.

    Mirroring keeps the direction that a descriptor is turned to and reverses the one across it: the rows of its 4 x 4
    cells change places, and its eight angles their sign.
    """
    width = found.size[0]
    places = found.places.copy()
    places[:, 0] = np.float32(width - 1) - places[:, 0]
    cells = found.descriptors.reshape(-1, 4, 4, 8)[:, ::-1, :, _MIRRORED_ANGLES]
    return Features(places, np.ascontiguousarray(cells.reshape(-1, DESCRIPTOR)), found.size)


def working_luma(image: Image) -> tuple[Image, float]:
    """Luma with its longer side at WORKING_SIDE, and the scale that made it so."""
    luma = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
    scale = WORKING_SIDE / max(luma.shape)
    if scale == 1:
        return luma, 1.0
    size = (max(1, round(luma.shape[1] * scale)), max(1, round(luma.shape[0] * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(luma, size, interpolation=method), np.uint8), scale

"""Local features: places of a picture that are found again in a crop, a turned copy or a screenshot of it.

RootSIFT (Arandjelovic and Zisserman, 2012) through OpenCV, at a fixed working size so that a small copy and a large
original show the same places. No local evening of contrast: a crop would be evened differently. A code is a
descriptor in 64 bits: the signs of fixed projections, so that near descriptors share most bits and an index can look
codes up by parts of them. Pure.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from policy.fingerprints import Image

Floats = NDArray[np.float32]
Codes = NDArray[np.uint64]

# The longer side of what features are looked for in. Larger costs more and finds nothing that a copy keeps.
WORKING_SIDE = 512
MAX_FEATURES = 700
# How many codes of a picture the index keeps, strongest first: 384 bytes a picture.
CODES_KEPT = 48
# Fewer features than this, and a crop or a turned copy of the picture is not found by them.
ENOUGH_FEATURES = 24
CODE_BITS = 64

_CONTRAST = 0.006
_SMALLEST_SIDE = 24  # of the working picture: a line has no places
_DESCRIPTOR = 128


@dataclass(frozen=True, slots=True)
class Features:
    """Places [N, 2] in pixels of the picture (x, y), unit descriptors [N, 128], and the picture's (width, height)."""

    places: Floats
    descriptors: Floats
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.places)


def features(image: Image, *, most: int = MAX_FEATURES) -> Features:
    """The strongest features of an RGB picture, strongest first. A featureless picture has none."""
    size = (image.shape[1], image.shape[0])
    none = Features(np.zeros((0, 2), np.float32), np.zeros((0, _DESCRIPTOR), np.float32), size)
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


def working_luma(image: Image) -> tuple[Image, float]:
    """Luma with its longer side at WORKING_SIDE, and the scale that made it so."""
    luma = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
    scale = WORKING_SIDE / max(luma.shape)
    if scale == 1:
        return luma, 1.0
    size = (max(1, round(luma.shape[1] * scale)), max(1, round(luma.shape[0] * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(luma, size, interpolation=method), np.uint8), scale


def codes(found: Features, *, most: int | None = None) -> Codes:
    """64 bits for each feature, in their order."""
    return pack(projections(found.descriptors[:most]))


def projections(descriptors: Floats) -> Floats:
    """What each bit is the sign of, [N, 64]: its size says how sure the bit is."""
    return np.asarray(descriptors @ _PROJECTION, np.float32)


def pack(projected: Floats) -> Codes:
    """The signs of [N, 64] numbers as one number each; bit 0 comes first."""
    bits = np.packbits(projected > 0, axis=1, bitorder="little")
    return np.ascontiguousarray(bits).view(np.uint64).ravel()


def _projection() -> Floats:
    """64 directions with as many +1 as -1, the same for ever: what was indexed once must be found later."""
    stream = hashlib.shake_256(b"presswork local codes 1").digest(CODE_BITS * _DESCRIPTOR * 4)
    order = np.frombuffer(stream, "<u4").reshape(CODE_BITS, _DESCRIPTOR).argsort(axis=1, kind="stable")
    signs = np.where(order < _DESCRIPTOR // 2, 1, -1).T
    return np.ascontiguousarray(signs, np.float32)


_PROJECTION = _projection()

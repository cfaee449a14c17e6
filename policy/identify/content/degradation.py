"""Degradation of a copy, applied to the original before they are compared: smaller size, tone, lossy compression.

A small or badly compressed copy no longer explains the fine half of its original, and neither does a near twin. With
the same losses applied to the original, the copy is nearly equal to it again, and the twin is not. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from policy.fingerprints import Image
from policy.identify.content.compare import Similarity, compare
from policy.identify.content.tone import toned_like
from policy.identify.register import Registration, resized, scaling

_SAVED = (
    (".jpg", cv2.IMWRITE_JPEG_QUALITY, 75),
    (".jpg", cv2.IMWRITE_JPEG_QUALITY, 50),
    (".jpg", cv2.IMWRITE_JPEG_QUALITY, 30),
    (".webp", cv2.IMWRITE_WEBP_QUALITY, 60),
)
_GRAIN = 1.5 / 128  # of a side: what is finer is smoothed away in both, once, for a copy with noise
_LONGEST = 768  # of a copy's sides: at more pixels a copy has lost little


def degraded_similarity(query: Image, found: Registration, original: Image) -> Similarity:
    """The best similarity in the copy's own frame, over several kinds of losses applied to the original."""
    scale = min(1.0, _LONGEST / max(query.shape[:2]))
    size = max(1, round(query.shape[1] * scale)), max(1, round(query.shape[0] * scale))
    shown = query if scale == 1 else resized(query, *size)
    there, known = _seen_from(original, found.matrix, query, size)
    ways = [there]
    if (toned := toned_like(there, known, shown)) is not None:
        ways.append(toned)
    seen = [compare(shown, known, each) for way in ways for each in _losses(way)]
    seen += [compare(_smooth(shown), known, _smooth(way)) for way in ways]
    return max(seen, key=lambda similarity: similarity.whole + similarity.detail)


def _smooth(image: Image) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), _GRAIN * max(image.shape[:2])), np.uint8)


def _seen_from(
    original: Image, matrix: NDArray[np.float64], query: Image, size: tuple[int, int]
) -> tuple[Image, NDArray[np.uint8]]:
    """The original as the copy shows it, at that size, and 255 where it does. `matrix` maps from copy to original."""
    back = np.linalg.inv(matrix @ scaling(query.shape[1] / size[0], query.shape[0] / size[1]))
    shrink = float(np.sqrt(abs(np.linalg.det((back / back[2, 2])[:2, :2]))))
    source = original
    if shrink < 0.8:
        small = max(1, round(original.shape[1] * shrink)), max(1, round(original.shape[0] * shrink))
        source = resized(original, *small)
        back = back @ scaling(original.shape[1] / small[0], original.shape[0] / small[1])
    there = cv2.warpPerspective(source, back, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpPerspective(np.full(source.shape[:2], 255, np.uint8), back, size, flags=cv2.INTER_LINEAR)
    return np.asarray(there, np.uint8), np.where(inside == 255, 255, 0).astype(np.uint8)


def _losses(image: Image) -> Iterator[Image]:
    yield image
    for suffix, option, quality in _SAVED:
        _, data = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [option, quality])
        yield np.asarray(cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), np.uint8)

"""Tone curve between a copy and its original: undone on the copy, or applied to the original. Pure.

Contrast, gamma and brightness move the steps in which the watermark is written; the original shows by how much. The
curve is the same for all three channels and all places and has 17 points. So it cannot carry the original's watermark
over to a picture without one: cells of one colour stand on both sides of it, and their mean says nothing of any of
them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from policy.fingerprints import Image

_POINTS = 17
_FEWEST = 200  # values near a point, below which its neighbours decide
_SAME = 2.5  # levels: nearer to what it was than this, and there is nothing to undo
_DARKEST, _BRIGHTEST, _CUT = (
    1,
    254,
    4,
)  # levels: where tones end, and how far from there the original has to be on the mean
_STEP = 2  # every second pixel each way is enough


def untoned(laid: Image, known: NDArray[np.uint8], original: Image) -> tuple[Image, NDArray[np.uint8]] | None:
    """The copy with the original's tone, and where that is known; None where tones are equal or too little is common.

    `laid`, uint8 [S, S, 3], lies in the frame of `original`; `known`, uint8 [S, S], is 0 where the copy has no pixel.
    Where tones were cut off, the ends of the copy's range are not known either. All of an end is dropped: asking the
    original place by place would let its own watermark choose the places.
    """
    fitted = _fitted(laid, known, original)
    if fitted is None:
        return None
    curve, counts, sums = fitted
    moved = np.abs(curve - np.arange(256))
    if float((moved * counts).sum() / counts.sum()) < _SAME:
        return None
    levels = np.clip(np.round(curve), 0, 255).astype(np.uint8)
    cut = np.zeros(laid.shape[:2], bool)
    if _mean(sums, counts, slice(_BRIGHTEST, None)) < _BRIGHTEST - _CUT:
        cut |= (laid >= _BRIGHTEST).any(axis=2)
    if _mean(sums, counts, slice(0, _DARKEST + 1)) > _DARKEST + _CUT:
        cut |= (laid <= _DARKEST).any(axis=2)
    return np.asarray(levels[laid], np.uint8), np.where(cut, 0, known).astype(np.uint8)


def toned_like(original: Image, known: NDArray[np.uint8], copy: Image) -> Image | None:
    """The original with the copy's tone, clipping included; all three uint8, in one frame. None as above."""
    fitted = _fitted(original, known, copy)
    if fitted is None:
        return None
    return np.asarray(np.clip(np.round(fitted[0]), 0, 255).astype(np.uint8)[original], np.uint8)


def _fitted(
    image: Image, known: NDArray[np.uint8], like: Image
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]] | None:
    """The curve from one's levels to the other's, and the count and sum of values at each level."""
    mask = known[::_STEP, ::_STEP] > 0
    here = image[::_STEP, ::_STEP][mask].ravel()
    there = like[::_STEP, ::_STEP][mask].ravel()
    if len(here) < _FEWEST:
        return None
    counts = np.bincount(here, minlength=256).astype(np.float64)
    sums = np.bincount(here, there, minlength=256).astype(np.float64)
    curve = _curve(counts, sums)
    return None if curve is None else (curve, counts, sums)


def _mean(sums: NDArray[np.float64], counts: NDArray[np.float64], levels: slice) -> float:
    """The original's mean where the copy has these levels. Where the copy has none of them, nothing was cut off."""
    seen = float(counts[levels].sum())
    return float(sums[levels].sum()) / seen if seen else float(np.arange(256)[levels].mean())


def _curve(counts: NDArray[np.float64], sums: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """A rising curve, straight between its points, through the local means; None where fewer than two are known."""
    levels = np.arange(256, dtype=np.float64)
    points = np.linspace(0, 255, _POINTS)
    wide = points[1]
    at, means = [], []
    for point in points:
        near = np.clip(1 - np.abs(levels - point) / wide, 0, None) * (counts > 0)
        weight = near * counts
        if weight.sum() >= _FEWEST:
            at.append(float((weight * levels).sum() / weight.sum()))
            means.append(float((near * sums).sum() / weight.sum()))
    if len(at) < 2:
        return None
    risen = np.maximum.accumulate(means)
    first = min(max((risen[1] - risen[0]) / max(at[1] - at[0], 1.0), 0.2), 5.0)
    last = min(max((risen[-1] - risen[-2]) / max(at[-1] - at[-2], 1.0), 0.2), 5.0)
    curve = np.interp(levels, at, risen)
    curve = np.where(levels < at[0], risen[0] + first * (levels - at[0]), curve)
    return np.where(levels > at[-1], risen[-1] + last * (levels - at[-1]), curve)

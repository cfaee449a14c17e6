"""Colour map between a copy and its original: hue, saturation, sepia, two inks, a profile lost, inverted. Pure.

One map for the whole picture, fitted on the places where it holds and blind to the rest: each channel is a sum of the
other's channels, of powers of its luma and of what makes its hue, with 11 numbers a channel. So it can carry neither an
original's watermark nor its detail over to another picture.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from policy.fingerprints import Image
from policy.levels import highest, lowest

_SIDE = 64
_FEWEST = 300  # places
# Levels: what lies farther from the map than this counts little (Geman and McClure's weights), so that a sticker does
# not bend the map, and a rare colour that fits is not dropped. Wide at first, so that the fit finds its way.
_NEAR = (64.0, 32.0, 16.0, 12.0, 12.0, 12.0)
_RIDGE = 0.1
_PLAIN = 6.0  # levels of spread
_OTHER_COLOURS = 8.0  # levels: what JPEG and other losses leave apart on the median is less
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def is_recoloured(copy: Image, known: NDArray[np.uint8], original: Image) -> bool:
    """Whether the greater part of a copy has other colours than its original has there.

    A copy whose colours are mostly right was not recoloured as a whole. A map would only give what was put on it the
    colours that it hides.
    """
    pair = _places(copy, known, original)
    if pair is None:
        return False
    return float(np.median(highest(np.abs(pair[0] - pair[1])))) > _OTHER_COLOURS


def coloured_like(original: Image, known: NDArray[np.uint8], copy: Image) -> Image | None:
    """The original with the copy's colours; all three lie in one frame. None where too little is common."""
    return _mapped(original, known, copy)


def uncoloured(copy: Image, known: NDArray[np.uint8], original: Image) -> Image | None:
    """The copy with the original's colours, as far as the copy still has any. None as above."""
    return _mapped(copy, known, original)


def _mapped(image: Image, known: NDArray[np.uint8], like: Image) -> Image | None:
    pair = _places(image, known, like)
    if pair is None:
        return None
    here, there = pair
    if min(float(here.std(axis=0).max()), float(there.std(axis=0).max())) < _PLAIN:
        return None  # one colour is turned into any other
    terms = _terms(here)
    weight = np.ones((len(terms), 1), np.float32)
    solution = np.zeros((terms.shape[1], 3), np.float32)
    for near in _NEAR:
        weighted = terms * weight
        gram = weighted.T @ terms + np.eye(terms.shape[1], dtype=np.float32) * np.float32(_RIDGE)
        solution = np.linalg.solve(gram, weighted.T @ there).astype(np.float32)
        apart = ((np.clip(terms @ solution, 0, 255) - there) ** 2).mean(axis=1, keepdims=True)
        weight = np.asarray((1 + apart / np.float32(near) ** 2) ** -2, np.float32)
    rows = _terms(image.reshape(-1, 3).astype(np.float32))
    return np.asarray(np.clip(np.round(rows @ solution), 0, 255).astype(np.uint8).reshape(image.shape), np.uint8)


def _places(
    image: Image, known: NDArray[np.uint8], like: Image
) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Mean colours of both at the places that are known [N, 3]; None for too few."""
    seen = (cv2.resize(known, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA) == 255).ravel()
    if int(seen.sum()) < _FEWEST:
        return None
    here, there = (
        np.asarray(cv2.resize(each, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), np.float32).reshape(-1, 3)[seen]
        for each in (image, like)
    )
    return here, there


def _terms(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    scaled = pixels / np.float32(255)
    luma = scaled @ _LUMA
    red, green, blue = scaled.T
    hue = (highest(scaled), lowest(scaled), np.abs(red - green), np.abs(green - blue), np.abs(blue - red))
    return np.column_stack([np.ones_like(luma), scaled, luma**2, luma**3, *hue]).astype(np.float32)

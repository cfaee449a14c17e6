"""Colour map between a copy and its original: hue, saturation, sepia, two inks, a profile lost, inverted. Pure.

One map for the whole picture, fitted on the places where it holds and blind to the rest: each channel is a sum of the
other's channels and of powers of its luma, with 6 numbers a channel. So it can carry neither an original's watermark
nor its detail over to another picture.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from policy.fingerprints import Image

_SIDE = 64
_FEWEST = 300  # places
_KEPT = 0.75  # of the places, those that fit best, decide
_ROUNDS = 4
_PLAIN = 6.0  # levels of spread
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def coloured_like(original: Image, known: NDArray[np.uint8], copy: Image) -> Image | None:
    """The original with the copy's colours; all three lie in one frame. None where too little is common."""
    return _mapped(original, known, copy)


def uncoloured(copy: Image, known: NDArray[np.uint8], original: Image) -> Image | None:
    """The copy with the original's colours, as far as the copy still has any. None as above."""
    return _mapped(copy, known, original)


def _mapped(image: Image, known: NDArray[np.uint8], like: Image) -> Image | None:
    seen = (cv2.resize(known, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA) == 255).ravel()
    if int(seen.sum()) < _FEWEST:
        return None
    here, there = (
        np.asarray(cv2.resize(each, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), np.float32).reshape(-1, 3)[seen]
        for each in (image, like)
    )
    if min(float(here.std(axis=0).max()), float(there.std(axis=0).max())) < _PLAIN:
        return None  # one colour is turned into any other
    terms = _terms(here)
    kept = np.ones(len(terms), bool)
    solution = np.zeros((terms.shape[1], 3), np.float32)
    for _ in range(_ROUNDS):
        gram = terms[kept].T @ terms[kept] + np.eye(terms.shape[1], dtype=np.float32) * np.float32(1e-2)
        solution = np.linalg.solve(gram, terms[kept].T @ there[kept]).astype(np.float32)
        apart = ((terms @ solution - there) ** 2).sum(axis=1)
        kept = apart <= np.quantile(apart, _KEPT)
    rows = _terms(image.reshape(-1, 3).astype(np.float32))
    return np.asarray(np.clip(np.round(rows @ solution), 0, 255).astype(np.uint8).reshape(image.shape), np.uint8)


def _terms(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    scaled = pixels / np.float32(255)
    luma = scaled @ _LUMA
    return np.column_stack([np.ones_like(luma), scaled, luma**2, luma**3]).astype(np.float32)

"""Fit of a picture to an original: one registration, the picture laid into the original's frame, how alike they are."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from policy.fingerprints import Image
from policy.identify.content.compare import Similarity, compare
from policy.identify.content.recolour import coloured_like
from policy.identify.original import Original
from policy.identify.register import Registration, lay_back

# So much of the original must be in common for the fit to say anything.
SMALLEST_COMMON = 0.1
# So much explained is good enough to try no other colours, and no other map.
GOOD = 0.92


@dataclass(frozen=True, slots=True)
class Fit:
    """One registration of the picture to the original, and how much of it that explains."""

    found: Registration
    query: Image
    turn: int
    view: int
    laid: Image
    known: Image
    similarity: Similarity

    def place(self, original: Original) -> NDArray[np.float64]:
        """Corners of the original in the turned view, in pixels [4, 2]."""
        width, height = original.size
        corners = np.array([[[0, 0]], [[width, 0]], [[width, height]], [[0, height]]], np.float64)
        placed = cv2.perspectiveTransform(corners, np.linalg.inv(self.found.matrix)).reshape(-1, 2)
        return np.asarray(placed, np.float64)

    @classmethod
    def of(cls, query: Image, found: Registration, turn: int, view: int, original: Original) -> Fit:
        laid, known = lay_back(query, found.matrix, original.size)
        similarity = compare(laid, known, original.frame)
        if similarity.common >= SMALLEST_COMMON and similarity.whole < GOOD:
            similarity = max(similarity, _recoloured(laid, known, original), key=lambda each: each.whole)
        return cls(found, query, turn, view, laid, known, similarity)


def _recoloured(laid: Image, known: Image, original: Original) -> Similarity:
    """The similarity to the original in the copy's colours."""
    mapped = coloured_like(original.small, known, laid)
    return Similarity(0.0, 0.0, 0.0) if mapped is None else compare(laid, known, mapped)

"""Blank pictures: one colour from edge to edge, as broken latents decode to."""

from __future__ import annotations

import cv2
import numpy as np

SIDE_PIXELS = 128  # enough to see any object that fills a thousandth of the picture
TOLERANCE_LEVELS = 4  # of 255: grain and compression on a flat picture stay within it


class Blank:
    """Scores the share of a picture that has its median colour, within a few levels."""

    name = "blank"
    classes = ("blank",)
    revision = "share-of-median/1"

    def scores(self, images: np.ndarray) -> np.ndarray:
        return np.array([[_share_of_middle_colour(image)] for image in images], np.float32)


def _share_of_middle_colour(image: np.ndarray) -> float:
    small = cv2.resize(image, (SIDE_PIXELS, SIDE_PIXELS), interpolation=cv2.INTER_AREA)
    middle = np.median(small, axis=(0, 1))
    near = cv2.inRange(small, tuple(middle - TOLERANCE_LEVELS), tuple(middle + TOLERANCE_LEVELS))
    return cv2.countNonZero(near) / SIDE_PIXELS**2

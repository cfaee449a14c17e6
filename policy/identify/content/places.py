"""Places of a frame: the picture at the size of its map, and means around each place. Pure."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from policy.fingerprints import Image

Floats = NDArray[np.float32]

SIDE = 128  # places a side that are compared
_WINDOW = 9  # places of 128 a side: about a fourteenth of the frame


def small(image: Image) -> Floats:
    """The picture at the size of its map, smoothed so that the grain of a copy does not count."""
    shrunk = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(shrunk, (0, 0), 1.0), np.float32)


def blurred(image: Floats, sigma: float) -> Floats:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.float32)


def mean(plane: Floats) -> Floats:
    """The mean around each place."""
    return np.asarray(cv2.blur(plane, (_WINDOW, _WINDOW), borderType=cv2.BORDER_REPLICATE), np.float32)

"""Paste of what was drawn into the picture that was given: outside the mask no pixel differs."""

from __future__ import annotations

import cv2
import numpy as np

from workers.sampling.given.pictures import DRAWN_ANEW
from workers.sampling.types import Pictures

_SEAM = 4  # pixels over which what was drawn goes over into what was given


def pasted(drawn: np.ndarray, pictures: Pictures) -> np.ndarray:
    """What was drawn where the mask says so, uint8 [H, W, 3]; outside it the given picture, to the last bit.

    At the edge of the mask, inside it, one goes over into the other.
    """
    original, anew = np.asarray(pictures["image"]), (np.asarray(pictures["mask_image"]) >= DRAWN_ANEW).astype(np.uint8)
    inner = cv2.erode(anew, np.ones((_SEAM + 1, _SEAM + 1), np.uint8))
    share = (cv2.GaussianBlur(inner.astype(np.float32), (0, 0), _SEAM / 2) * anew)[..., None]
    seamless: np.ndarray = (original + share * (drawn.astype(np.float32) - original)).round().astype(np.uint8)
    return seamless

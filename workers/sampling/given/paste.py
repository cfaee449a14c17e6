"""Paste of what was drawn into the picture that was given: outside the mask no pixel differs."""

from __future__ import annotations

import numpy as np

from workers.masks.canvas import grown, put_back
from workers.sampling.given.pictures import DRAWN_ANEW
from workers.sampling.types import Pictures

_SEAM = 3  # pixels, inside the mask, over which what was drawn goes over into what was given


def pasted(drawn: np.ndarray, pictures: Pictures) -> np.ndarray:
    """What was drawn where the mask says so, uint8 [H, W, 3]; outside it the given picture, to the last bit.

    At the edge of the mask, inside it, one goes over into the other.
    """
    original, anew = np.asarray(pictures["image"]), np.asarray(pictures["mask_image"]) >= DRAWN_ANEW
    seamless = put_back(drawn, original, grown(anew.astype(np.uint8) * np.uint8(255), -_SEAM), _SEAM)
    return np.where(anew[..., None], seamless, original)

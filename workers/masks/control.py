"""Control maps: the lines of a picture, which a control network follows.

Canny's detector with thresholds that follow the picture, or those that a caller gives. A map is an RGB picture of white
lines on black, as the published control networks were trained on.
"""

from __future__ import annotations

import cv2
import numpy as np

from workers.errors import MaskRefused
from workers.masks.mask import Alpha, Pixels

_LOW, _HIGH = 0.66, 1.33  # of the median lightness
_LEAST = 40.0  # levels: below it, the grain of a flat picture becomes lines
_EMPTY = 0.0005  # of the pixels


def canny(picture: Pixels, thresholds: tuple[int, int] | None = None) -> Pixels:
    """The line drawing of an RGB picture, uint8 [H, W, 3]. Raises MaskRefused where it has no lines.

    Thresholds are levels, 1 to 254, the lower first.
    """
    grey = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (3, 3), 0)
    if thresholds is None:
        middle = max(_LEAST, float(np.median(grey)))
        low, high = min(100.0, _LOW * middle), min(200.0, _HIGH * middle)
    else:
        low, high = thresholds
        if not 1 <= low < high <= 254:
            raise MaskRefused(f"thresholds {low:g} and {high:g}: two levels from 1 to 254, the lower first")
    return given(np.asarray(cv2.Canny(grey, low, high), np.uint8), picture.shape)


def given(lines: Alpha, size: tuple[int, ...]) -> Pixels:
    """A control map of one channel that was made elsewhere, as RGB. Raises MaskRefused for another size or no lines."""
    if lines.ndim != 2 or lines.dtype != np.uint8:
        raise MaskRefused(f"the control map has to be one channel of 8 bits, not {lines.dtype} {list(lines.shape)}")
    if lines.shape != size[:2]:
        have, want = (f"{shape[1]} x {shape[0]}" for shape in (lines.shape, size))
        raise MaskRefused(f"the control map has {have} pixels, its picture {want}; send it in the picture's size")
    if np.count_nonzero(lines) < _EMPTY * lines.size:
        raise MaskRefused("the control map has no lines; send a picture with edges, or lower the thresholds")
    return np.repeat(lines[..., None], 3, axis=2)

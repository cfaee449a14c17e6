"""Shadow of a product on its new ground: a dark line where it stands, and a soft shape beside it.

Both follow from the product's alpha alone, so the same mask gives the same shadow. The result is how much of the
ground's light is taken away, for compositing.
"""

from __future__ import annotations

import cv2
import numpy as np

from workers.masks.light import USUAL
from workers.masks.mask import Alpha, Plane
from workers.masks.options import Shadow

_FOOT = 0.10  # of the product's height: its lowest part, which touches the ground
_FOOT_HEIGHT = 0.025  # of its height: how far the contact shadow reaches below it
_FLAT = 0.25  # height of a thrown shadow, of the product's: the ground is seen from above at a low angle
_NOTHING = 1 / 512  # of light: less is not seen


def shade(alpha: Alpha, shadow: Shadow) -> Plane:
    """How much light the ground loses, float32 [H, W], 0 to 1. It also lies below the product, which covers it."""
    rows = np.flatnonzero((alpha >= 128).any(axis=1))
    if not rows.size:
        return np.zeros(alpha.shape, np.float32)
    top, foot = int(rows[0]), int(rows[-1])
    tall = max(1, foot + 1 - top)
    product = alpha.astype(np.float32) / np.float32(255)
    dark = 1 - (1 - shadow.contact * _contact(product, foot, tall)) * (
        1 - shadow.drop * _thrown(product, foot, tall, shadow)
    )
    return np.where(dark < _NOTHING, 0, dark).astype(np.float32)


def _contact(product: Plane, foot: int, tall: int) -> Plane:
    """A narrow line under the lowest part."""
    lowest = np.zeros_like(product)
    start = max(0, foot + 1 - max(2, round(_FOOT * tall)))
    reach = max(1, round(_FOOT_HEIGHT * tall))
    nearer = np.linspace(0, 1, foot + 2 - start, dtype=np.float32)[1:, None]  # what is higher touches less
    columns = (product[start : foot + 1] * nearer).max(axis=0)
    lowest[max(0, foot - reach) : foot + 1 + reach // 2] = columns
    soft = max(0.8, reach / 2)
    return np.asarray(cv2.GaussianBlur(lowest, (0, 0), sigmaX=2 * soft, sigmaY=soft), np.float32)


def _thrown(product: Plane, foot: int, tall: int, shadow: Shadow) -> Plane:
    """The shape laid on the ground, leaning away from the light, softer with distance."""
    lean = float(np.tan(np.radians(-(USUAL if shadow.angle is None else shadow.angle))))
    # Where a pixel of the shadow comes from: (foot - y) / _FLAT above the foot, and as far aside as it leans there.
    aside, down = lean / _FLAT, 1 / _FLAT
    back = np.array([[1, aside, -aside * foot], [0, down, foot - down * foot]], np.float32)
    height, width = product.shape
    laid = cv2.warpAffine(product, back, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    laid[foot + 1 + max(1, round(0.02 * tall)) :] = 0
    soft = max(0.8, shadow.softness * tall)
    return np.asarray(cv2.GaussianBlur(laid, (0, 0), soft), np.float32)

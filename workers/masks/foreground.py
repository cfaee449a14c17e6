"""Foreground estimation: the product's own colours in pixels where it is mixed with its old ground.

Without it, an edge carries a rim of the old ground into the new picture. Source: Forte, "Approximate Fast Foreground
Colour Estimation" (ICIP 2021): blurred product and blurred ground, then what is left over, in a wide and a narrow pass.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from workers.masks.mask import Alpha, Pixels

_WIDE, _NARROW = 0.09, 0.006  # of the long side: box of the first pass, and of the second
_SPREAD = 0.01  # of the long side: how far the product's colours go on beyond it in a cut-out
_NOTHING = np.float32(1e-5)


def foreground(picture: Pixels, alpha: Alpha) -> Pixels:
    """The product's colours, RGB uint8 [H, W, 3]. Where alpha is 255 they are the picture's own, bit for bit."""
    scene = picture.astype(np.float32) / np.float32(255)
    share = (alpha.astype(np.float32) / np.float32(255))[..., None]
    product, ground = scene, scene
    for size in (_WIDE, _NARROW):
        product, ground = _fused(scene, product, ground, share, max(3, round(size * max(alpha.shape))))
    found: Pixels = np.rint(np.clip(product, 0, 1) * 255).astype(np.uint8)
    return np.where(alpha[..., None] == 255, picture, found)


def _fused(
    scene: NDArray[np.float32],
    product: NDArray[np.float32],
    ground: NDArray[np.float32],
    share: NDArray[np.float32],
    size: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Product and ground, each blurred over its own pixels; the product takes what the two do not explain."""

    def blurred(plane: NDArray[np.float32]) -> NDArray[np.float32]:
        found = cv2.blur(plane, (size, size))
        return np.asarray(found if found.ndim == 3 else found[..., None], np.float32)

    covered = blurred(share)
    near = blurred(product * share) / (covered + _NOTHING)
    far = blurred(ground * (1 - share)) / (1 - covered + _NOTHING)
    rest = scene - share * near - (1 - share) * far
    return np.clip(near + share * rest, 0, 1), np.clip(far, 0, 1)

"""Pixel check: the difference between the pixels of a finished file and the screened pixels.

The verdict was about the screened pixels. A watermark may read back and a manifest may be sound on a file whose pixels
went wrong on the way (a broken encoder, bad memory, a swapped buffer). So every finished file is decoded and compared
before it is released.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

# The mark leaves 37 to 46 dB and moves a channel by 18 levels at most (bench/marks.py); its stronger form costs
# 4.4 dB more.
MIN_PSNR_DB = 32.0
MAX_SHIFT = 48
# What JPEG, WebP and AVIF lose is fine detail and the place of a colour edge: they are compared in means of 4 x 4
# pixels. The worst of 175 pictures (pure grounds at 64 pixels among them) keeps 31.9 dB and moves a mean by 21 levels.
MIN_MEANS_PSNR_DB = 30.0
MAX_MEANS_SHIFT = 32
_MEANS_OF = 4


@dataclass(frozen=True, slots=True)
class PixelDifference:
    """The difference over all pixels. `too_far` says why the file must not be released, or is empty."""

    psnr_db: float
    max_shift: int
    too_far: str


def compare(screened: Image, pixels: Image, *, lossless: bool) -> PixelDifference:
    """The difference of two RGB pictures, uint8 [H, W, 3].

    It is measured pixel by pixel. Where a lossy format lies between, the limits apply to means of 4 x 4 pixels.
    """
    if pixels.shape != screened.shape:
        return PixelDifference(0.0, 255, f"the file decodes to {pixels.shape}, screened was {screened.shape}")
    psnr, shift = _distance(screened, pixels)
    seen, moved, least, most, of = psnr, shift, MIN_PSNR_DB, MAX_SHIFT, "pixels"
    if not lossless:
        seen, moved = _distance(_means(screened), _means(pixels))
        least, most, of = MIN_MEANS_PSNR_DB, MAX_MEANS_SHIFT, "means of 4 x 4 pixels"
    if seen >= least and moved <= most:
        return PixelDifference(psnr, shift, "")
    far = (
        f"{of} are {seen:.1f} dB and up to {moved} levels from the screened picture; {least} dB and {most} are allowed"
    )
    return PixelDifference(psnr, shift, far)


def _distance(one: Image, other: Image) -> tuple[float, int]:
    return float(cv2.PSNR(one, other)), int(cv2.norm(one, other, cv2.NORM_INF))


def _means(image: Image) -> Image:
    height, width = image.shape[:2]
    smaller = cv2.resize(image, (width // _MEANS_OF, height // _MEANS_OF), interpolation=cv2.INTER_AREA)
    return np.asarray(smaller, np.uint8)

"""Similarity of two registered pictures: whether a picture in its original's frame shows the same thing everywhere.

Tone may differ: one gain and one offset for the whole picture are fitted. A tenth of it may be covered by text or a
cursor. Fine grain is smoothed away. The rest must agree in luma and, unless the copy is grey, in colour. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from policy.fingerprints import Image
from policy.identify.register import FRAME
from policy.levels import highest, lowest

_SIDE = 128
_COVERED = 0.1  # the share of the common part that may show something else
_SMALLEST_COMMON = 0.03  # of the frame
_GREY = 3.0  # mean saturation, in levels, below which a copy has no colour
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_FLAT = 1.0  # variance below which a picture has nothing to compare
_CLOSE = 24.0  # levels apart at which two plain pictures have nothing in common


@dataclass(frozen=True, slots=True)
class Similarity:
    """How alike two pictures are, and the share of the frame that they have in common.

    `whole`, from 0 to 1, is the share of the original's variance that the copy explains. `detail` is the same for what
    is finer than a twelfth of the frame: of two variants of one scene, the right one explains the detail too.
    """

    whole: float
    detail: float
    common: float


def compare(laid: Image, known: NDArray[np.uint8], original: Image) -> Similarity:
    """Similarity of a picture in the original's frame (register.lay_back) and the original, resized to one size."""
    mask = cv2.resize(known, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA) == 255
    common = float(mask.mean())
    if common < _SMALLEST_COMMON:
        return Similarity(0.0, 0.0, common)
    here, there = _small(laid), _small(original)
    if _saturation(here[mask]) < _GREY:
        here, there = _luma(here), _luma(there)
    fine_here, fine_there = (each - _coarse(each) for each in (here, there))
    return Similarity(
        _explained(here[mask], there[mask]) if _varies(there[mask]) else _close(here[mask], there[mask]),
        _explained(fine_here[mask], fine_there[mask]),
        common,
    )


def fineness(laid: Image, known: NDArray[np.uint8], original: Image) -> float:
    """Similarity of the finest detail that the frame holds, finer than about a hundredth of it, in luma.

    Noise and blur lower it for every candidate alike, so it only ranks those that agree.
    """
    here, there = (_finest(each) for each in (laid, original))
    mask = known[::2, ::2] > 0
    return _explained(here[mask], there[mask])


def _finest(image: Image) -> NDArray[np.float32]:
    exact = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine: NDArray[np.float32] = (exact - cv2.GaussianBlur(exact, (0, 0), 4))[::2, ::2, None]
    return fine


def _luma(image: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(image @ _LUMA, np.float32)[..., None]


def _small(image: Image) -> NDArray[np.float32]:
    """The picture, smoothed so that the grain of a copy does not count."""
    small = cv2.resize(
        image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA if image.shape[0] >= _SIDE else cv2.INTER_LINEAR
    )
    return np.asarray(cv2.GaussianBlur(small, (0, 0), 1.0), np.float32)


def _coarse(image: NDArray[np.float32]) -> NDArray[np.float32]:
    smooth = cv2.GaussianBlur(image, (0, 0), _SIDE / 24)
    return np.asarray(smooth if smooth.ndim == 3 else smooth[..., None], np.float32)


def _saturation(pixels: NDArray[np.float32]) -> float:
    return float((highest(pixels) - lowest(pixels)).mean())


def _varies(pixels: NDArray[np.float32]) -> bool:
    return _variance(pixels) >= _FLAT


def _variance(pixels: NDArray[np.float32]) -> float:
    """Around the mean of each channel."""
    return float(((pixels - pixels.mean(axis=0)) ** 2).mean())


def _close(here: NDArray[np.float32], there: NDArray[np.float32]) -> float:
    """How near a copy is to an original of one colour.

    There is no variance to explain, so the levels themselves must agree.
    """
    return max(0.0, 1 - float(np.sqrt(((here - there) ** 2).mean())) / _CLOSE)


def _explained(here: NDArray[np.float32], there: NDArray[np.float32]) -> float:
    """The share of there's variance that gain * here + offset explains, without the worst tenth."""
    kept = np.ones(len(here), bool)
    apart = np.zeros(len(here), np.float32)
    for _ in range(3):
        x, y = here[kept], there[kept]
        mean_x, mean_y = x.mean(), y.mean()
        x -= mean_x
        y -= mean_y
        spread = float(np.vdot(x, x))
        gain = float(np.vdot(x, y)) / spread if spread > 1e-6 * x.size else 0.0
        gain = min(max(gain, 0.2), 5.0)
        left = there - mean_y - gain * (here - mean_x)
        apart = np.einsum("ij,ij->i", left, left) / np.float32(left.shape[1])
        kept = apart <= np.quantile(apart, 1 - _COVERED)
    variance = _variance(there[kept])
    return max(0.0, 1 - float(apart[kept].mean()) / variance) if variance >= _FLAT else 0.0


__all__ = ["FRAME", "Similarity", "compare", "fineness"]

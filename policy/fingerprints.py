"""Perceptual hash of a picture in 256 bits, after PDQ: stable under recompression and resizing.

Luma is reduced to 64 x 64. Its 16 x 16 lowest cosine frequencies, without the constant ones, are compared with their
median: one bit each. Source: Facebook, "PDQ & TMK + PDQF" (2019). The filter before decimation differs, so a PDQ hash
of another program is close to ours and not equal. Recompressing or resizing moves a few bits. Unrelated pictures differ
in 128 of 256 bits on average. Pure and deterministic: nothing is kept, nothing is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

HASH_BYTES = 32
# A picture of lower quality (0..100) has too little in it for its hash to mean anything: a plain ground, a gradient.
MIN_QUALITY = 20

_SIDE = 64
_FREQUENCIES = np.arange(1, 17)
_BASIS = (np.sqrt(2 / _SIDE) * np.cos(np.pi / _SIDE * np.outer(_FREQUENCIES, np.arange(_SIDE) + 0.5))).astype(
    np.float32
)
# Mirroring turns the sign of every odd frequency.
_SIGNS = np.where(_FREQUENCIES % 2, -1, 1).astype(np.float32)
# PDQ's own scale for its quality figure.
_GRADIENT_UNIT = np.float32(100 / 255)
_GRADIENTS_OF_FULL_QUALITY = 90

# The parts of a picture that are hashed beside the whole, as (left, top, width, height) in shares of its sides: half of
# the area, at the centre and in the corners.
_HALF = 0.7071
CROPS: tuple[tuple[float, float, float, float], ...] = (
    ((1 - _HALF) / 2, (1 - _HALF) / 2, _HALF, _HALF),
    (0.0, 0.0, _HALF, _HALF),
    (1 - _HALF, 0.0, _HALF, _HALF),
    (0.0, 1 - _HALF, _HALF, _HALF),
    (1 - _HALF, 1 - _HALF, _HALF, _HALF),
)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The hash of the whole picture, of each of CROPS, and the whole's quality, 0 to 100."""

    whole: bytes
    crops: tuple[bytes, ...]
    quality: int


def perceptual_hash(image: Image) -> tuple[bytes, int]:
    """The hash (32 bytes) and its quality (0 to 100) of an RGB picture, uint8 [H, W, 3], of any size.

    Below MIN_QUALITY the picture has too little structure for its hash to identify it: compare such pictures exactly.
    """
    luma = _luma(image)
    return _packed(_spectrum(luma)), _quality(luma)


def turned_hashes(image: Image) -> tuple[bytes, ...]:
    """The hashes of the picture's eight flips and quarter turns, in the order of `turned`; the first is its own."""
    spectrum = _spectrum(_luma(image))
    return tuple(_packed(each) for each in _turned_spectra(spectrum))


def turned(image: NDArray[Any], turn: int) -> NDArray[Any]:
    """One of the eight flips and quarter turns, 0 to 7: from 4 on the picture is transposed first, bit 0 mirrors left
    and right, bit 1 up and down.
    """
    base = image.swapaxes(0, 1) if turn & 4 else image
    base = base[:, ::-1] if turn & 1 else base
    return np.ascontiguousarray(base[::-1] if turn & 2 else base)


def fingerprint(image: Image) -> Fingerprint:
    """Everything that the index keeps about the look of a picture."""
    whole, quality = perceptual_hash(image)
    return Fingerprint(whole, tuple(perceptual_hash(cut(image, crop))[0] for crop in CROPS), quality)


def cut(image: Image, crop: tuple[float, float, float, float]) -> Image:
    """The part of a picture that a crop names, at least one pixel a side. A view, not a copy."""
    height, width = image.shape[:2]
    left, top = int(crop[0] * width), int(crop[1] * height)
    return image[top : top + max(1, round(crop[3] * height)), left : left + max(1, round(crop[2] * width))]


def distance(one: bytes, other: bytes) -> int:
    """The number of differing bits of two hashes, of 256."""
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count()


def _luma(image: Image) -> NDArray[np.float32]:
    """64 x 64 luma. A large picture is first reduced to 256 by area means, then smoothed so that nothing aliases."""
    small = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if max(image.shape[:2]) <= 256 else _shrunk(image)
    middle = cv2.resize(small, (2 * _SIDE, 2 * _SIDE), interpolation=_interpolation(small, 2 * _SIDE))
    smooth = cv2.blur(cv2.blur(middle.astype(np.float32), (3, 3)), (3, 3))
    return np.asarray(cv2.resize(smooth, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), np.float32)


def _shrunk(image: Image) -> Image:
    height, width = image.shape[:2]
    small = cv2.resize(image, (min(256, width), min(256, height)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)


def _interpolation(image: Image, side: int) -> int:
    return cv2.INTER_AREA if min(image.shape[:2]) >= side else cv2.INTER_LINEAR


def _spectrum(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(_BASIS @ luma @ _BASIS.T, np.float32)


def _turned_spectra(spectrum: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """The spectrum of each flip and turn, derived without computing it anew."""
    spectra = []
    for turn in range(8):
        each = spectrum.T if turn & 4 else spectrum
        each = each * _SIGNS[None, :] if turn & 1 else each
        spectra.append(each * _SIGNS[:, None] if turn & 2 else each)
    return spectra


def _packed(spectrum: NDArray[np.float32]) -> bytes:
    return np.packbits(spectrum > np.median(spectrum)).tobytes()


def _quality(luma: NDArray[np.float32]) -> int:
    """The amount of change from pixel to pixel, after PDQ: steps below one per cent of the range do not count."""
    across, down = np.diff(luma, axis=1) * _GRADIENT_UNIT, np.diff(luma, axis=0) * _GRADIENT_UNIT
    steps = float(np.trunc(np.abs(across)).sum() + np.trunc(np.abs(down)).sum())
    return min(100, int(steps / _GRADIENTS_OF_FULL_QUALITY))

"""Mask: for every pixel of a picture, how much of it is product, with where that is known from.

A mask is stored as a grey PNG. Its digest is over its size and values, so two files of one mask have one digest.
"""

from __future__ import annotations

import enum
import hashlib
import struct
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from workers.errors import MaskRefused

Alpha = NDArray[np.uint8]  # [H, W]; 255 is product, 0 is ground
Pixels = NDArray[np.uint8]  # RGB [H, W, 3]
Plane = NDArray[np.float32]  # [H, W]

HALF = 128  # from here on, a pixel counts as product


class MaskSource(enum.StrEnum):
    """Where a mask comes from. Those that a person or a file states come before those that are estimated."""

    ALPHA = "alpha"  # the transparency of the picture itself
    SUPPLIED = "supplied"  # a mask sent with the picture
    NETWORK = "network"
    GROUND = "ground"  # the colour of a uniform ground


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """How much of each pixel is product. `method` names what made it, with the revision of a network."""

    alpha: Alpha
    source: MaskSource
    method: str

    @property
    def sha256(self) -> str:
        """The digest of size and values, in hexadecimal."""
        height, width = self.alpha.shape
        return hashlib.sha256(struct.pack(">II", width, height) + self.alpha.tobytes()).hexdigest()

    @property
    def product(self) -> NDArray[np.bool_]:
        """Where more than half of a pixel is product."""
        return self.alpha >= HALF


def from_alpha(alpha: Alpha) -> Mask | None:
    """The mask that a picture's own transparency states, or None where it states nothing: all opaque."""
    return None if alpha.min() == 255 else supplied(alpha, alpha.shape, source=MaskSource.ALPHA)


def supplied(pixels: NDArray[np.uint8], size: tuple[int, ...], *, source: MaskSource = MaskSource.SUPPLIED) -> Mask:
    """A mask of one channel for a picture of this size (height, width). Raises MaskRefused with the reason.

    White is product. It is not resized, inverted or repaired: a mask that was meant for another picture would fit too.
    """
    said = "the picture's transparency" if source is MaskSource.ALPHA else "the mask"
    if pixels.dtype != np.uint8 or pixels.ndim != 2:
        raise MaskRefused(f"{said} has to be one channel of 8 bits, not {pixels.dtype} {list(pixels.shape)}")
    if pixels.shape != size[:2]:
        own, wanted = (f"{shape[1]} x {shape[0]}" for shape in (pixels.shape, size))
        raise MaskRefused(f"{said} has {own} pixels, its picture has {wanted}; send it in the picture's size")
    if not (pixels >= HALF).any():
        raise MaskRefused(f"{said} is empty: no pixel is white; white pixels are the product")
    if (pixels >= HALF).all():
        raise MaskRefused(f"{said} is full: every pixel is white; the ground has to be black")
    return Mask(np.ascontiguousarray(pixels), source, source.value)


def encode(mask: Mask) -> bytes:
    """The mask as a grey PNG."""
    done, encoded = cv2.imencode(".png", mask.alpha)
    if not done:
        raise MaskRefused("OpenCV could not encode the mask as PNG")
    return encoded.tobytes()


def decode(png: bytes, source: MaskSource, method: str) -> Mask:
    """A mask that `encode` wrote. Bytes from outside go through policy/intake. Raises MaskRefused."""
    decoded = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.ndim != 2 or decoded.dtype != np.uint8:
        raise MaskRefused("the stored mask is no grey PNG of 8 bits")
    return Mask(np.asarray(decoded, np.uint8), source, method)

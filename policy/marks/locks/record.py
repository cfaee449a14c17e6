"""Lock record: what a manifest says of a product lock, with the product's shape, so that file and source suffice.

The shape is a PNG of one bit a pixel: one to ten thousand bytes. A larger one is left out, and whoever checks the file
needs the mask beside it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import cv2
import numpy as np

from policy.marks.locks.measures import Alpha, Image, LockBounds

_MAX_SHAPE = 65_536  # characters
_MAX_SIDE = 8192


@dataclass(frozen=True, slots=True)
class LockRecord:
    """The record of one file, as far as it can be used. `alpha` is None where the shape was left out."""

    source_sha256: str
    left: float
    top: float
    scale: float
    strict: bool
    inset: int
    before_largest: int
    bounds: LockBounds
    watermark_on: str
    shape: bytes | None

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Self | None:
        """The record in a manifest; None where it is not one that can be checked. Any content is survived."""
        try:
            place, bounds, before = said["place"], said["after"]["bounds"], said["before"]
            shape = base64.b64decode(said["shape"], validate=True) if said.get("shape") else None
            return cls(
                str(said["source"]["pixels_sha256"]),
                float(place["left"]),
                float(place["top"]),
                float(place["scale"]),
                bool(said["strict"]),
                min(64, max(0, int(said["inset"]))),
                int(before["largest"]),
                LockBounds(int(bounds["largest"]), float(bounds["mean"])),
                str(said["watermark_on"]),
                shape,
            )
        except (KeyError, TypeError, ValueError, OverflowError, binascii.Error):
            return None

    def alpha(self) -> Alpha | None:
        """The product's shape, uint8 [H, W] of 0 and 255; None where there is none, or it is no such picture."""
        if self.shape is None or len(self.shape) < 33 or self.shape[12:16] != b"IHDR":
            return None
        width, height = struct.unpack(">II", self.shape[16:24])
        if not 0 < max(width, height) <= _MAX_SIDE:  # before anything is decoded
            return None
        decoded = cv2.imdecode(np.frombuffer(self.shape, np.uint8), cv2.IMREAD_GRAYSCALE)
        return None if decoded is None else np.where(decoded > 0, np.uint8(255), np.uint8(0)).astype(np.uint8)


def packed(alpha: Alpha) -> str:
    """The shape of a product as text; empty where it is too long for a manifest."""
    opaque = np.where(alpha == 255, np.uint8(255), np.uint8(0)).astype(np.uint8)
    done, png = cv2.imencode(".png", opaque, [cv2.IMWRITE_PNG_BILEVEL, 1, cv2.IMWRITE_PNG_COMPRESSION, 9])
    text = base64.b64encode(png.tobytes()).decode() if done else ""
    return text if len(text) <= _MAX_SHAPE else ""


def pixels_sha256(picture: Image) -> str:
    """The digest of an RGB picture's size and pixels, whatever file they lay in."""
    height, width = picture.shape[:2]
    return hashlib.sha256(struct.pack(">II", width, height) + np.ascontiguousarray(picture).tobytes()).hexdigest()

"""Originals as a comparison needs them: shrunk, with features, frame and watermark schemes. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from policy.fingerprints import Image
from policy.identify.content.places import SIDE
from policy.identify.features import Features, features
from policy.identify.register import FRAME, resized, searched_luma
from policy.marks import watermark


@dataclass(frozen=True, slots=True)
class Original:
    """An original, its possible watermark schemes, and what a comparison needs of it.

    Worth keeping for the next query.
    """

    pixels: Image
    schemes: tuple[watermark.Scheme, ...]
    features: Features
    frame: Image
    small: Image  # the frame at the size of its map, which is enough for colours
    searched: Image

    @classmethod
    def of(cls, pixels: Image) -> Original:
        """Shrunk to what is compared: two pixels for one of the frame."""
        scale = 2 * FRAME / max(pixels.shape[:2])
        small = pixels
        if scale < 1:
            small = resized(pixels, max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
        frame = resized(small, FRAME, FRAME)
        return cls(
            small, watermark.carried(pixels), features(small), frame, resized(frame, SIDE, SIDE), searched_luma(small)
        )

    @property
    def size(self) -> tuple[int, int]:
        return self.pixels.shape[1], self.pixels.shape[0]

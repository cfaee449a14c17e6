"""Mask network that knows the answer, for tests of what is done with a mask."""

from __future__ import annotations

from workers.masks.mask import Alpha, Mask, MaskSource, Pixels


class TrueFinder:
    """A mask network that knows the answer, and another one for the mirrored picture."""

    method = "known"

    def __init__(self, alpha: Alpha, mirrored: Alpha | None = None) -> None:
        self._alpha, self._mirrored = alpha, alpha if mirrored is None else mirrored

    def find(self, picture: Pixels) -> Mask:
        return Mask(self._alpha, MaskSource.NETWORK, self.method)

    def mirrored(self, picture: Pixels) -> Alpha:
        return self._mirrored

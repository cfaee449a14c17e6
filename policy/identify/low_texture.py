"""Low-texture pictures, such as gradients and soft grounds: found, whole or in part, by their coarse colours.

Such a picture has no local features, and nearly all bits of its hashes are grain. It has colour that changes slowly, so
8 x 8 cells of mean colour predict how any part of it looks. A low-texture query is compared with every such part of
every low-texture picture: 124 products of 192 numbers a picture. One gain and one offset of tone are ignored. Pure.
Only one thread may write.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from policy.fingerprints import Image
from policy.identify.features import Floats

THUMBNAIL_BYTES = 8 * 8 * 3
_CELLS, _ASKED = 8, 6
_SHARES = (1.0, 0.94, 0.87, 0.8, 0.71)  # of each side that a part keeps
_STEP = 1 / 14  # between the places of parts
# Correlation of unrelated low-texture pictures takes any value; of a part with its true place it is nearly 1.
_LEAST = 0.97


@dataclass(frozen=True, slots=True)
class CropWindow:
    """A part of a picture, in shares of its sides."""

    left: float
    top: float
    share: float


@dataclass(frozen=True, slots=True)
class PartialMatch:
    """A candidate: its number in the index, the part that may be shown, which query image found it, how similar."""

    number: int
    window: CropWindow
    query: int
    similarity: float


def thumbnail(image: Image) -> bytes:
    """What the index keeps of a low-texture picture: 8 x 8 cells of mean colour."""
    return np.asarray(cv2.resize(image, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA), np.uint8).tobytes()


class LowTextureIndex:
    """Thumbnails of low-texture pictures, by their number in the index of all pictures."""

    def __init__(self) -> None:
        self._numbers: list[int] = []
        self._cells = np.empty((0, THUMBNAIL_BYTES), np.float32)
        self._spreads = np.empty((0, len(WINDOWS)), np.float32)

    def add(self, numbers: Sequence[int], thumbnails: Sequence[bytes]) -> None:
        """Add pictures. A picture with an empty thumbnail is not of low texture and is skipped."""
        low_texture = [(number, cells) for number, cells in zip(numbers, thumbnails, strict=True) if cells]
        if not low_texture:
            return
        known = np.frombuffer(b"".join(each for _, each in low_texture), np.uint8)
        cells = known.reshape(-1, THUMBNAIL_BYTES).astype(np.float32)
        spreads = np.stack([_spread(cells, *matrices) for matrices in _MATRICES], axis=1)
        self._numbers += [number for number, _ in low_texture]
        self._cells = np.vstack([self._cells, cells])
        self._spreads = np.vstack([self._spreads, spreads])

    def nearest(self, images: Sequence[Image], *, most: int) -> list[PartialMatch]:
        """Parts of indexed pictures that look most like one of these images; each picture once, nearest first."""
        if not self._numbers or not images:
            return []
        best = np.full(len(self._numbers), -1.0, np.float32)
        where = np.zeros((len(self._numbers), 2), np.int64)
        for query, image in enumerate(images):
            asked = _asked(image)
            seen = np.stack([_cells_that_matter(asked, *matrices) for matrices in _MATRICES], axis=1)
            similarity = (self._cells @ seen) / self._spreads
            window = similarity.argmax(axis=1)
            value = similarity[np.arange(len(window)), window]
            better = value > best
            best[better] = value[better]
            where[better] = np.stack([np.full(len(window), query), window], axis=1)[better]
        order = np.argsort(-best, kind="stable")[:most]
        return [
            PartialMatch(self._numbers[n], WINDOWS[where[n, 1]], int(where[n, 0]), float(best[n]))
            for n in order
            if best[n] >= _LEAST
        ]


def _windows() -> tuple[CropWindow, ...]:
    every = []
    for share in _SHARES:
        places = np.linspace(0, 1 - share, round((1 - share) / _STEP) + 1)
        every += [CropWindow(float(left), float(top), share) for top in places for left in places]
    return tuple(every)


def _sampling(start: float, share: float) -> Floats:
    """The means of the asked cells in a window, from the cells of the whole [6, 8]."""
    places = (start + share * (np.arange(_ASKED) + 0.5) / _ASKED) * _CELLS - 0.5
    weights = np.maximum(0, 1 - np.abs(np.clip(places, 0, _CELLS - 1)[:, None] - np.arange(_CELLS)))
    return np.asarray(weights, np.float32)


def _asked(image: Image) -> Floats:
    """The question [6, 6, 3], without its mean, of length 1."""
    small = cv2.resize(image, (_ASKED, _ASKED), interpolation=cv2.INTER_AREA).astype(np.float32)
    small -= small.mean()
    return np.asarray(small / max(float(np.linalg.norm(small)), 1e-3), np.float32)


def _cells_that_matter(asked: Floats, down: Floats, across: Floats) -> Floats:
    """What each cell of a whole adds to the similarity of its part [192]."""
    return np.asarray(np.einsum("iy,ijc,jx->yxc", down, asked, across, optimize=True), np.float32).ravel()


def _spread(cells: Floats, down: Floats, across: Floats) -> NDArray[np.float32]:
    """The length of each picture's part without its mean [N]."""
    whole = cells.reshape(-1, _CELLS, _CELLS, 3)
    part = np.einsum("iy,nyxc,jx->nijc", down, whole, across, optimize=True).reshape(len(cells), -1)
    spread = np.linalg.norm(part - part.mean(axis=1, keepdims=True), axis=1)
    return np.asarray(np.maximum(spread, 1e-3), np.float32)


WINDOWS = _windows()
_MATRICES = tuple((_sampling(each.top, each.share), _sampling(each.left, each.share)) for each in WINDOWS)

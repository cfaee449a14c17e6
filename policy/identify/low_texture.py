"""Plain pictures, a gradient or a soft ground: found, whole or in part, by where their colours lie.

They have no places that features could hold on to, and nearly all bits of their hashes are grain. What they have is
colour that changes slowly: 8 x 8 cells of it tell how any part of them would look. A question that is plain itself is
compared with every such part of every plain picture: 124 products of 192 numbers a picture. Tone does not count
(one gain, one offset). Pure; not safe for several threads that write.
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
# Correlation of unrelated plain pictures is anything; of a part with its own place it is nearly 1.
_LEAST = 0.97


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a picture, in shares of its sides."""

    left: float
    top: float
    share: float


@dataclass(frozen=True, slots=True)
class Part:
    """A candidate: its number in the index, the part it may be, which of the questions found it, and how near."""

    number: int
    window: Window
    query: int
    likeness: float


def thumbnail(image: Image) -> bytes:
    """What the index keeps of a plain picture: 8 x 8 cells of mean colour."""
    return np.asarray(cv2.resize(image, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA), np.uint8).tobytes()


class PlainIndex:
    """Thumbnails of plain pictures, by their number in the index of all."""

    def __init__(self) -> None:
        self._numbers: list[int] = []
        self._cells = np.empty((0, THUMBNAIL_BYTES), np.float32)
        self._spreads = np.empty((0, len(WINDOWS)), np.float32)

    def add(self, numbers: Sequence[int], thumbnails: Sequence[bytes]) -> None:
        """Take in pictures; those without a thumbnail are not plain."""
        plain = [(number, cells) for number, cells in zip(numbers, thumbnails, strict=True) if cells]
        if not plain:
            return
        known = np.frombuffer(b"".join(each for _, each in plain), np.uint8)
        cells = known.reshape(-1, THUMBNAIL_BYTES).astype(np.float32)
        spreads = np.stack([_spread(cells, *matrices) for matrices in _MATRICES], axis=1)
        self._numbers += [number for number, _ in plain]
        self._cells = np.vstack([self._cells, cells])
        self._spreads = np.vstack([self._spreads, spreads])

    def nearest(self, images: Sequence[Image], *, most: int) -> list[Part]:
        """The parts of plain pictures that look most like one of these, each picture once, nearest first."""
        if not self._numbers or not images:
            return []
        best = np.full(len(self._numbers), -1.0, np.float32)
        where = np.zeros((len(self._numbers), 2), np.int64)
        for query, image in enumerate(images):
            asked = _asked(image)
            seen = np.stack([_cells_that_matter(asked, *matrices) for matrices in _MATRICES], axis=1)
            likeness = (self._cells @ seen) / self._spreads
            window = likeness.argmax(axis=1)
            value = likeness[np.arange(len(window)), window]
            better = value > best
            best[better] = value[better]
            where[better] = np.stack([np.full(len(window), query), window], axis=1)[better]
        order = np.argsort(-best, kind="stable")[:most]
        return [
            Part(self._numbers[n], WINDOWS[where[n, 1]], int(where[n, 0]), float(best[n]))
            for n in order
            if best[n] >= _LEAST
        ]


def _windows() -> tuple[Window, ...]:
    every = []
    for share in _SHARES:
        places = np.linspace(0, 1 - share, round((1 - share) / _STEP) + 1)
        every += [Window(float(left), float(top), share) for top in places for left in places]
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
    """What each cell of a whole adds to the likeness of its part [192]."""
    return np.asarray(np.einsum("iy,ijc,jx->yxc", down, asked, across, optimize=True), np.float32).ravel()


def _spread(cells: Floats, down: Floats, across: Floats) -> NDArray[np.float32]:
    """The length of each picture's part without its mean [N]."""
    whole = cells.reshape(-1, _CELLS, _CELLS, 3)
    part = np.einsum("iy,nyxc,jx->nijc", down, whole, across, optimize=True).reshape(len(cells), -1)
    spread = np.linalg.norm(part - part.mean(axis=1, keepdims=True), axis=1)
    return np.asarray(np.maximum(spread, 1e-3), np.float32)


WINDOWS = _windows()
_MATRICES = tuple((_sampling(each.top, each.share), _sampling(each.left, each.share)) for each in WINDOWS)

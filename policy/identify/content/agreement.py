"""Map of agreement: where a registered copy shows what its original shows, and where it shows something else. Pure.

Around every place of the frame the copy's structure (local correlation of luma) and its colour are compared with the
original's. Nothing is left out: a slogan, a sticker or an exchanged object stays in the map and in the shares. A plain
place says little, so two shares are kept: `other` of the area, `same` of the places where the original has structure.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from policy.fingerprints import Image
from policy.identify.content import places
from policy.identify.content.near import farthest, levels_apart
from policy.identify.content.places import SIDE, Floats
from policy.levels import highest, lowest

ROWS = 16  # of the map that is told; as many columns
SAME, OTHER, FARTHER, UNKNOWN = "#", "x", "~", "."

_STRUCTURE = 6.0  # levels of spread in a window, below which a place is plain
_NOISE = 3.0  # a place counts as structured only above so many times the copy's own noise
_CORRELATED = 0.9  # of 90 copies none fell below it anywhere; siblings do (python -m bench.siblings)
_LUMA_APART, _CHROMA_APART = 22.0, 16.0  # levels between means of a window
_RIM = 2  # places, on every side: 1.6 % of the frame
_SPECK = 3  # places: what is thinner is not counted as something else
_TOLD = 0.3  # the share of a cell of the map that makes it OTHER
_FEWEST_STRUCTURED = 0.02  # of the frame; with fewer the whole area counts
_BLURS = (0.0, 1.0, 2.0)  # of the original, in places: a copy that lost detail is compared without it
# What a copy with all its losses may show by mistake (python -m bench.siblings measures it).
MOST_OTHER = 0.003
_GREY = 3.0  # mean saturation, in levels, below which a copy has no colour
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How much of the frame agrees. `rows`: the frame as text, upper row first."""

    same: float  # share of the places at which the original has structure
    other: float  # share of the known area
    structured: float  # share of the frame that is known and not plain
    rows: tuple[str, ...]
    apart: float | None = None  # at the worst hundredth of the places, in units of what a copy may lose (near.py)

    @property
    def whole(self) -> bool:
        """Whether nothing in the frame shows something else."""
        return self.other <= MOST_OTHER

    @property
    def near(self) -> bool:
        """Whether besides it is as near to the original as a copy is, and a sibling is not."""
        return self.whole and self.apart is not None and self.apart <= 1.0

    def to_json(self) -> dict[str, object]:
        return {
            "same": round(self.same, 4),
            "other": round(self.other, 4),
            "apart": self.apart and round(self.apart, 2),
            "map": list(self.rows),
        }


NOTHING = Agreement(0.0, 1.0, 0.0, (UNKNOWN * ROWS,) * ROWS)


def agreement(laid: Image, known: NDArray[np.uint8], original: Image, *, specks: bool = False) -> Agreement:
    """The map for a copy in the original's frame, with its tone undone or the original's colours as the copy has them.

    The original is blurred as far as that makes the two most alike. With `specks` what is thin counts as well, for a
    part of the frame that is itself no wider.
    """
    seen = _inside(known)
    if seen.mean() < 0.01:
        return NOTHING
    here, there = places.small(laid), places.small(original)
    found = [_compared(here, there if not blur else places.blurred(there, blur), seen, specks) for blur in _BLURS]
    differs, structured = min(found, key=lambda each: float(each[0][seen].mean()))
    counted = structured & seen
    if counted.mean() < _FEWEST_STRUCTURED:
        counted = seen
    other, known_structure = float(differs[seen].mean()), float((structured & seen).mean())
    levels = levels_apart(here, there, seen, known_structure) if other <= MOST_OTHER else None
    return Agreement(
        1 - float(differs[counted].mean()),
        other,
        known_structure,
        _told(differs, seen, np.zeros_like(seen) if levels is None else levels > 1),
        None if levels is None else farthest(levels, seen),
    )


def _compared(
    here: Floats, there: Floats, seen: NDArray[np.bool_], specks: bool
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where the two differ, and where the original has structure."""
    weight = np.maximum(places.mean(seen.astype(np.float32)), np.float32(1e-3))

    def mean(plane: Floats) -> Floats:
        return np.asarray(places.mean(np.where(seen, plane, 0).astype(np.float32)) / weight, np.float32)

    luma_here, luma_there = here @ _LUMA, there @ _LUMA
    mean_here, mean_there = mean(luma_here), mean(luma_there)
    spread_here = np.sqrt(np.maximum(mean(luma_here**2) - mean_here**2, 0))
    spread_there = np.sqrt(np.maximum(mean(luma_there**2) - mean_there**2, 0))
    together = mean(luma_here * luma_there) - mean_here * mean_there
    correlated = together / np.maximum(spread_here * spread_there, np.float32(1e-3))
    plain = seen & (spread_there < 1.5)
    noise = float(np.median(spread_here[plain])) if plain.mean() > 0.02 else 0.0
    structured = np.maximum(spread_here, spread_there) > max(_STRUCTURE, _NOISE * noise)
    differs = structured & (correlated < _CORRELATED)
    differs |= np.abs(mean_here - mean_there) > _LUMA_APART
    if float((highest(here) - lowest(here))[seen].mean()) >= _GREY:
        apart = here - there
        for channel in (0, 2):
            differs |= np.abs(mean(apart[..., channel] - apart[..., 1])) > _CHROMA_APART
    differs &= seen
    if not specks:
        kernel = np.ones((_SPECK, _SPECK), np.uint8)
        differs = np.asarray(cv2.morphologyEx(differs.astype(np.uint8), cv2.MORPH_OPEN, kernel), bool)
    return differs, spread_there > _STRUCTURE


def _inside(known: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The known places without their rim: where a copy ends is known to a place or two only."""
    whole = (cv2.resize(known, (SIDE, SIDE), interpolation=cv2.INTER_AREA) == 255).astype(np.uint8)
    kernel = np.ones((2 * _RIM + 1, 2 * _RIM + 1), np.uint8)
    return np.asarray(cv2.erode(whole, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0), bool)


def _told(differs: NDArray[np.bool_], seen: NDArray[np.bool_], farther: NDArray[np.bool_]) -> tuple[str, ...]:
    cell = SIDE // ROWS

    def share(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.asarray(mask.reshape(ROWS, cell, ROWS, cell).mean(axis=(1, 3)), np.float64)

    signs = np.full((ROWS, ROWS), SAME)
    signs[share(farther & seen) > _TOLD] = FARTHER
    signs[share(differs & seen) > _TOLD] = OTHER
    signs[share(seen) < 0.5] = UNKNOWN
    return tuple("".join(row) for row in signs)

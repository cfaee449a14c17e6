"""Invisible watermark: `dwtDctSvd` of invisible-watermark on a fixed grid, so that resizing does not lose it.

The picture is treated as a square grid of 8 x 8 cells, whatever its size. Each cell carries one bit in the largest
singular value of its chroma (U) after a Haar step: the value is moved to 1/4 or 3/4 of its quantisation step. The
library does the same on the picture's own pixels. So the library reads our watermark from a copy resized to the grid,
and we read what it wrote at that size. The differences, each measured in bench/marks.py:

- The DCT is left out: it is orthonormal and does not change singular values. Moving one singular value is adding
  a rank-one matrix, so one cell needs its top singular triple only, and all cells are computed together.
- Chroma that cannot rise or fall (white, black, pure colours) is moved by changing luma instead, and every
  cell goes to that neighbouring target which costs the least colour.
- The result is measured as a reader will see it, in 8 bits on the grid, and cells that are off are corrected.
- The mark can be kept out of a part of the picture: of a ground that has to stay white (marks/pure_ground.py), of a
  product that has to stay as it was, of pixels that are transparent.

The library itself is not imported here because it pulls torch; policy/marks/reference.py wraps it as a second reader.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from policy.fingerprints import turned
from policy.levels import highest, lowest
from policy.marks import payload
from policy.marks import watermark_cells as cells

Image = cells.Image
Floats = cells.Floats

# Corrections at most. Upsampled cells of small pictures need one, pure colours two; a third helps no read.
CORRECTIONS = 2
# Pure blue and orange cannot be moved finely enough; a pass that leaves this share of the cells before it was the last.
STALLED = 0.98
# A cell may stay off its target by this share of a step; it is misread from 0.25 on.
TOLERANCE = 0.11
# Good enough: at most this share of cells beyond the tolerance. 32 cells vote on one bit.
OFF_CELLS = 0.03
# A cell of a picture of which a part is missing votes when nearly all of it is there.
_COVERED = 0.98
# A cell is written when this share of its pixels may change: less cannot move it far enough.
_CARRIES = np.float32(0.4)
# A cell is of a pure ground when its mean is within these levels of white or black: JPEG and resizing leave less.
_PURE_LEVELS = 3
# Bits of the code on which no cell votes; half of them are guessed wrong.
_UNHEARD_BITS = 12
# Off the ground, a row of cells begins this many bits later than the one above it.
_ROW_SHIFT = 11


@dataclass(frozen=True, slots=True)
class Scheme:
    """One way to write the watermark: a grid of this many pixels, bits in this quantisation step."""

    grid: int
    step: float
    correctable_bits: int
    off_ground: bool = False  # cells of pure white and black are not written, and do not vote

    @property
    def name(self) -> str:
        return f"dwtDctSvd-{self.grid}/{self.step:g}" + ("/off-ground" if self.off_ground else "")


@dataclass(frozen=True, slots=True)
class WatermarkReading:
    """A watermark that was found: its id, its scheme, and how many of the 127 bits were wrong."""

    watermark_id: int
    scheme: Scheme
    bit_errors: int


# What a reader tries, in this order; then the same off the ground. Only the first may use the whole code, so that all
# twelve reads of one picture together stay under 1e-9 false finds (3.8e-10 + 11 x 3.3e-11).
SCHEMES = (
    Scheme(512, 36.0, 10),
    Scheme(256, 36.0, 9),
    Scheme(128, 36.0, 9),
    Scheme(512, 60.0, 9),
    Scheme(256, 60.0, 9),
    Scheme(128, 60.0, 9),
)


_CORRECTED_OFF_GROUND = 9
OFF_GROUND = tuple(replace(scheme, correctable_bits=_CORRECTED_OFF_GROUND, off_ground=True) for scheme in SCHEMES)


def ladder(image: Image) -> tuple[Scheme, ...]:
    """The schemes for this picture, best first: a grid that it can carry, then the same grid stronger.

    A small picture gets a coarser grid: on its own pixels a cell of the large one is too fine for any JPEG.
    """
    side = min(image.shape[:2])
    grid = 512 if side >= 384 else 256 if side >= 192 else 128
    return tuple(scheme for scheme in SCHEMES if scheme.grid == grid)


def carried(image: Image) -> tuple[Scheme, ...]:
    """Every scheme that a released picture of this size may carry: its ladder, and the same off a pure ground.

    The marked pixels do not tell which: a file of the same asset may be marked in another way than its original.
    """
    schemes = ladder(image)
    return (*schemes, *(off_ground(scheme) for scheme in schemes))


def off_ground(scheme: Scheme) -> Scheme:
    """The scheme with which the product of a picture on pure ground is marked, in place of this one."""
    return replace(scheme, correctable_bits=_CORRECTED_OFF_GROUND, off_ground=True)


def embed(image: Image, watermark_id: int, scheme: Scheme, where: Floats | None = None) -> Image:
    """A watermarked copy of an RGB picture, uint8 [H, W, 3]. Releases the GIL most of the time.

    `where`, float32 [H, W] of 0 to 1, says how much a pixel may change: at 0 it stays bit for bit.
    """
    small = cells.resize(image, scheme.grid, scheme.grid)
    value, left, right = cells.singular(cells.chroma(small))
    target = cells.targets(value, _spread(payload.encode(watermark_id), scheme), cells.costs(small), scheme.step)
    direction = left[:, None, :] * right[None, :, :]
    gain = np.ones_like(value) if where is None else _share(where, scheme.grid)
    carries = gain >= _CARRIES
    most = 2.5 * scheme.step / np.maximum(gain, _CARRIES)
    shift = np.where(carries, (target - value) / np.maximum(gain, _CARRIES), 0).astype(np.float32)
    # Corrections are found on the grid where the picture is larger: what a cell of the grid gets, its pixels get.
    draft, draft_where = (image, where) if min(image.shape[:2]) <= scheme.grid or where is not None else (small, None)
    settled, before = None, 1.0
    for _ in range(CORRECTIONS):
        marked = _written(draft, direction, shift, scheme, draft_where)
        off = target - _values(marked, scheme.grid)
        wrong = carries & (np.abs(off) > TOLERANCE * scheme.step)
        share = float(wrong.sum() / max(1, int(carries.sum())))
        if share <= OFF_CELLS or share > STALLED * before:
            settled = marked
            break
        corrected = shift + np.where(wrong, off / np.maximum(gain, _CARRIES), 0)
        shift, before = np.clip(corrected, -most, most).astype(np.float32), share
    if settled is None or draft is not image:
        settled = _written(image, direction, shift, scheme, where)
    return settled


def room(where: Floats) -> float:
    """The share of the cells of a picture's grid that can carry a bit where this much may change, 0 to 1."""
    grid = ladder(np.broadcast_to(where[..., None], (*where.shape, 3)))[0].grid
    return float((_share(where, grid) >= _CARRIES).mean())


def read(image: Image) -> WatermarkReading | None:
    """The watermark of an RGB picture of any size, or None."""
    found = read_turned(image, (0,))
    return found and found[0]


def read_turned(image: Image, turns: Sequence[int]) -> tuple[WatermarkReading, int] | None:
    """The first watermark in these flips and quarter turns (fingerprints.turned), and the turn in which it was read.

    A cell's largest singular value is the same in every turn, so the cells are computed once and only change places.
    """

    @cache
    def laid(grid: int) -> tuple[Floats, Floats]:
        side = grid // 8
        small = cells.resize(image, grid, grid)
        return _small_values(small).reshape(side, side), voting_cells(small).reshape(side, side)

    for turn in turns:
        for scheme in (*SCHEMES, *OFF_GROUND):
            value, weight = (turned(plane, turn).ravel() for plane in laid(scheme.grid))
            bits = _majority(value, scheme, weight if scheme.off_ground else None)
            found = None if bits is None else payload.decode(bits, correct=scheme.correctable_bits)
            if found is not None:
                return WatermarkReading(found.watermark_id, scheme, found.bit_errors), turn
    return None


def read_bits(image: Image, scheme: Scheme) -> payload.Bits:
    """The 127 bits of one scheme, uncorrected. The bits of an unmarked picture mean nothing."""
    return (soft_bits(image, scheme) > 0).astype(np.uint8)


def soft_bits(image: Image, scheme: Scheme, known: NDArray[np.uint8] | None = None) -> Floats:
    """The 127 tallies of one scheme, in [-1, 1]: above zero reads 1, and the size is the certainty.

    For marks/nearest.py.

    The picture must lie as the original lay (same frame, any size). `known`, uint8 [H, W], is 0 where the picture has
    no pixels of the original (what a crop lost). Cells that touch such a place do not vote.
    """
    return soft_bits_of(image, (scheme,), known)[0]


def soft_bits_of(image: Image, schemes: Sequence[Scheme], known: NDArray[np.uint8] | None = None) -> list[Floats]:
    """The same for several schemes; the cells of a grid are computed once."""
    laid: dict[int, tuple[Floats, Floats, Floats]] = {}
    found = []
    for scheme in schemes:
        if scheme.grid not in laid:
            small = cells.resize(image, scheme.grid, scheme.grid)
            covered = np.ones((scheme.grid // 8) ** 2, np.float32)
            if known is not None:
                covered *= _share((known > 0).astype(np.float32), scheme.grid) > _COVERED
            laid[scheme.grid] = _small_values(small), covered, covered * voting_cells(small)
        value, covered, beside = laid[scheme.grid]
        found.append(_tally(value, scheme, beside if scheme.off_ground else covered)[0])
    return found


def scheme_named(name: str) -> Scheme | None:
    """The scheme named in the evidence of an asset ("dwtDctSvd-512/36"), or None."""
    return next((scheme for scheme in (*SCHEMES, *OFF_GROUND) if scheme.name == name), None)


@lru_cache(maxsize=2 * len(SCHEMES))
def places(scheme: Scheme) -> NDArray[np.int64]:
    """Which bit each cell carries, row by row.

    In the library's order two rows hold the code once, so one column repeats few bits. A mark that sits in a part of
    the picture needs all of them there: off the ground, each block of 11 x 12 cells holds the code once.
    """
    side = scheme.grid // 8
    if not scheme.off_ground:
        return np.asarray(np.arange(side * side) % payload.CODE_BITS)
    row, column = np.divmod(np.arange(side * side), side)
    return np.asarray((_ROW_SHIFT * row + column) % payload.CODE_BITS)


def voting_cells(small: Image) -> Floats:
    """1 for each cell of a picture on its grid that is not all but white or all but black, else 0: float32 [N]."""
    side = small.shape[0] // 8
    means = cells.resize(small, side, side).astype(np.float32)
    white, black = lowest(means) >= 255 - _PURE_LEVELS, highest(means) <= _PURE_LEVELS
    return np.asarray(~(white | black), np.float32).ravel()


def _written(image: Image, direction: Floats, shift: Floats, scheme: Scheme, where: Floats | None) -> Image:
    """The picture with each cell's singular value moved by its shift, where that is allowed."""
    residual = cells.assemble(direction * (shift * np.float32(0.5)), scheme.grid)
    height, width = image.shape[:2]
    amount = cells.resize(residual, width, height, smooth=True)
    return cells.move_chroma(image, amount if where is None else amount * where)


def _spread(bits: payload.Bits, scheme: Scheme) -> Floats:
    """The bit of each cell, row by row."""
    return bits[places(scheme)].astype(np.float32)


def _majority(value: Floats, scheme: Scheme, weight: Floats | None) -> payload.Bits | None:
    """The bits by vote: each cell votes for its bit, weighted by how surely it stands in its half of the step.

    None where so few cells vote that too many bits would be guessed.
    """
    tally, heard = _tally(value, scheme, np.ones_like(value) if weight is None else weight)
    return (tally > 0).astype(np.uint8) if np.count_nonzero(heard == 0) <= _UNHEARD_BITS else None


def _tally(value: Floats, scheme: Scheme, weight: Floats) -> tuple[Floats, Floats]:
    """The mean vote on each bit, and the weight of the cells that voted on it."""
    votes = -np.sin(value * np.float32(2 * np.pi / scheme.step))
    place = places(scheme)
    heard = np.bincount(place, weight, payload.CODE_BITS)
    tally = np.bincount(place, votes * weight, payload.CODE_BITS) / np.maximum(heard, 1)
    return tally.astype(np.float32), heard.astype(np.float32)


def _share(plane: Floats, grid: int) -> Floats:
    """The mean of a plane of the picture in each cell, float32 [N]."""
    side = grid // 8
    return np.asarray(cells.resize(plane, side, side), np.float32).ravel()


def _values(image: Image, grid: int) -> Floats:
    return _small_values(cells.resize(image, grid, grid))


def _small_values(small: Image) -> Floats:
    return cells.singular(cells.chroma(small))[0]

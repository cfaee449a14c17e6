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

The library itself is not imported here because it pulls torch; policy/marks/reference.py wraps it as a second reader.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from policy.fingerprints import turned
from policy.marks import payload

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]

SMALLEST_SIDE = 64

# Full chroma range in units of a cell's singular value, which for a flat cell is 8 x U; a target
# a little outside is still read correctly from the nearest colour inside.
LOWEST, HIGHEST = 8 * 16.5, 8 * 240.0
# RGB that moves U by one and leaves luma alone (BT.601, the matrix of cv2's YUV).
U_TO_GREEN, U_TO_BLUE = np.float32(-0.395), np.float32(2.032)
U_OF_RGB = np.array([-0.14713, -0.28886, 0.436], np.float32)
LUMA_OF_RGB = np.array([0.299, 0.587, 0.114], np.float32)
# How much more the eye minds a level of luma than one of colour between cells of a flat white ground.
LUMA_WEIGHT = np.float32(4)
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
# Pixels worked on at once when the residual is added: what fits the processor's second cache as floats.
_BAND_PIXELS = 1 << 15


@dataclass(frozen=True, slots=True)
class Scheme:
    """One way to write the watermark: a grid of this many pixels, bits in this quantisation step."""

    grid: int
    step: float
    correctable_bits: int

    @property
    def name(self) -> str:
        return f"dwtDctSvd-{self.grid}/{self.step:g}"


@dataclass(frozen=True, slots=True)
class WatermarkReading:
    """A watermark that was found: its id, its scheme, and how many of the 127 bits were wrong."""

    watermark_id: int
    scheme: Scheme
    bit_errors: int


# What a reader tries, in this order. Only the first may use the whole code, so that all six reads of one
# picture together stay under 1e-9 false finds (3.8e-10 + 5 x 3.3e-11).
SCHEMES = (
    Scheme(512, 36.0, 10),
    Scheme(256, 36.0, 9),
    Scheme(128, 36.0, 9),
    Scheme(512, 60.0, 9),
    Scheme(256, 60.0, 9),
    Scheme(128, 60.0, 9),
)


def ladder(image: Image) -> tuple[Scheme, ...]:
    """The schemes for this picture, best first: a grid that it can carry, then the same grid stronger.

    A small picture gets a coarser grid: on its own pixels a cell of the large one is too fine for any JPEG.
    """
    side = min(image.shape[:2])
    grid = 512 if side >= 384 else 256 if side >= 192 else 128
    return tuple(scheme for scheme in SCHEMES if scheme.grid == grid)


def embed(image: Image, watermark_id: int, scheme: Scheme) -> Image:
    """A watermarked copy of an RGB picture, uint8 [H, W, 3]. Releases the GIL most of the time."""
    small = _resize(image, scheme.grid, scheme.grid)
    value, left, right = _singular(_chroma(small))
    target = _targets(value, _spread(payload.encode(watermark_id), scheme), _costs(small), scheme.step)
    direction = left[:, None, :] * right[None, :, :]
    shift, most = target - value, 2.5 * scheme.step
    # Corrections are found on the grid where the picture is larger: what a cell of the grid gets, its pixels get.
    draft = small if min(image.shape[:2]) > scheme.grid else image
    settled, before = None, 1.0
    for _ in range(CORRECTIONS):
        marked = _written(draft, direction, shift, scheme)
        off = target - _values(marked, scheme.grid)
        wrong = np.abs(off) > TOLERANCE * scheme.step
        share = float(wrong.mean())
        if share <= OFF_CELLS or share > STALLED * before:
            settled = marked
            break
        shift, before = np.clip(shift + np.where(wrong, off, 0), -most, most).astype(np.float32), share
    if settled is None or draft is not image:
        settled = _written(image, direction, shift, scheme)
    return settled


def read(image: Image) -> WatermarkReading | None:
    """The watermark of an RGB picture of any size, or None."""
    found = read_turned(image, (0,))
    return found and found[0]


def read_turned(image: Image, turns: Sequence[int]) -> tuple[WatermarkReading, int] | None:
    """The first watermark in these flips and quarter turns (fingerprints.turned), and the turn in which it was read.

    A cell's largest singular value is the same in every turn, so the cells are computed once and only change places.
    """
    cells: dict[int, Floats] = {}
    for turn in turns:
        for scheme in SCHEMES:
            if scheme.grid not in cells:
                cells[scheme.grid] = _values(image, scheme.grid).reshape(scheme.grid // 8, -1)
            bits = _majority(turned(cells[scheme.grid], turn).ravel(), scheme)
            found = payload.decode(bits, correct=scheme.correctable_bits)
            if found is not None:
                return WatermarkReading(found.watermark_id, scheme, found.bit_errors), turn
    return None


def read_bits(image: Image, scheme: Scheme) -> payload.Bits:
    """The 127 bits of one scheme, uncorrected. The bits of an unmarked picture mean nothing."""
    return _majority(_values(image, scheme.grid), scheme)


def soft_bits(image: Image, scheme: Scheme, known: NDArray[np.uint8] | None = None) -> Floats:
    """The 127 tallies of one scheme, in [-1, 1]: above zero reads 1, and the size is the certainty.

    For marks/nearest.py.

    The picture must lie as the original lay (same frame, any size). `known`, uint8 [H, W], is 0 where the picture has
    no pixels of the original (what a crop lost). Cells that touch such a place do not vote.
    """
    votes = _votes(_values(image, scheme.grid), scheme)
    weight = np.ones_like(votes)
    if known is not None:
        side = scheme.grid // 8
        covered = _resize((known > 0).astype(np.float32), side, side)
        weight = (covered.ravel() > _COVERED).astype(np.float32)
    places = np.arange(len(votes)) % payload.CODE_BITS
    heard = np.bincount(places, weight, payload.CODE_BITS)
    tally = np.bincount(places, votes * weight, payload.CODE_BITS) / np.maximum(heard, 1)
    return tally.astype(np.float32)


def scheme_named(name: str) -> Scheme | None:
    """The scheme named in the evidence of an asset ("dwtDctSvd-512/36"), or None."""
    return next((scheme for scheme in SCHEMES if scheme.name == name), None)


def _written(image: Image, direction: Floats, shift: Floats, scheme: Scheme) -> Image:
    """The picture with each cell's singular value moved by its shift."""
    residual = _assemble(direction * (shift * np.float32(0.5)), scheme.grid)
    height, width = image.shape[:2]
    return _move_chroma(image, _resize(residual, width, height, smooth=True))


def _spread(bits: payload.Bits, scheme: Scheme) -> Floats:
    """The bit of each cell, row by row, repeated to the end: the library's order."""
    return np.resize(bits, (scheme.grid // 8) ** 2).astype(np.float32)


def _majority(value: Floats, scheme: Scheme) -> payload.Bits:
    """The bits by vote: each cell votes for its bit, weighted by how surely it stands in its half of the step."""
    votes = _votes(value, scheme)
    tally = np.bincount(np.arange(len(votes)) % payload.CODE_BITS, votes, payload.CODE_BITS)
    return (tally > 0).astype(np.uint8)


def _votes(value: Floats, scheme: Scheme) -> Floats:
    votes: Floats = -np.sin(value * np.float32(2 * np.pi / scheme.step))
    return votes


def _values(image: Image, grid: int) -> Floats:
    return _singular(_chroma(_resize(image, grid, grid)))[0]


def _chroma(small: Image) -> Floats:
    """Haar LL of the U plane of a picture on its grid, half its side: twice the mean of 2 x 2 pixels."""
    chroma = cv2.cvtColor(small, cv2.COLOR_RGB2YUV)[..., 1].astype(np.float32)
    half = small.shape[0] // 2
    halved: Floats = cv2.resize(chroma, (half, half), interpolation=cv2.INTER_AREA)
    return halved * np.float32(2)


def _singular(plane: Floats) -> tuple[Floats, Floats, Floats]:
    """Top singular triple of each 4 x 4 block: values [N], left and right vectors [4, N].

    Power iteration over all blocks at once. Blocks of an offset chroma plane are nearly of rank one; six
    rounds leave less than a hundredth of a step in any but chequered ones.
    """
    side = plane.shape[0] // 4
    blocks = np.ascontiguousarray(plane.reshape(side, 4, side, 4).transpose(1, 3, 0, 2).reshape(4, 4, -1))
    right = blocks.sum(axis=0)
    for _ in range(6):
        right /= np.sqrt(np.einsum("jn,jn->n", right, right)) + np.float32(1e-9)
        right = np.einsum("ijn,in->jn", blocks, np.einsum("ijn,jn->in", blocks, right))
    right /= np.sqrt(np.einsum("jn,jn->n", right, right)) + np.float32(1e-9)
    left = np.einsum("ijn,jn->in", blocks, right)
    value = np.sqrt(np.einsum("in,in->n", left, left))
    return value, left / (value + np.float32(1e-9)), right


def _assemble(blocks: Floats, grid: int) -> Floats:
    """The inverse of the cut in `_singular`: [4, 4, N] to a plane [grid / 2, grid / 2]."""
    side = grid // 8
    return np.ascontiguousarray(blocks.reshape(4, 4, side, side).transpose(2, 0, 3, 1).reshape(4 * side, 4 * side))


def _costs(small: Image) -> tuple[Floats, Floats]:
    """Colour distance per unit of U when each cell's mean colour goes up, and down, in the gamut."""
    side = small.shape[0] // 8
    cells = _resize(small, side, side).reshape(-1, 1, 3)
    return _cost(cells, 2.0), _cost(cells, -2.0)


def _cost(cells: Image, amount: float) -> Floats:
    planes, excess = _moved_planes(cells, np.full(cells.shape[:2], amount, np.float32))
    change = np.clip(np.dstack(planes) - excess[..., None], 0, 255) - cells
    gained = np.abs(change @ U_OF_RGB) + np.float32(1e-3)
    seen = np.linalg.norm(change, axis=-1) + LUMA_WEIGHT * np.abs(change @ LUMA_OF_RGB)
    cost: Floats = (seen / gained).astype(np.float32)
    return cost.ravel()


def _targets(value: Floats, bits: Floats, costs: tuple[Floats, Floats], step: float) -> Floats:
    """The target of each value: of the two places that mean its bit, the one that costs the least colour."""
    phase = np.float32(step) * (np.float32(0.25) + np.float32(0.5) * bits)
    below = np.floor((value - phase) / np.float32(step)) * np.float32(step) + phase
    above = below + np.float32(step)
    up, down = costs
    rises = (above - value) * up <= (value - below) * down
    rises = np.where(above > HIGHEST, False, np.where(below < LOWEST, True, rises))
    return np.where(rises, above, below).astype(np.float32)


def _move_chroma(image: Image, amount: Floats) -> Image:
    """The picture with its U raised by an amount per pixel. Luma changes only where the gamut ends."""
    moved = np.empty_like(image)
    rows = max(1, _BAND_PIXELS // image.shape[1])
    for top in range(0, image.shape[0], rows):
        band = slice(top, top + rows)
        planes, excess = _moved_planes(image[band], amount[band])
        cv2.merge([cv2.subtract(plane, excess, dtype=cv2.CV_8U) for plane in planes], dst=moved[band])
    return moved


def _moved_planes(image: Image, amount: Floats) -> tuple[tuple[Floats, Floats, Floats], Floats]:
    """Red, green and blue with U raised, and by how much a channel leaves 0..255.

    Taking that excess off all three channels keeps them inside and leaves U as it is.
    """
    red, green, blue = (plane.astype(np.float32) for plane in cv2.split(image))
    green += U_TO_GREEN * amount
    blue += U_TO_BLUE * amount
    above = np.maximum(np.maximum(green, blue) - np.float32(255), 0)
    below = np.minimum(np.minimum(green, blue), 0)
    return (red, green, blue), above + below


def _resize(plane: Image | Floats, width: int, height: int, *, smooth: bool = False) -> NDArray[Any]:
    """Area means where a side shrinks, interpolation where it grows, each side by itself."""
    grow = cv2.INTER_CUBIC if smooth else cv2.INTER_LINEAR
    rows, columns = plane.shape[:2]
    if width < columns or height < rows:
        plane = cv2.resize(plane, (min(width, columns), min(height, rows)), interpolation=cv2.INTER_AREA)
    if plane.shape[:2] != (height, width):
        plane = cv2.resize(plane, (width, height), interpolation=grow)
    return plane

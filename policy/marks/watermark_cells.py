"""Watermark cells: the arithmetic of `dwtDctSvd` on a grid of 8 x 8 cells, for marks/watermark.py.

A picture on its grid becomes chroma, chroma becomes one singular value a cell, and a change of such values becomes a
change of pixels that keeps inside the gamut.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]

# Full chroma range in units of a cell's singular value, which for a flat cell is 8 x U; a target
# a little outside is still read correctly from the nearest colour inside.
LOWEST, HIGHEST = 8 * 16.5, 8 * 240.0
# RGB that moves U by one and leaves luma alone (BT.601, the matrix of cv2's YUV).
U_TO_GREEN, U_TO_BLUE = np.float32(-0.395), np.float32(2.032)
U_OF_RGB = np.array([-0.14713, -0.28886, 0.436], np.float32)
LUMA_OF_RGB = np.array([0.299, 0.587, 0.114], np.float32)
# How much more the eye minds a level of luma than one of colour between cells of a flat white ground.
LUMA_WEIGHT = np.float32(4)
# Pixels worked on at once when the residual is added: what fits the processor's second cache as floats.
_BAND_PIXELS = 1 << 15


def chroma(small: Image) -> Floats:
    """Haar LL of the U plane of a picture on its grid, half its side: twice the mean of 2 x 2 pixels."""
    chroma = cv2.cvtColor(small, cv2.COLOR_RGB2YUV)[..., 1].astype(np.float32)
    half = small.shape[0] // 2
    halved: Floats = cv2.resize(chroma, (half, half), interpolation=cv2.INTER_AREA)
    return halved * np.float32(2)


def singular(plane: Floats) -> tuple[Floats, Floats, Floats]:
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


def assemble(blocks: Floats, grid: int) -> Floats:
    """The inverse of the cut in `singular`: [4, 4, N] to a plane [grid / 2, grid / 2]."""
    side = grid // 8
    return np.ascontiguousarray(blocks.reshape(4, 4, side, side).transpose(2, 0, 3, 1).reshape(4 * side, 4 * side))


def costs(small: Image) -> tuple[Floats, Floats]:
    """Colour distance per unit of U when each cell's mean colour goes up, and down, in the gamut."""
    side = small.shape[0] // 8
    cells = resize(small, side, side).reshape(-1, 1, 3)
    return _cost(cells, 2.0), _cost(cells, -2.0)


def _cost(cells: Image, amount: float) -> Floats:
    planes, excess = _moved_planes(cells, np.full(cells.shape[:2], amount, np.float32))
    change = np.clip(np.dstack(planes) - excess[..., None], 0, 255) - cells
    gained = np.abs(change @ U_OF_RGB) + np.float32(1e-3)
    seen = np.linalg.norm(change, axis=-1) + LUMA_WEIGHT * np.abs(change @ LUMA_OF_RGB)
    cost: Floats = (seen / gained).astype(np.float32)
    return cost.ravel()


def targets(value: Floats, bits: Floats, costs: tuple[Floats, Floats], step: float) -> Floats:
    """The target of each value: of the two places that mean its bit, the one that costs the least colour."""
    phase = np.float32(step) * (np.float32(0.25) + np.float32(0.5) * bits)
    below = np.floor((value - phase) / np.float32(step)) * np.float32(step) + phase
    above = below + np.float32(step)
    up, down = costs
    rises = (above - value) * up <= (value - below) * down
    rises = np.where(above > HIGHEST, False, np.where(below < LOWEST, True, rises))
    return np.where(rises, above, below).astype(np.float32)


def move_chroma(image: Image, amount: Floats) -> Image:
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


def resize(plane: Image | Floats, width: int, height: int, *, smooth: bool = False) -> NDArray[Any]:
    """Area means where a side shrinks, interpolation where it grows, each side by itself."""
    grow = cv2.INTER_CUBIC if smooth else cv2.INTER_LINEAR
    rows, columns = plane.shape[:2]
    if width < columns or height < rows:
        plane = cv2.resize(plane, (min(width, columns), min(height, rows)), interpolation=cv2.INTER_AREA)
    if plane.shape[:2] != (height, width):
        plane = cv2.resize(plane, (width, height), interpolation=grow)
    return plane

"""Nearness of a registered copy: how many levels lie between it and its original beyond what copying takes. Pure.

A sibling that carries a moved code may agree with the asset at every place of the map: the same object, drawn again.
It still lies farther from it than a copy does, somewhere. One map for the whole picture is fitted first: its colours,
their curves, how sharp it is, and how it lies, 15 numbers a channel. What is left is a copy's loss, or another drawing.

Where a frame shows hardly any structure, as a gradient or a corner of plain ground, such a map would turn any ground
into any other. There the colours themselves have to agree.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from policy.identify.content.places import SIDE, Floats, blurred, mean

# Levels at the worst hundredth of the places, and of what is plain (python -m bench.siblings, python -m bench.copies).
FARTHEST, FARTHEST_OF_PLAIN = 2.5, 1.25

_PLAIN = 0.02  # of the places have structure
_QUANTILE = 0.99  # of the places: what is thinner than a hundredth of the frame is the map's to see
_BLURS = (1.0, 2.0)  # of the original, in places: a copy may be softer or sharper
# Levels: places that lie farther from the map than this count little (Geman and McClure's weights).
_NEAR = (16.0, 8.0, 4.0, 4.0)
_EVERY_SECOND = np.zeros((SIDE, SIDE), bool)
_EVERY_SECOND[::2, ::2] = True  # of the places is enough to fit by
_RIDGE = 0.1  # holds the map near the one that changes nothing
# Luma, and the two differences of colour at the same scale (BT.601).
_YUV = np.array([[0.299, 0.587, 0.114], [-0.147, -0.289, 0.436], [0.615, -0.515, -0.100]], np.float32)


def levels_apart(here: Floats, there: Floats, seen: NDArray[np.bool_], structured: float) -> Floats:
    """The levels between a copy and its original around each place, [128, 128], in units of what a copy may lose."""
    plain = structured < _PLAIN
    left = here - there if plain else _left(here, there, seen)
    left = np.where(seen[..., None], left @ _YUV.T, 0).astype(np.float32)
    weight = np.maximum(mean(seen.astype(np.float32)), np.float32(1e-3))
    luma = np.sqrt(np.maximum(mean(left[..., 0] ** 2) / weight, 0))
    colours = [np.abs(mean(np.ascontiguousarray(left[..., channel])) / weight) for channel in (1, 2)]
    levels = np.maximum(luma, np.maximum(*colours)) / np.float32(FARTHEST_OF_PLAIN if plain else FARTHEST)
    return np.asarray(levels, np.float32)


def farthest(levels: Floats, seen: NDArray[np.bool_]) -> float:
    """The worst hundredth of the places."""
    return float(np.quantile(levels[seen], _QUANTILE))


def _left(here: Floats, there: Floats, seen: NDArray[np.bool_]) -> Floats:
    """What one map for the whole picture does not explain of a copy: colours, sharpness, and a little shift or turn."""
    every = _terms(there)
    apart = here - there
    fitted = (seen & _EVERY_SECOND).ravel()
    terms, wanted = every[fitted], apart.reshape(-1, 3)[fitted]
    weight = np.ones((len(terms), 1), np.float32)
    solution = np.zeros((terms.shape[1], 3), np.float32)
    for near in _NEAR:
        weighted = terms * weight
        gram = (weighted.T @ terms).astype(np.float64) + _RIDGE * np.eye(terms.shape[1])
        solution = np.linalg.solve(gram, weighted.T @ wanted).astype(np.float32)
        off = ((terms @ solution - wanted) ** 2).mean(axis=1, keepdims=True)
        weight = np.asarray((1 + off / np.float32(near) ** 2) ** -2, np.float32)
    return np.asarray(apart - (every @ solution).reshape(here.shape), np.float32)


def _terms(image: Floats) -> Floats:
    """What the map adds up, for each place: [N, 15]."""
    rows = image.reshape(-1, 3) / np.float32(255)
    luma = image @ _YUV[0] / np.float32(255)
    soft = [blurred(luma, sigma).ravel() for sigma in _BLURS]
    down, across = (np.asarray(each, np.float32) for each in np.gradient(luma))
    y, x = np.mgrid[-1 : 1 : 1j * SIDE, -1 : 1 : 1j * SIDE].astype(np.float32)
    moved = [(slope * by).ravel() for slope in (down, across) for by in (np.ones_like(x), x, y)]
    return np.column_stack([rows, rows**2, *soft, *moved, np.ones(len(rows), np.float32)]).astype(np.float32)

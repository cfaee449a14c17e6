"""Registration: the map from a query's pixels to an original's pixels, and the query warped into the original's frame.

Three ways, for three kinds of copies: local features agree on one perspective map (crops, turns, screenshots); the
frame is taken as the whole original, turned one of eight ways (pictures with few features); or the frame is searched
for inside the original at several sizes (crops of such pictures). Each map is then refined on the pixels themselves.
Pure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from policy.fingerprints import Image
from policy.identify.features import Features
from policy.identify.low_texture import CropWindow

Matrix = NDArray[np.float64]

# Pictures are compared in the original's frame, stretched to this square: the watermark's own largest grid.
FRAME = 512

_FEWEST_INLIERS = 8
_RATIO, _FARTHEST = 0.8, 0.75  # Lowe's ratio test, and how far apart descriptors of one place may be
_TOLERANCE = 1 / 180  # of the original's longer side
_ROUNDS = 3_000
_SMALLEST_SHARE, _LARGEST_SHARE = 0.02, 60.0  # area of the query's frame in areas of the original
_SEARCH_SIDE = 128
_SEARCHED_SCALES = (1.0, 0.94, 0.88, 0.82, 0.76, 0.7, 0.65, 0.6)
_REFINE_SIDE = 192
_FARTHEST_REFINEMENT = 0.12  # of the frame: a refinement that moves a corner farther has lost its way


@dataclass(frozen=True, slots=True)
class Registration:
    """The map from the query's pixels to the original's, and how it was found.

    `log10_chance`: the expected number of maps that so many of so many matches would support by chance alone.
    """

    matrix: Matrix
    method: str  # features | frame | search
    inliers: int = 0
    matches: int = 0
    log10_chance: float = 0.0


def by_features(query: Features, original: Features) -> Registration | None:
    """The perspective map that most feature matches support (MAGSAC), or None."""
    pairs = _matches(query, original)
    if pairs is None:
        return None
    here, there = pairs
    longest = max(original.size)
    matrix, kept = cv2.findHomography(
        here, there, cv2.USAC_MAGSAC, longest * _TOLERANCE, maxIters=_ROUNDS, confidence=0.999
    )
    if matrix is None or kept is None or not sane(matrix, query.size, original.size):
        return None
    places = there[kept.ravel() > 0]
    inliers = len(np.unique(np.round(places / (longest * _TOLERANCE)), axis=0))  # one place counts once
    if inliers < _FEWEST_INLIERS:
        return None
    chance = log10_chance(inliers, len(here), original.size)
    return Registration(np.asarray(matrix, np.float64), "features", inliers, len(here), chance)


def by_frame(query: tuple[int, int], original: tuple[int, int]) -> Registration:
    """The map for a query whose frame is the original's; sizes as (width, height)."""
    return Registration(scaling(original[0] / query[0], original[1] / query[1]), "frame")


def by_search(part: Image, query: tuple[int, int], whole: Image, original: tuple[int, int]) -> Registration | None:
    """The map for a query whose frame lies upright and unstretched inside the original: the best position and size.

    `part` and `whole` are the `searched_luma` of query and original, whose sizes as (width, height) are given too.
    """
    fit = min(original[0] / query[0], original[1] / query[1])
    shrink = _SEARCH_SIDE / max(original)
    largest = (max(1, round(query[0] * fit * shrink)), max(1, round(query[1] * fit * shrink)))
    part = resized(part, *largest)  # from here every size is a small step
    best: tuple[float, Matrix] | None = None
    for scale in _SEARCHED_SCALES:
        factor = fit * scale
        columns, rows = round(query[0] * factor * shrink), round(query[1] * factor * shrink)
        if min(columns, rows) < 24 or columns > whole.shape[1] or rows > whole.shape[0]:
            continue
        fits = cv2.matchTemplate(whole, resized(part, columns, rows), cv2.TM_CCOEFF_NORMED)
        _, score, _, (x, y) = cv2.minMaxLoc(fits)
        if best is None or score > best[0]:
            best = (score, _moved(factor, x / shrink, y / shrink))
    if best is None or best[0] < 0.6:
        return None
    return Registration(best[1], "search")


def by_window(query: tuple[int, int], original: tuple[int, int], window: CropWindow) -> Registration:
    """The map for a query whose frame is that part of the original; sizes as (width, height)."""
    matrix = scaling(window.share * original[0] / query[0], window.share * original[1] / query[1])
    matrix[:2, 2] += (window.left * original[0], window.top * original[1])
    return Registration(matrix, "search")


def searched_luma(image: Image) -> Image:
    """Luma at the size that `by_search` works on."""
    shrink = _SEARCH_SIDE / max(image.shape[:2])
    return _luma(image, max(8, round(image.shape[1] * shrink)), max(8, round(image.shape[0] * shrink)))


def refined(query: Image, original: Image, found: Registration) -> Registration:
    """The same map, moved a little so that the pixels fit best (ECC); unchanged where that does not converge."""
    laid, known = lay_back(query, found.matrix, (original.shape[1], original.shape[0]), side=_REFINE_SIDE)
    target = _luma(original, _REFINE_SIDE, _REFINE_SIDE)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-4)
    motion = cv2.MOTION_AFFINE if found.method != "features" else cv2.MOTION_HOMOGRAPHY
    start = np.eye(3, dtype=np.float32)[: 2 if motion == cv2.MOTION_AFFINE else 3]
    try:
        _, step = cv2.findTransformECC(
            target, _luma(laid, _REFINE_SIDE, _REFINE_SIDE), start, motion, criteria, known, 5
        )
    except cv2.error:
        return found
    whole = np.vstack([step, [0, 0, 1]]) if len(step) == 2 else step
    corners = np.array([[[0, 0]], [[_REFINE_SIDE, 0]], [[_REFINE_SIDE] * 2], [[0, _REFINE_SIDE]]], np.float32)
    moved = cv2.perspectiveTransform(corners, whole.astype(np.float32))
    if not np.isfinite(moved).all() or np.abs(moved - corners).max() > _FARTHEST_REFINEMENT * _REFINE_SIDE:
        return found
    to_frame = scaling(_REFINE_SIDE / original.shape[1], _REFINE_SIDE / original.shape[0])
    matrix = np.linalg.inv(to_frame) @ np.linalg.inv(whole.astype(np.float64)) @ to_frame @ found.matrix
    return Registration(matrix, found.method, found.inliers, found.matches, found.log10_chance)


def lay_back(
    query: Image, matrix: Matrix, original: tuple[int, int], *, side: int = FRAME
) -> tuple[Image, NDArray[np.uint8]]:
    """The query warped into the original's frame, [side, side, 3], and 255 where it has pixels, 0 where not.

    Where the query has more pixels than the frame it is shrunk by area means first, so that nothing aliases.
    """
    to_frame = scaling(side / original[0], side / original[1]) @ matrix
    if np.allclose(to_frame, scaling(side / query.shape[1], side / query.shape[0]), atol=1e-6):
        return resized(query, side, side), np.full((side, side), 255, np.uint8)
    scale = _scale_at_middle(to_frame, query.shape[1], query.shape[0])
    source = query
    if scale < 0.8:
        size = (max(1, round(query.shape[1] * scale)), max(1, round(query.shape[0] * scale)))
        source = np.asarray(cv2.resize(query, size, interpolation=cv2.INTER_AREA), np.uint8)
        to_frame = to_frame @ scaling(query.shape[1] / size[0], query.shape[0] / size[1])
    laid = cv2.warpPerspective(source, to_frame, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpPerspective(
        np.full(source.shape[:2], 255, np.uint8), to_frame, (side, side), flags=cv2.INTER_LINEAR
    )
    return np.asarray(laid, np.uint8), np.where(inside == 255, 255, 0).astype(np.uint8)


def resized(image: Image, width: int, height: int) -> Image:
    """The picture stretched to a size: area means where it shrinks, interpolation where it grows."""
    shrinks = width < image.shape[1] or height < image.shape[0]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (width, height), interpolation=method), np.uint8)


def sane(matrix: Matrix, query: tuple[int, int], original: tuple[int, int]) -> bool:
    """Whether a map keeps the query's frame convex, unmirrored and of a size that a copy may have."""
    width, height = query
    corners = np.array([[[0, 0]], [[width, 0]], [[width, height]], [[0, height]]], np.float32)
    placed = cv2.perspectiveTransform(corners, matrix)
    if not np.isfinite(placed).all() or not cv2.isContourConvex(placed):
        return False
    area = float(cv2.contourArea(placed, oriented=True)) / (original[0] * original[1])
    return _SMALLEST_SHARE < area < _LARGEST_SHARE


def log10_chance(inliers: int, matches: int, original: tuple[int, int]) -> float:
    """log10 of the number of maps with so many inliers to expect among random matches.

    (n - 4) C(n, k) C(k, 4) p^(k - 4), with p the share of the original within the tolerance of a point: a contrario,
    after Moisan and Stival (2004).
    """
    p = math.pi * (max(original) * _TOLERANCE) ** 2 / (original[0] * original[1])
    ways = math.log10(max(matches - 4, 1)) + _log10_choose(matches, inliers) + _log10_choose(inliers, 4)
    return ways + (inliers - 4) * math.log10(min(p, 1.0))


def _matches(query: Features, original: Features) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    if len(query) < _FEWEST_INLIERS or len(original) < _FEWEST_INLIERS:
        return None
    likeness = query.descriptors @ original.descriptors.T
    rows = np.arange(len(likeness))
    first = likeness.argmax(axis=1)
    best = likeness[rows, first].copy()
    likeness[rows, first] = -1
    nearest = np.sqrt(np.maximum(2 - 2 * best, 0))
    second = np.sqrt(np.maximum(2 - 2 * likeness.max(axis=1), 1e-9))
    good = (nearest < _RATIO * second) & (nearest < _FARTHEST)
    if int(good.sum()) < _FEWEST_INLIERS:
        return None
    return query.places[good], original.places[first[good]]


def scaling(across: float, down: float) -> Matrix:
    """The scaling map. Pixel centres are at integers, edges half a pixel before and after."""
    return np.array([[across, 0, 0.5 * across - 0.5], [0, down, 0.5 * down - 0.5], [0, 0, 1]], np.float64)


def _moved(factor: float, x: float, y: float) -> Matrix:
    matrix = scaling(factor, factor)
    matrix[0, 2] += x
    matrix[1, 2] += y
    return matrix


def _scale_at_middle(matrix: Matrix, width: int, height: int) -> float:
    points: Any = np.array([[[width / 2, height / 2]], [[width / 2 + 8, height / 2]], [[width / 2, height / 2 + 8]]])
    middle, across, down = cv2.perspectiveTransform(points, matrix).reshape(-1, 2)
    return float(max(np.linalg.norm(across - middle), np.linalg.norm(down - middle)) / 8)


def _luma(image: Image, width: int, height: int) -> Image:
    luma = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8) if image.ndim == 3 else image
    return luma if (luma.shape[1], luma.shape[0]) == (width, height) else resized(luma, width, height)


def _log10_choose(n: int, k: int) -> float:
    return (math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)) / math.log(10)

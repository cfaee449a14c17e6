"""Grounds drawn by formula: pure, plain, lit, a wall behind a table, and busy ones."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from models.mask_training.formulas import Chance, Flat, colour, noise


def ground(chance: Chance, side: int) -> Flat:
    """One of them, float32 [side, side, 3], levels."""
    kind = _KINDS[int(chance.choice(len(_KINDS), p=_SHARES))]
    return np.clip(kind(chance, side), 0, 255)


def _white(chance: Chance, side: int) -> Flat:
    return np.full((side, side, 3), 255 - chance.choice((0, 0, chance.uniform(0, 12))), np.float32)


def _black(chance: Chance, side: int) -> Flat:
    return np.full((side, side, 3), chance.choice((0, 0, chance.uniform(0, 15))), np.float32)


def _plain(chance: Chance, side: int) -> Flat:
    return np.broadcast_to(colour(chance), (side, side, 3)).astype(np.float32)


def _lit(chance: Chance, side: int) -> Flat:
    """A colour that falls off to one side or around a spot."""
    y, x = _grid(side)
    base = colour(chance)
    dark = base * chance.uniform(0.3, 0.9)
    if chance.random() < 0.5:
        way = chance.uniform(0, 6.3)
        place = (x - 0.5) * np.cos(way) + (y - 0.5) * np.sin(way) + 0.5
    else:
        place = np.hypot(x - chance.uniform(0.3, 0.7), y - chance.uniform(0.2, 0.7)) * chance.uniform(0.9, 1.8)
    share = np.clip(place, 0, 1)[..., None]
    return np.asarray(base * (1 - share) + dark * share, np.float32)


def _sweep(chance: Chance, side: int) -> Flat:
    """Studio paper: a wall that bends into the floor."""
    y, _ = _grid(side)
    base = colour(chance)
    bend, soft = chance.uniform(0.45, 0.9), chance.uniform(0.01, 0.25)
    share = np.clip((y - bend) / soft, 0, 1)[..., None]
    return np.asarray(base * (1 - share) + base * chance.uniform(0.65, 1.2) * share, np.float32)


def _table(chance: Chance, side: int) -> Flat:
    """Two surfaces, each plain or grained, that meet at a line."""
    y, x = _grid(side)
    line = chance.uniform(0.3, 0.85) + (x - 0.5) * chance.normal(0, 0.1)
    upper, lower = (chance.choice((_plain, _lit, _grained, _planks))(chance, side) for _ in range(2))
    if chance.random() < 0.5:
        upper = cv2.GaussianBlur(upper, (0, 0), chance.uniform(1, 6))
    return np.asarray(np.where((y < line)[..., None], upper, lower), np.float32)


def _grained(chance: Chance, side: int) -> Flat:
    """Stone, cloth, leaves: chance at every scale, in one or three colours."""
    first = int(chance.integers(1, 4))
    if chance.random() < 0.5:
        planes = noise(chance, side, first, 8)[..., None] * chance.uniform(0.3, 1, 3)
    else:
        planes = np.dstack([noise(chance, side, first, 8) for _ in range(3)])
    return np.asarray(colour(chance) + planes * chance.uniform(6, 45), np.float32)


def _planks(chance: Chance, side: int) -> Flat:
    """Boards, tiles, stripes or checks, with grain, seen straight or aslant."""
    y, x = _grid(side)
    way = chance.choice((0.0, np.pi / 2, chance.uniform(0, 3.2)))
    along, across = x * np.cos(way) + y * np.sin(way), y * np.cos(way) - x * np.sin(way)
    size = chance.uniform(0.05, 0.3)
    board = np.floor(across / size)
    if chance.random() < 0.5:
        board += 31 * np.floor((along + (board % 2) * size) / (size * chance.choice((1, 3))))
    shades = chance.uniform(0.75, 1.15, 4096)[board.astype(int) % 4096]
    gap = (across / size % 1) < chance.uniform(0, 0.08)
    base = colour(chance)
    grain = noise(chance, side, 2, 8)[..., None] * chance.uniform(0, 12)
    return np.asarray(np.where(gap[..., None], base * 0.5, base * shades[..., None]) + grain, np.float32)


def _blurred(chance: Chance, side: int) -> Flat:
    """A room out of focus: rectangles and lamps, blurred."""
    scene = np.array(_lit(chance, side), order="C")
    for _ in range(int(chance.integers(4, 20))):
        left, top = (int(place) for place in chance.uniform(-0.2, 1, 2) * side)
        wide, high = (int(size) for size in chance.uniform(0.05, 0.5, 2) * side)
        ink = tuple(float(level) for level in colour(chance))
        if chance.random() < 0.5:
            cv2.rectangle(scene, (left, top), (left + wide, top + high), ink, -1)
        else:
            cv2.circle(scene, (left, top), max(2, wide // 3), ink, -1)
    return np.asarray(cv2.GaussianBlur(scene, (0, 0), chance.uniform(0.015, 0.07) * side), np.float32)


def _grid(side: int) -> tuple[Flat, Flat]:
    y, x = np.mgrid[:side, :side].astype(np.float32) / np.float32(side)
    return y, x


_KINDS: tuple[Callable[[Chance, int], Flat], ...] = (
    _white, _black, _plain, _lit, _sweep, _table, _grained, _planks, _blurred,
)  # fmt: skip
_SHARES = (0.14, 0.05, 0.10, 0.13, 0.14, 0.13, 0.12, 0.10, 0.09)

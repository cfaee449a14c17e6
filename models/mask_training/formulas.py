"""Goods drawn by formula, with exact alpha: turned bodies, boxes, stones, rings, frames, and several of them joined.

They teach what renders of toys do not: straight edges, thin legs, holes, labels, writing, and products of the ground's
own colour.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from workers.masks.compositing import Cutout

Chance = np.random.Generator
Flat = NDArray[np.float32]

_SIDE = 192
_FINE = 2  # drawn larger by this, for smooth edges
_WORDS = ("ORIGINAL", "No. 5", "FRESH", "500 ml", "PURE", "SALE", "A+", "EST. 1987", "XL", "BIO")


def good(chance: Chance) -> Cutout:
    """One of them, on a canvas of 192 pixels, cropped to what is visible."""
    side = _SIDE * _FINE
    shape = np.zeros((side, side), np.float32)
    colours = np.zeros((side, side, 3), np.float32)
    for _ in range(chance.choice((1, 2, 3), p=(0.72, 0.18, 0.10))):
        kind = _KINDS[chance.integers(len(_KINDS))]
        part, light = kind(chance, side)
        surface = _surface(chance, side) * light[..., None]
        colours = np.where(part[..., None] > 0, surface, colours)
        shape = np.maximum(shape, part)
    small = (_SIDE, _SIDE)
    covered = cv2.resize(shape, small, interpolation=cv2.INTER_AREA)
    drawn = cv2.resize(colours * shape[..., None], small, interpolation=cv2.INTER_AREA)
    own = drawn / np.maximum(covered, 1e-3)[..., None]
    alpha = np.rint(covered * 255).astype(np.uint8)
    rows, columns = np.flatnonzero((alpha > 8).any(axis=1)), np.flatnonzero((alpha > 8).any(axis=0))
    if rows.size < 16 or columns.size < 16:
        return good(chance)
    part_of = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    return Cutout(np.clip(np.rint(own[part_of]), 0, 255).astype(np.uint8), np.ascontiguousarray(alpha[part_of]))


def noise(chance: Chance, side: int, first: int = 1, last: int = 6) -> Flat:
    """Smooth chance at several scales, about zero, with a deviation of one."""
    total = np.zeros((side, side), np.float32)
    for octave in range(first, last):
        coarse = chance.normal(0, 1, (2**octave + 1, 2**octave + 1)).astype(np.float32)
        total += cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC) / octave
    return np.asarray(total / max(1e-6, float(total.std())), np.float32)


def colour(chance: Chance) -> Flat:
    """Any colour; greys, whites and blacks more often than chance would have them."""
    choice = chance.random()
    if choice < 0.16:
        return np.asarray(chance.uniform(225, 254) + chance.uniform(-5, 5, 3), np.float32)
    if choice < 0.30:
        return np.asarray(chance.uniform(8, 60) + chance.uniform(-6, 6, 3), np.float32)
    if choice < 0.45:
        return np.asarray(chance.uniform(60, 220) + chance.uniform(-10, 10, 3), np.float32)
    return np.asarray(chance.uniform(10, 250, 3), np.float32)


def _turned(chance: Chance, side: int) -> tuple[Flat, Flat]:
    """A body of revolution: bottle, vase, jar, cup."""
    y, x = _grid(side)
    knots = np.sort(chance.uniform(0.06, 0.42, chance.integers(3, 7)))
    chance.shuffle(knots)
    heights = np.linspace(0, 1, len(knots))
    top, foot = chance.uniform(0.03, 0.3), chance.uniform(0.75, 0.97)
    place = np.clip((y - top) / (foot - top), 0, 1)
    reach = np.interp(place, heights, knots)
    if chance.random() < 0.5:
        reach = cv2.GaussianBlur(reach.astype(np.float32), (0, 0), side * 0.02)
    bow = chance.uniform(0, 0.04) * (1 - np.clip(np.abs(x - 0.5) / np.maximum(reach, 1e-3), 0, 1) ** 2)
    inside = (np.abs(x - 0.5) < reach) & (y > top) & (y < foot - 0.02 + bow)
    turn = np.clip((x - 0.5) / np.maximum(reach, 1e-3), -1, 1)
    at = chance.uniform(-0.7, 0.7)
    light = 0.45 + 0.6 * np.sqrt(np.clip(1 - (turn - at) ** 2 / 2.6, 0, 1))
    light += chance.uniform(0, 0.5) * np.exp(-(((turn - at) / 0.09) ** 2))
    shape = inside.astype(np.float32)
    if chance.random() < 0.3:  # a handle
        ring = np.zeros((side, side), np.float32)
        middle = (
            int((0.5 + float(knots.max()) * chance.uniform(0.8, 1.1)) * side),
            int(chance.uniform(0.4, 0.65) * side),
        )
        size = (int(chance.uniform(0.06, 0.14) * side), int(chance.uniform(0.08, 0.2) * side))
        cv2.ellipse(ring, middle, size, 0, 0, 360, 1.0, int(chance.uniform(0.012, 0.04) * side))
        shape = np.maximum(shape, ring)
    return shape, np.asarray(light, np.float32)


def _box(chance: Chance, side: int) -> tuple[Flat, Flat]:
    """A box seen from a corner, or a flat one from the front."""
    shape, light = np.zeros((side, side), np.float32), np.ones((side, side), np.float32)
    width, height, deep = (chance.uniform(0.15, 0.42), chance.uniform(0.15, 0.42), chance.uniform(0.05, 0.3))
    turn, tilt = chance.uniform(-0.9, 0.9), chance.uniform(0.05, 0.7)
    corners = np.array([[i, j, k] for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)]) * (width, height, deep)
    around = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    over = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    seen = corners @ around.T @ over.T
    seen[:, :2] *= 1 + chance.uniform(0, 0.5) * -seen[:, 2:] / 1.5
    flat = (np.clip(seen[:, :2] + 0.5, -0.4, 1.4) * side).astype(np.int32)
    faces = ((0, 1, 3, 2), (4, 5, 7, 6), (0, 1, 5, 4), (2, 3, 7, 6), (0, 2, 6, 4), (1, 3, 7, 5))
    for face in sorted(faces, key=lambda face: -seen[list(face), 2].mean()):
        cv2.fillConvexPoly(shape, flat[list(face)], 1.0)
        cv2.fillConvexPoly(light, flat[list(face)], float(chance.uniform(0.5, 1.1)))
    return shape, light


def _stone(chance: Chance, side: int) -> tuple[Flat, Flat]:
    """A rounded body of any outline, lit from one side."""
    turn = np.linspace(0, 2 * np.pi, 200)
    reach = np.full(200, chance.uniform(0.2, 0.36))
    for wave in range(1, chance.integers(2, 9)):
        reach += chance.normal(0, 0.10 / (wave + 1)) * np.cos(wave * turn + chance.uniform(0, 6.3))
    reach = np.clip(reach, 0.06, 0.48)
    points = np.stack([0.5 + reach * np.cos(turn), 0.5 + reach * np.sin(turn) * chance.uniform(0.5, 1)], axis=1)
    shape = np.zeros((side, side), np.float32)
    cv2.fillPoly(shape, [(points * side).astype(np.int32)], 1.0)
    depth = cv2.distanceTransform(shape.astype(np.uint8), cv2.DIST_L2, 3)
    round_ = np.sqrt(np.clip(depth / max(1.0, float(depth.max())), 0, 1)).astype(np.float32)
    smooth = cv2.GaussianBlur(round_, (0, 0), side * 0.01)
    across, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    way = chance.uniform(0, 6.3)
    slope = (across * np.cos(way) + down * np.sin(way)) * side * 0.01
    return shape, np.asarray(np.clip(0.85 + chance.uniform(0.5, 3) * slope, 0.3, 1.4), np.float32)


def _ring(chance: Chance, side: int) -> tuple[Flat, Flat]:
    """A ring, a frame or a rolled band: a hole through which the ground is seen."""
    shape = np.zeros((side, side), np.float32)
    size = (int(chance.uniform(0.18, 0.42) * side), int(chance.uniform(0.15, 0.42) * side))
    thick = int(chance.uniform(0.02, 0.12) * side)
    if chance.random() < 0.6:
        cv2.ellipse(shape, (side // 2, side // 2), size, chance.uniform(-40, 40), 0, 360, 1.0, thick)
    else:
        corner = (side // 2 - size[0], side // 2 - size[1])
        cv2.rectangle(shape, corner, (side // 2 + size[0], side // 2 + size[1]), 1.0, thick)
    return shape, np.asarray(1 + 0.25 * noise(chance, side, 1, 4), np.float32)


def _frame(chance: Chance, side: int) -> tuple[Flat, Flat]:
    """A table, a chair or a stand: slabs on thin legs."""
    shape = np.zeros((side, side), np.float32)
    left, right = chance.uniform(0.1, 0.3), chance.uniform(0.7, 0.9)
    top, foot = chance.uniform(0.2, 0.6), chance.uniform(0.8, 0.95)
    thick = chance.uniform(0.03, 0.12)
    cv2.rectangle(shape, (int(left * side), int(top * side)), (int(right * side), int((top + thick) * side)), 1.0, -1)
    lean, legs = chance.uniform(-0.06, 0.06), chance.integers(1, 5)
    for place in np.linspace(left + 0.03, right - 0.03, legs) if legs > 1 else ((left + right) / 2,):
        outward = lean * np.sign(place - 0.5)
        begin, end = (int(place * side), int(top * side)), (int((place + outward) * side), int(foot * side))
        cv2.line(shape, begin, end, 1.0, int(chance.uniform(0.015, 0.06) * side))
    if chance.random() < 0.5:  # a back
        upper = int(chance.uniform(0.04, 0.15) * side)
        end = (int(chance.uniform(left + 0.1, right) * side), int(top * side))
        cv2.rectangle(shape, (int(left * side), upper), end, 1.0, int(chance.choice((-1, 8, 16))))
    return shape, np.asarray(np.broadcast_to(np.linspace(1.1, 0.7, side, dtype=np.float32)[:, None], (side, side)))


def _surface(chance: Chance, side: int) -> Flat:
    """Colours of a whole canvas: plain, grained, striped, dotted or banded, often with a label and a word."""
    y, x = _grid(side)
    plain = np.broadcast_to(colour(chance), (side, side, 3)).astype(np.float32)
    second = colour(chance)
    kind = chance.random()
    if kind < 0.2:
        waves = np.sin((x * np.cos(kind * 30) + y * np.sin(kind * 30)) * chance.uniform(15, 150)) > chance.uniform(
            -0.8, 0.8
        )
        plain = np.where(waves[..., None], plain, second)
    elif kind < 0.3:
        period = chance.uniform(0.04, 0.15)
        dots = np.hypot(x % period - period / 2, y % period - period / 2) < period * chance.uniform(0.2, 0.45)
        plain = np.where(dots[..., None], second, plain)
    elif kind < 0.45:
        plain = np.where((y < chance.uniform(0.2, 0.6))[..., None], second, plain)
    elif kind < 0.6:
        plain = plain + noise(chance, side, 2, 8)[..., None] * chance.uniform(5, 30)
    result = np.array(np.clip(plain, 0, 255), np.uint8, order="C")
    if chance.random() < 0.45:
        high, wide, at = chance.uniform(0.05, 0.2), chance.uniform(0.08, 0.5), chance.uniform(0.3, 0.75)
        label = (np.abs(x - 0.5) < wide) & (np.abs(y - at) < high)
        result[label] = colour(chance).astype(np.uint8)
        word = str(chance.choice(_WORDS))
        ink = tuple(float(level) for level in colour(chance))
        place = (int((0.5 - min(wide, 0.3)) * side), int((at + 0.03) * side))
        size, thick = chance.uniform(0.7, 2.2), int(chance.integers(1, 5))
        cv2.putText(result, word, place, cv2.FONT_HERSHEY_DUPLEX, size, ink, thick, cv2.LINE_AA)
    return result.astype(np.float32)


def _grid(side: int) -> tuple[Flat, Flat]:
    y, x = np.mgrid[:side, :side].astype(np.float32) / np.float32(side)
    return y, x


_KINDS: tuple[Callable[[Chance, int], tuple[Flat, Flat]], ...] = (_turned, _turned, _box, _box, _stone, _ring, _frame)

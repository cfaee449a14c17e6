"""Products on grounds with a known alpha, drawn by formula: for masks, matting and compositing."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.support.pictures import texture

SUPERSAMPLED = 4


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A picture, its true alpha, the product's own colours, and the ground without its shadow."""

    picture: NDArray[np.uint8]
    alpha: NDArray[np.uint8]
    product: NDArray[np.float32]
    ground: NDArray[np.float32]


def bottle(side: int, *, ground: str = "white", shadow: float = 0.0, seed: int = 0, at: float = 0.5) -> Shot:
    """A shaded bottle with a label and hairs at its shoulder, before white, black, studio grey or a busy texture."""
    chance = np.random.default_rng(seed)
    big = side * SUPERSAMPLED
    shape = np.zeros((big, big), np.uint8)
    middle, unit = int(at * big), big // 100
    cv2.ellipse(shape, (middle, 60 * unit), (17 * unit, 26 * unit), 0, 0, 360, 255, -1)
    cv2.rectangle(shape, (middle - 6 * unit, 18 * unit), (middle + 6 * unit, 50 * unit), 255, -1)
    for turn in np.linspace(-70, 70, 9):  # hairs
        end = (
            int(middle + 26 * unit * np.sin(np.radians(turn))),
            int(60 * unit - 30 * unit * np.cos(np.radians(turn))),
        )
        cv2.line(shape, (middle, 60 * unit), end, 255, max(1, unit // 4))
    alpha = cv2.resize(shape, (side, side), interpolation=cv2.INTER_AREA)
    y, x = np.mgrid[:side, :side].astype(np.float32) / side
    light = np.clip(1.15 - 2.4 * np.abs(x - at + 0.05), 0.35, 1.1)[..., None]
    colour = np.array([[170, 40, 50], [30, 90, 160], [40, 120, 70], [200, 140, 30]][seed % 4], np.float32)
    surface = colour * light + chance.normal(0, 2, (side, side, 3)).astype(np.float32)
    label = (np.abs(x - at) < 0.1) & (np.abs(y - 0.64) < 0.06)
    surface[label] = (235, 225, 200)
    product = np.clip(surface, 0, 255).astype(np.float32)
    before = _ground(side, ground, seed)
    covered = alpha.astype(np.float32)[..., None] / 255
    soft = cv2.GaussianBlur(np.roll(covered[..., 0], side // 40, axis=0), (0, 0), side / 40)[..., None]
    scene = product * covered + before * (1 - shadow * soft) * (1 - covered)
    return Shot(np.clip(np.rint(scene), 0, 255).astype(np.uint8), alpha, product, before)


def _ground(side: int, kind: str, seed: int) -> NDArray[np.float32]:
    if kind == "white":
        return np.full((side, side, 3), 255, np.float32)
    if kind == "black":
        return np.zeros((side, side, 3), np.float32)
    if kind == "studio":
        fall = np.linspace(1.0, 0.75, side, dtype=np.float32)[:, None, None]
        return np.array([205, 200, 192], np.float32) * fall + np.zeros((side, side, 3), np.float32)
    return texture(side, side, seed=seed + 7).astype(np.float32)

"""Shots: one product on one ground, put there by the compositor of delivered pictures, so its alpha is exact."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from models.mask_training import cutouts, formulas, grounds
from models.mask_training.formulas import Chance
from workers.masks.compositing import Cutout, composite, placed
from workers.masks.mask import Alpha, Pixels
from workers.masks.options import Placement, Shadow
from workers.masks.shadow import shade

_BY_FORMULA = 0.45  # of the shots; the others show a render
_CUT = 0.12  # go on beyond the picture
_SHADOWED = 0.75


class Shot(NamedTuple):
    """A picture and how much of each pixel is product."""

    picture: Pixels
    alpha: Alpha


def shot(chance: Chance, goods: Sequence[Path], side: int, *, under: Pixels | None = None) -> Shot:
    """A product of these, or one by formula, on a ground of chance or on this one."""
    by_formula = not goods or chance.random() < _BY_FORMULA
    product = formulas.good(chance) if by_formula else _varied(chance, cutouts.load(goods[chance.integers(len(goods))]))
    if chance.random() < 0.3:
        product = _turned(product, chance.uniform(-35, 35))
    there = _placed(chance, product, side)
    if under is None:
        under = np.rint(grounds.ground(chance, side)).astype(np.uint8)
    dark = None
    if chance.random() < _SHADOWED:
        contact, drop, soft = chance.uniform(0, 0.8), chance.uniform(0, 0.6), chance.uniform(0.01, 0.15)
        dark = shade(there.alpha, Shadow(contact, drop, chance.uniform(-70, 70), soft))
    return Shot(_taken(chance, composite(there, under, dark)), there.alpha)


def _placed(chance: Chance, product: Cutout, side: int) -> Cutout:
    """Most stand near the middle at a catalogue's size; a few are cut by the picture's border."""
    size = chance.uniform(0.3, 0.95) * side
    scale = float(np.clip(size / max(product.alpha.shape), 0.05, 4))
    room = 0.5 - size / side / 2
    cut = chance.random() < _CUT
    x, y = (0.5 + chance.uniform(-1, 1) * (0.45 if cut else 0.8 * max(0.0, room)) for _ in range(2))
    return placed(product, side, side, Placement(float(x), float(y), scale))


def _varied(chance: Chance, product: Cutout) -> Cutout:
    """Mirrored, of another hue, paler, grained: toys that look a little more like goods."""
    colours, alpha = product.colours, product.alpha
    if chance.random() < 0.5:
        colours, alpha = np.ascontiguousarray(colours[:, ::-1]), np.ascontiguousarray(alpha[:, ::-1])
    hsv = cv2.cvtColor(colours, cv2.COLOR_RGB2HSV).astype(np.float32)
    if chance.random() < 0.6:
        hsv[..., 0] = (hsv[..., 0] + chance.uniform(0, 180)) % 180
    hsv[..., 1] *= chance.choice((1.0, chance.uniform(0, 1)))
    hsv[..., 2] *= chance.uniform(0.35, 1.1)
    varied = cv2.cvtColor(np.clip(hsv, 0, 255).astype(np.uint8), cv2.COLOR_HSV2RGB).astype(np.float32)
    if chance.random() < 0.3:
        grain = formulas.noise(chance, 256, 2, 8)[..., None] * chance.uniform(4, 25)
        varied = varied + cv2.resize(grain, varied.shape[1::-1])[..., None]
    return Cutout(np.clip(varied, 0, 255).astype(np.uint8), alpha)


def _turned(product: Cutout, degrees: float) -> Cutout:
    height, width = product.alpha.shape
    room = int(0.5 * np.hypot(height, width))
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    matrix[:, 2] += room - width / 2, room - height / 2
    size = (2 * room, 2 * room)
    share = product.alpha.astype(np.float32) / 255
    alpha = cv2.warpAffine(share, matrix, size)
    colours = cv2.warpAffine(product.colours * share[..., None], matrix, size) / np.maximum(alpha, 1e-3)[..., None]
    return Cutout(np.clip(colours, 0, 255).astype(np.uint8), np.rint(alpha * 255).astype(np.uint8))


def _taken(chance: Chance, picture: Pixels) -> Pixels:
    """What a camera and a file do to it: exposure, cast, softness, noise, JPEG."""
    taken = picture
    if chance.random() < 0.5:
        gain = chance.uniform(0.75, 1.15) * chance.uniform(0.93, 1.07, 3)
        taken = np.clip(taken * gain, 0, 255).astype(np.uint8)
    if chance.random() < 0.4:
        taken = cv2.GaussianBlur(taken, (0, 0), chance.uniform(0.3, 1.1))
    if chance.random() < 0.5:
        coarse = chance.normal(0, chance.uniform(1, 8), taken.shape).astype(np.float32)
        taken = np.clip(taken + coarse, 0, 255).astype(np.uint8)
    if chance.random() < 0.4:
        quality = int(chance.integers(50, 96))
        _, packed = cv2.imencode(".jpg", taken[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        taken = cv2.imdecode(packed, cv2.IMREAD_COLOR)[..., ::-1]
    return np.ascontiguousarray(taken)

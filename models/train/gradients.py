"""Gradient scorer of the evaluation: it uses no template of the scene.

The object is named by its gradients (HOG) and coarse colours, as most of the five nearest of other scenes are; the
ground by the border's median; the object's colour by its main hue. What this scorer makes of the scenes as they were
meant is reported beside what it makes of the drawn ones: no scorer is better than that.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from models.train.evaluate import Paint, Question, Tally, scene_of
from models.train.goods import BACKGROUNDS, COLOURS, GOODS
from models.train.scenes import PIXELS, PLACES, SIZES, STAGES, Scene, picture
from models.train.sprites import Sprites

_PICTURES = 240  # scenes of each good, in all sizes, places, styles and lights alike: of 40, it misread one truth in 80
_BORDER = 6  # pixels
_EDGE = 7.0  # levels a pixel, above what the border of the row has: the light of a ground is softer
_COARSE = 0.35  # weight of the colours beside the gradients
_TALL = 0.5  # weight of the shape of the box


class Independent:
    """Scorer that knows no template of the scene."""

    def __init__(self, sprites: Sprites, seed: int, paint: Paint = picture) -> None:
        chance = random.Random(f"independent {seed}")
        known = [_any_scene(good.name, chance, sprites) for good in GOODS for _ in range(_PICTURES)]
        self._names = np.array([scene.good for scene in known])
        self._known = np.stack([_features(paint(scene, sprites)) for scene in known])

    def judge(self, asked: Sequence[Question], pictures: Sequence[np.ndarray]) -> Tally:
        tally = Tally()
        for scene, shown in zip((question.scene for question in asked), pictures, strict=True):
            tally.add("object", scene.good, self.good(shown) == scene.good)
            if scene.stage == "plain":
                tally.add("background colour", scene.background, _ground(shown) == scene.background)
            if scene.colour is not None:
                tally.add("object colour", f"{scene.good}, {scene.colour}", _hue(shown) == scene.colour)
        return tally

    def good(self, shown: np.ndarray) -> str:
        """The good of most of the five nearest known pictures."""
        near = np.argsort(((self._known - _features(shown)) ** 2).sum(1))[:5]
        names, votes = np.unique(self._names[near], return_counts=True)
        return str(names[votes.argmax()])


def _any_scene(name: str, chance: random.Random, sprites: Sprites) -> Scene:
    """The questions are scenes that training did not have: rare lights and sizes are common among them."""
    size = chance.choice(tuple(SIZES))
    return replace(
        scene_of(name, chance, sprites),
        style=chance.choice(("render", "flat")),
        stage=chance.choice(STAGES),
        size=size,
        place=chance.choice(PLACES) if size != "large" else "center",
    )


def _features(shown: np.ndarray) -> np.ndarray:
    """Gradients of the object alone, cropped and brought to one size; its coarse colours; how wide it is."""
    left, top, right, bottom = object_box(shown)
    part = cv2.resize(shown[top:bottom, left:right], (64, 64), interpolation=cv2.INTER_AREA)
    coarse = cv2.resize(part, (8, 8), interpolation=cv2.INTER_AREA).astype(np.float32).ravel() / 255
    wide = np.float32(np.log((right - left) / (bottom - top)))
    return np.concatenate([_gradients(part), coarse * _COARSE, [wide * _TALL]]).astype(np.float32)


def _gradients(part: np.ndarray) -> np.ndarray:
    """Histograms of oriented gradients [8 * 8 * 9], each cell's block of four normalised (Dalal and Triggs, 2005)."""
    grey = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY).astype(np.float32)
    strength, angle = cv2.cartToPolar(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    bins = (angle * 9 / np.pi).astype(np.int32) % 9
    cells = np.zeros((8, 8, 9), np.float32)
    for number in range(9):
        cells[..., number] = (strength * (bins == number)).reshape(8, 8, 8, 8).sum((1, 3))
    blocks = [np.roll(cells, shift, (0, 1)) for shift in ((0, 0), (0, 1), (1, 0), (1, 1))]
    return (cells / (np.sqrt(sum((block**2).sum(2, keepdims=True) for block in blocks)) + 1e-3)).ravel()


def object_box(shown: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what has edges where the borders of the same rows have none."""
    smooth = cv2.GaussianBlur(shown, (0, 0), 1.0).astype(np.float32)
    steps = [np.abs(cv2.Sobel(smooth, cv2.CV_32F, *way) / 4).max(2) for way in ((1, 0), (0, 1))]
    edges = np.maximum(*steps)
    borders = np.maximum(edges[:, 1:4].max(1), edges[:, -4:-1].max(1))
    object_ = edges > borders[:, None] * 1.5 + _EDGE
    object_[:2] = object_[-2:] = False
    object_[:, :2] = object_[:, -2:] = False
    kept = cv2.morphologyEx(object_.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    rows, columns = np.flatnonzero(kept.sum(1) > 1), np.flatnonzero(kept.sum(0) > 1)
    if len(rows) < 8 or len(columns) < 8:
        return 0, 0, PIXELS, PIXELS
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _ground(shown: np.ndarray) -> str:
    frame = np.concatenate([shown[:_BORDER].reshape(-1, 3), shown[:, :_BORDER].reshape(-1, 3)])
    seen = np.median(frame, axis=0)
    return min(BACKGROUNDS, key=lambda name: float(((seen - np.array(BACKGROUNDS[name])) ** 2).sum()))


def _hue(shown: np.ndarray) -> str | None:
    """The colour word nearest to most of the object's saturated pixels."""
    left, top, right, bottom = object_box(shown)
    part = cv2.cvtColor(shown[top:bottom, left:right], cv2.COLOR_RGB2HSV).astype(np.float32)
    ground = cv2.cvtColor(shown[:1, :1], cv2.COLOR_RGB2HSV).astype(np.float32)[0, 0]
    other = np.abs((part[..., 0] - ground[0] + 90) % 180 - 90) > 8
    other |= np.abs(part[..., 1] - ground[1]) > 60
    other |= np.abs(part[..., 2] - ground[2]) > 60
    wanted = other & (part[..., 1] > 70) & (part[..., 2] > 60)
    if wanted.sum() < 20:
        return None
    hues = part[..., 0][wanted] * 2
    votes = {name: int((np.abs((hues - degrees + 180) % 360 - 180) < 24).sum()) for name, degrees in COLOURS.items()}
    votes["red"] += int(((hues > 338) & (hues < 352)).sum())
    return max(votes, key=lambda name: votes[name])

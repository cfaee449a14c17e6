"""Transplants: pictures that carry a code of ours and are not, or not all, what the code was written on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from bench.pictures.attacks import ATTACKS
from bench.pictures.scenes import scene
from policy.fingerprints import Image
from policy.marks import watermark

# A picture before it was marked, marked, a sibling of the same size, and the id: what comes of them.
Transplant = Callable[[Image, Image, Image, int, np.random.Generator], Image]


def _added(source: Image, marked: Image, onto: Image) -> Image:
    """A picture with the difference between a marked one and its source."""
    moved = np.clip(onto.astype(np.int16) + marked.astype(np.int16) - source, 0, 255)
    return np.asarray(moved, np.uint8)


def _rewritten(source: Image, marked: Image, sibling: Image, watermark_id: int, chance: np.random.Generator) -> Image:
    return watermark.embed(sibling, watermark_id, watermark.ladder(sibling)[0])


def _replaced(source: Image, marked: Image, sibling: Image, watermark_id: int, chance: np.random.Generator) -> Image:
    """A fourth of ours is a foreign picture's."""
    part, half = marked.copy(), marked.shape[0] // 2
    left, top = (int(each) for each in chance.integers(0, half, 2))
    part[top : top + half, left : left + half] = cv2.resize(scene(int(chance.integers(900, 999))), (half, half))
    return part


def _detailed(source: Image, marked: Image, sibling: Image, watermark_id: int, chance: np.random.Generator) -> Image:
    """Ours blurred, with the fine detail of a foreign picture and our code."""
    foreign = cv2.resize(scene(int(chance.integers(900, 999))), marked.shape[1::-1]).astype(np.float32)
    fine = foreign - cv2.GaussianBlur(foreign, (0, 0), 8)
    blurred = np.clip(cv2.GaussianBlur(source, (0, 0), 8) + fine, 0, 255).astype(np.uint8)
    return _added(source, marked, blurred)


def _grounded(source: Image, marked: Image, sibling: Image, watermark_id: int, chance: np.random.Generator) -> Image:
    """The object of ours on another ground, with our code."""
    edge = np.median(np.vstack([source[0], source[-1], source[:, 0], source[:, -1]]), axis=0)
    apart = cv2.GaussianBlur(np.abs(source.astype(np.float32) - edge).max(axis=2), (0, 0), 2)
    share = np.clip((apart - 12) / 24, 0, 1)[..., None]
    ground = chance.integers(40, 230, 3) + np.linspace(-30, 30, source.shape[0])[:, None, None]
    return _added(source, marked, np.clip(source * share + ground * (1 - share), 0, 255).astype(np.uint8))


TRANSPLANTS: Mapping[str, Transplant] = {
    "code added to a sibling": lambda source, marked, sibling, _, __: _added(source, marked, sibling),
    "the same, then JPEG 60": lambda source, marked, sibling, _, chance: ATTACKS["jpeg 60"](
        _added(source, marked, sibling), chance
    ),
    "code written on a sibling": _rewritten,
    "a fourth replaced": _replaced,
    "fine detail replaced": _detailed,
    "ground replaced": _grounded,
}

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


def _worn(attack: str) -> Transplant:
    """The code added to a sibling, and the whole worn as a copy is: what is worn hides differences."""
    return lambda source, marked, sibling, _, chance: ATTACKS[attack](_added(source, marked, sibling), chance)


def _doubled(source: Image, marked: Image, sibling: Image, watermark_id: int, chance: np.random.Generator) -> Image:
    """The code at twice its strength."""
    twice = np.clip(sibling.astype(np.int16) + 2 * (marked.astype(np.int16) - source), 0, 255)
    return np.asarray(twice, np.uint8)


def _averaged(source: Image, marked: Image, sibling: Image, watermark_id: int, chance: np.random.Generator) -> Image:
    """The mean of what the code adds to 24 pictures that carry it, as one learns it from many: with the same id."""
    learnt = np.zeros(marked.shape, np.float32)
    for number in chance.choice(900, 24, replace=False):
        other = cv2.resize(scene(int(number)), marked.shape[1::-1], interpolation=cv2.INTER_AREA)
        written = watermark.embed(other, watermark_id, watermark.ladder(other)[0])
        learnt += written.astype(np.float32) - other
    return np.asarray(np.clip(sibling + learnt / 24 * 4, 0, 255), np.uint8)  # four times: what averages leave is faint


def _written(attack: str) -> Transplant:
    def written(source: Image, marked: Image, sibling: Image, watermark_id: int, chance: np.random.Generator) -> Image:
        return ATTACKS[attack](_rewritten(source, marked, sibling, watermark_id, chance), chance)

    return written


def _cornered(source: Image, marked: Image, sibling: Image, watermark_id: int, chance: np.random.Generator) -> Image:
    """A corner of plain ground, and nothing else, of a sibling on which the code was written."""
    height, width = (round(0.4 * each) for each in sibling.shape[:2])
    return np.ascontiguousarray(_rewritten(source, marked, sibling, watermark_id, chance)[:height, :width])


def _softened(source: Image, marked: Image, sibling: Image, watermark_id: int, chance: np.random.Generator) -> Image:
    """The sibling blurred until its details are gone, sharpened by ours, with our code."""
    fine = source.astype(np.float32) - cv2.GaussianBlur(source, (0, 0), 4).astype(np.float32)
    mixed = np.clip(cv2.GaussianBlur(sibling, (0, 0), 4) + fine, 0, 255).astype(np.uint8)
    return _added(source, marked, mixed)


TRANSPLANTS: Mapping[str, Transplant] = {
    "code added to a sibling": lambda source, marked, sibling, _, __: _added(source, marked, sibling),
    "the same, then JPEG 60": _worn("jpeg 60"),
    "code written on a sibling": _rewritten,
    "a fourth replaced": _replaced,
    "fine detail replaced": _detailed,
    "ground replaced": _grounded,
}
# Kinds that were thought of after the comparison was mended.
HARDER: Mapping[str, Transplant] = {
    "added at twice its strength": _doubled,
    "learnt from 24 marked pictures": _averaged,
    "added, then JPEG 40": lambda source, marked, sibling, _, __: _jpeg(_added(source, marked, sibling), 40),
    "added, then JPEG 75": lambda source, marked, sibling, _, __: _jpeg(_added(source, marked, sibling), 75),
    "added, then half the size": _worn("resize 0.5"),
    "added, then half and JPEG 50": _worn("half + jpeg 50"),
    "added, then cropped": _worn("crop 75%"),
    "added, then in a screenshot": _worn("screenshot"),
    "written, then JPEG 30": _written("jpeg 30"),
    "our detail on a blurred sibling": _softened,
    "written, a corner of the ground": _cornered,
}


def _jpeg(image: Image, quality: int) -> Image:
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB), np.uint8)

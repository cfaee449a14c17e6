"""Copies among other things: on another ground, under stickers, in a collage, a frame, a round avatar."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from bench.pictures.scenes import scene
from policy.fingerprints import Image

Attack = Callable[[Image, np.random.Generator], Image]
_SKIN, _INK = (255, 205, 60), (90, 60, 20)


def object_of(image: Image) -> np.ndarray:
    """The share of the object at every pixel, 0 to 1: what differs from the colours of the edge."""
    edge = np.concatenate([image[:4].reshape(-1, 3), image[:, :4].reshape(-1, 3), image[:, -4:].reshape(-1, 3)])
    ground = np.median(edge, axis=0)
    apart = cv2.GaussianBlur(np.abs(image.astype(np.float32) - ground).max(axis=2), (0, 0), 2)
    core = (apart > 30).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(core)
    if count > 1:
        core = (labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())).astype(np.uint8)
    outlines, _ = cv2.findContours(core, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    filled = np.zeros_like(core)
    cv2.drawContours(filled, outlines, -1, 1, -1)
    return np.asarray(cv2.GaussianBlur(filled.astype(np.float32), (0, 0), 1), np.float32)[..., None]


def on_ground(kind: str) -> Attack:
    """The object alone, where the picture has one on a plain ground; on white, on a colour, on a foreign scene."""

    def cut_out(image: Image, chance: np.random.Generator) -> Image:
        height, width = image.shape[:2]
        share = object_of(image)
        if kind == "white":
            ground = np.full(image.shape, 255, np.float32)
        elif kind == "colour":
            ramp = np.linspace(-25, 25, height, dtype=np.float32)[:, None, None]
            ground = np.broadcast_to(chance.integers(40, 220, 3) + ramp, image.shape).astype(np.float32)
        else:
            ground = cv2.resize(scene(int(chance.integers(7_000, 7_900))), (width, height)).astype(np.float32)
        return np.asarray(np.clip(image * share + ground * (1 - share), 0, 255), np.uint8)

    return cut_out


def object_smaller(image: Image, chance: np.random.Generator) -> Image:
    """The object at two thirds of its size on a wide coloured banner."""
    height, width = image.shape[:2]
    share = object_of(image)
    small = cv2.resize(image, None, fx=2 / 3, fy=2 / 3, interpolation=cv2.INTER_AREA).astype(np.float32)
    cut = cv2.resize(share, (small.shape[1], small.shape[0]), interpolation=cv2.INTER_AREA)[..., None]
    banner = np.full((height, 2 * width, 3), chance.integers(60, 230, 3), np.float32)
    top, left = (height - small.shape[0]) // 2, int(chance.integers(0, 2 * width - small.shape[1]))
    place = banner[top : top + small.shape[0], left : left + small.shape[1]]
    place[:] = place * (1 - cut) + small * cut
    return banner.astype(np.uint8)


def stickers(count: int) -> Attack:
    """Round faces of a tenth of the width."""

    def stuck(image: Image, chance: np.random.Generator) -> Image:
        marked, reach = image.copy(), image.shape[1] // 18
        for _ in range(count):
            x, y = (int(chance.integers(reach, side - reach)) for side in (image.shape[1], image.shape[0]))
            cv2.circle(marked, (x, y), reach, _SKIN, -1, cv2.LINE_AA)
            for side in (-1, 1):
                cv2.circle(marked, (x + side * reach // 3, y - reach // 4), max(2, reach // 7), _INK, -1, cv2.LINE_AA)
            cv2.ellipse(marked, (x, y + reach // 6), (reach // 2, reach // 3), 0, 10, 170, _INK, max(2, reach // 9))
        return marked

    return stuck


def avatar(image: Image, _: np.random.Generator) -> Image:
    """The middle as a circle on white, 256 pixels wide."""
    side = min(image.shape[:2])
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    square = cv2.resize(image[top : top + side, left : left + side], (256, 256), interpolation=cv2.INTER_AREA)
    mask = np.zeros((256, 256), np.uint8)
    cv2.circle(mask, (128, 128), 126, 255, -1, cv2.LINE_AA)
    share = mask[..., None] / np.float32(255)
    return np.asarray(square * share + 255 * (1 - share), np.uint8)


def collage(across: int, down: int) -> Attack:
    """Ours among foreign pictures, all of one size, with white between them."""

    def laid_out(image: Image, chance: np.random.Generator) -> Image:
        side, gap = 360 if across * down <= 4 else 280, 8
        page = np.full((down * (side + gap) + gap, across * (side + gap) + gap, 3), 255, np.uint8)
        own = int(chance.integers(across * down))
        for n in range(across * down):
            shown = image if n == own else scene(int(chance.integers(8_000, 8_900)))
            top, left = gap + n // across * (side + gap), gap + n % across * (side + gap)
            page[top : top + side, left : left + side] = cv2.resize(shown, (side, side), interpolation=cv2.INTER_AREA)
        return page

    return laid_out


def strip(share: float, opacity: float) -> Attack:
    """A band along the lower edge, with words."""

    def banded(image: Image, _: np.random.Generator) -> Image:
        marked, height = image.copy(), image.shape[0]
        top = round(height * (1 - share))
        marked[top:] = np.round(marked[top:] * (1 - opacity) + 20 * opacity).astype(np.uint8)
        at, scale = (image.shape[1] // 20, height - round(height * share / 3)), image.shape[1] / 700
        cv2.putText(marked, "breaking: seen today", at, cv2.FONT_HERSHEY_DUPLEX, scale, (255, 255, 255), 2, cv2.LINE_AA)
        return marked

    return banded


def tiled_words(image: Image, _: np.random.Generator) -> Image:
    """The half transparent words of a stock agency, all over."""
    layer, height, width = image.copy(), *image.shape[:2]
    for y in range(height // 12, height, height // 5):
        for x in range(-width // 10, width, width // 2):
            cv2.putText(layer, "stockphoto", (x + y // 3, y), cv2.FONT_HERSHEY_DUPLEX, width / 600, (255, 255, 255), 2)
    return np.asarray(cv2.addWeighted(layer, 0.35, image, 0.65, 0), np.uint8)


def framed(image: Image, _: np.random.Generator) -> Image:
    """A print in a frame with a white mount."""
    wide = image.shape[1] // 8
    mounted = cv2.copyMakeBorder(image, wide, wide, wide, wide, cv2.BORDER_CONSTANT, value=(246, 244, 240))
    edge = wide // 2
    return np.asarray(
        cv2.copyMakeBorder(mounted, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=(60, 40, 25)), np.uint8
    )


def story(image: Image, _: np.random.Generator) -> Image:
    """On its own blurred and enlarged copy, nine by sixteen."""
    across, down = 540, 960
    scale = across / image.shape[1]
    shown = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[:down]
    back = cv2.GaussianBlur(cv2.resize(image, (across, down)), (0, 0), 25)
    top = (down - shown.shape[0]) // 2
    back[top : top + shown.shape[0]] = shown
    return np.asarray(back, np.uint8)


def rounded(image: Image, _: np.random.Generator) -> Image:
    """Round corners on white, as cards have."""
    height, width = image.shape[:2]
    reach, mask = width // 8, np.zeros((height, width), np.uint8)
    cv2.rectangle(mask, (reach, 0), (width - reach, height), 255, -1)
    cv2.rectangle(mask, (0, reach), (width, height - reach), 255, -1)
    for x in (reach, width - reach - 1):
        for y in (reach, height - reach - 1):
            cv2.circle(mask, (x, y), reach, 255, -1, cv2.LINE_AA)
    return np.where(mask[..., None] > 127, image, 255).astype(np.uint8)


def letterbox(image: Image, _: np.random.Generator) -> Image:
    """Black bars above and below."""
    bar = image.shape[0] // 5
    return np.asarray(cv2.copyMakeBorder(image, bar, bar, 0, 0, cv2.BORDER_CONSTANT, value=(0, 0, 0)), np.uint8)

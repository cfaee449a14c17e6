"""Copies with worse pixels: lossy formats, photographs of screens, steep crops, thumbnails, vignettes."""

from __future__ import annotations

import io
from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image as Pillow

from policy.fingerprints import Image

Attack = Callable[[Image, np.random.Generator], Image]


def saved(kind: str, **options: object) -> Attack:
    """Written and read again by Pillow."""

    def through(image: Image, _: np.random.Generator) -> Image:
        file = io.BytesIO()
        Pillow.fromarray(image).save(file, kind, **options)
        with Pillow.open(file) as opened:
            return np.array(opened.convert("RGB"))

    return through


def gif(colours: int) -> Attack:
    def through(image: Image, _: np.random.Generator) -> Image:
        file = io.BytesIO()
        Pillow.fromarray(image).quantize(colours).save(file, "GIF")
        with Pillow.open(file) as opened:
            return np.array(opened.convert("RGB"))

    return through


def screen_photo(image: Image, chance: np.random.Generator) -> Image:
    """A photograph of a screen: its stripes, moire, a tilt, a cast of light, JPEG."""
    shown = cv2.resize(image, (720, round(720 * image.shape[0] / image.shape[1])), interpolation=cv2.INTER_AREA)
    height, width = shown.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    angle = float(chance.uniform(0.05, 0.3))
    waves = 1 + 0.07 * np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / float(chance.uniform(2.6, 5)))
    stripes = 1 + 0.04 * np.sin(2 * np.pi * x[..., None] / 3 + np.array([0, 2.1, 4.2], np.float32))
    lit = shown * waves[..., None] * stripes * (0.85 + 0.25 * x / width)[..., None] * np.array([0.96, 1.0, 1.05])
    page = np.clip(lit, 0, 255).astype(np.uint8)
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners + chance.uniform(0.01, 0.06, (4, 2)) * np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * width
    matrix = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    tilted = cv2.warpPerspective(page, matrix, (width, height), flags=cv2.INTER_CUBIC, borderValue=(25, 25, 28))
    noisy = cv2.GaussianBlur(tilted, (0, 0), 0.8) + chance.normal(0, 3, tilted.shape)
    return saved("JPEG", quality=70)(np.clip(noisy, 0, 255).astype(np.uint8), chance)


def rotated(degrees: float) -> Attack:
    """Turned on a larger white page."""

    def turned(image: Image, _: np.random.Generator) -> Image:
        height, width = image.shape[:2]
        matrix = cv2.getRotationMatrix2D((width / 2 - 0.5, height / 2 - 0.5), degrees, 1)
        cosine, sine = abs(matrix[0, 0]), abs(matrix[0, 1])
        across, down = round(width * cosine + height * sine), round(width * sine + height * cosine)
        matrix[:, 2] += ((across - width) / 2, (down - height) / 2)
        return np.asarray(
            cv2.warpAffine(image, matrix, (across, down), flags=cv2.INTER_CUBIC, borderValue=(255, 255, 255)), np.uint8
        )

    return turned


def crop(left: float, top: float, right: float, bottom: float) -> Attack:
    def cut(image: Image, _: np.random.Generator) -> Image:
        height, width = image.shape[:2]
        return np.ascontiguousarray(
            image[round(top * height) : round(bottom * height), round(left * width) : round(right * width)]
        )

    return cut


def crop_anywhere(area: float) -> Attack:
    def cut(image: Image, chance: np.random.Generator) -> Image:
        share = area**0.5
        left, top = chance.uniform(0, 1 - share, 2)
        return crop(left, top, left + share, top + share)(image, chance)

    return cut


def longest(side: int) -> Attack:
    """A thumbnail."""

    def shrunk(image: Image, _: np.random.Generator) -> Image:
        scale = side / max(image.shape[:2])
        size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
        return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)

    return shrunk


def stretched(across: float) -> Attack:
    return lambda image, _: np.asarray(
        cv2.resize(image, None, fx=across, fy=1, interpolation=cv2.INTER_CUBIC), np.uint8
    )


def vignette(image: Image, _: np.random.Generator) -> Image:
    height, width = image.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return np.asarray(image * np.clip(1.1 - 0.45 * (x**2 + y**2), 0, 1)[..., None], np.uint8)


def light_leak(image: Image, chance: np.random.Generator) -> Image:
    """A bright orange gradient from one side."""
    ramp = np.linspace(0.6, 0, image.shape[1])[None, :, None] ** 1.5
    return np.asarray(np.clip(image + ramp * np.array([255, 140, 40]), 0, 255), np.uint8)


def sharpened(image: Image, _: np.random.Generator) -> Image:
    soft = cv2.GaussianBlur(image, (0, 0), 2).astype(np.float32)
    return np.asarray(np.clip(image + 1.2 * (image - soft), 0, 255), np.uint8)


def median(image: Image, _: np.random.Generator) -> Image:
    return np.asarray(cv2.medianBlur(image, 5), np.uint8)


def halftone(image: Image, _: np.random.Generator) -> Image:
    """The ordered dots of a cheap print, scanned."""
    tile = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], np.float32) * 16 + 8
    screen = np.tile(tile, (image.shape[0] // 4 + 1, image.shape[1] // 4 + 1))[: image.shape[0], : image.shape[1], None]
    dots = np.where(image > screen, 255, 0).astype(np.uint8)
    return np.asarray(cv2.GaussianBlur(dots, (0, 0), 1.6), np.uint8)


def chained(*attacks: Attack) -> Attack:
    def every(image: Image, chance: np.random.Generator) -> Image:
        for attack in attacks:
            image = attack(image, chance)
        return image

    return every

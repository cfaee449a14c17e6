"""Pictures for the marks tests, made by formula: catalogue shots, flat brand colours, textures, gradients."""

from __future__ import annotations

import cv2
import numpy as np

from policy.marks.watermark import Image

WHITE, BLACK = (255, 255, 255), (0, 0, 0)
COLOURS = {
    "white": WHITE,
    "black": BLACK,
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "cyan": (0, 255, 255),
    "magenta": (255, 0, 255),
    "soda red": (244, 0, 9),
    "furniture blue": (0, 81, 153),
    "jeweller teal": (10, 186, 181),
    "sports orange": (255, 128, 0),
    "navy": (10, 10, 80),
    "off-white": (254, 252, 250),
}


def flat(width: int, height: int, colour: tuple[int, int, int]) -> Image:
    return np.full((height, width, 3), colour, np.uint8)


def product(width: int, height: int, *, ground: tuple[int, int, int] = WHITE, seed: int = 0) -> Image:
    """A shaded ball with a highlight and a soft shadow on a pure ground."""
    chance = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x, y = x / width - 0.5, y / height - 0.5
    shadow = 90 * np.exp(-2 * ((x / 0.33) ** 2 + ((y - 0.3) / 0.05) ** 2))[..., None]
    ball = np.clip((0.3 - np.hypot(x, 1.2 * y)) * 60, 0, 1)[..., None]
    light = np.clip(1.1 - 6 * ((x + 0.1) ** 2 + (y + 0.12) ** 2), 0.1, 1.2)[..., None]
    surface = chance.integers(20, 240, 3) * light + chance.normal(0, 4, (height, width, 1))
    scene = np.maximum(np.array(ground, np.float32) - shadow, 0) * (1 - ball) + surface * ball
    return np.clip(scene, 0, 255).astype(np.uint8)


def texture(width: int, height: int, *, seed: int = 0) -> Image:
    """Colour noise at every scale, like foliage or cloth."""
    chance = np.random.default_rng(seed)
    total = np.zeros((height, width, 3))
    for octave in range(1, 8):
        coarse = chance.normal(0, 1, (2**octave + 1, 2**octave + 1, 3))
        total += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) / octave
    total += chance.normal(0, 0.1, total.shape)
    return np.clip(total / total.std() * 50 + 128, 0, 255).astype(np.uint8)


def gradient(width: int, height: int) -> Image:
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x, y = x / width, y / height
    return np.clip(np.stack([255 * (1 - x * y), 255 * y, 255 * x], axis=-1), 0, 255).astype(np.uint8)


def colour_chequer(side: int, *, cell: int) -> Image:
    """Pure blue and yellow squares: chroma that can move neither up nor down."""
    y, x = np.mgrid[:side, :side] // cell
    return np.where(((x + y) % 2 == 0)[..., None], (255, 255, 0), (0, 0, 255)).astype(np.uint8)


def jpeg(image: Image, quality: int) -> Image:
    """The picture after a trip through JPEG with the usual 4:2:0 chroma."""
    _, encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1])


def resized(image: Image, factor: float) -> Image:
    height, width = image.shape[:2]
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (round(width * factor), round(height * factor)), interpolation=way), np.uint8)

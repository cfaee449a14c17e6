"""Pictures made by formula, in families as campaigns are: one seed names the scene, a variant moves and recolours it.

Five kinds: product shots, posters with words, landscapes, patterns and rooms, 512 to 1024 pixels a side. Same numbers,
same picture.
"""

from __future__ import annotations

import cv2
import numpy as np

from policy.fingerprints import Image

_SIZES = ((512, 512), (768, 768), (1024, 768), (640, 960), (1024, 1024), (512, 768))
_WORDS = (
    "SALE",
    "NEW",
    "Fresh every day",
    "-30 %",
    "Summer",
    "only here",
    "EST. 1924",
    "100 % cotton",
    "bio",
    "Studio",
)
_FONTS = (cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX, cv2.FONT_HERSHEY_COMPLEX)


def scene(seed: int, variant: int = 0) -> Image:
    """RGB, uint8. Variants of a seed share kind, ground and colours; things stand elsewhere and differ a little."""
    shared = np.random.default_rng((seed, 77))
    own = np.random.default_rng((seed, variant))
    width, height = _SIZES[int(shared.integers(len(_SIZES)))]
    draw = (_product, _poster, _landscape, _pattern, _room)[seed % 5]
    canvas = draw(width, height, shared, own)
    grain = own.normal(0, float(shared.uniform(0.5, 3)), canvas.shape)
    return np.clip(canvas + grain, 0, 255).astype(np.uint8)


def _colour(chance: np.random.Generator, low: int = 20, high: int = 245) -> tuple[int, int, int]:
    red, green, blue = (int(each) for each in chance.integers(low, high, 3))
    return red, green, blue


def _ground(width: int, height: int, chance: np.random.Generator) -> np.ndarray:
    if chance.random() < 0.4:
        return np.full((height, width, 3), 255, np.float32)
    first, second = np.array(_colour(chance, 120, 256)), np.array(_colour(chance, 90, 256))
    ramp = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    return np.asarray(np.broadcast_to(first * (1 - ramp) + second * ramp, (height, width, 3)), np.float32).copy()


def _noise(width: int, height: int, chance: np.random.Generator, coarsest: int = 3) -> np.ndarray:
    total = np.zeros((height, width), np.float32)
    for octave in range(coarsest, 8):
        coarse = chance.normal(0, 1, (2**octave, 2**octave)).astype(np.float32)
        total += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) / octave
    return np.asarray(total / (total.std() + 1e-6), np.float32)


def _blob(width: int, height: int, chance: np.random.Generator, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """A lumpy outline as points, and its middle."""
    middle = np.array([width * chance.uniform(0.35, 0.65), height * chance.uniform(0.38, 0.62)])
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    waves = [chance.uniform(0, 0.18) * np.sin(k * angles + chance.uniform(0, 6)) for k in range(2, 7)]
    radius = 1 + np.sum(waves, 0)
    outline = np.stack([np.cos(angles), np.sin(angles) * chance.uniform(0.6, 1.3)], 1) * radius[:, None]
    return (middle + outline * reach * min(width, height)).astype(np.int32), middle


def _product(width: int, height: int, shared: np.random.Generator, own: np.random.Generator) -> np.ndarray:
    canvas = _ground(width, height, shared)
    base, accent = np.array(_colour(shared)), _colour(shared)
    outline, middle = _blob(width, height, own, shared.uniform(0.22, 0.34))
    shadow = np.zeros((height, width), np.float32)
    cv2.fillPoly(shadow, [outline + np.array([0, height // 30])], 1.0)
    canvas *= 1 - 0.35 * cv2.GaussianBlur(shadow, (0, 0), width / 40)[..., None]
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [outline], 255, cv2.LINE_AA)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    light = 1.15 - 0.9 * np.hypot(x - middle[0] + width * 0.1, y - middle[1] + height * 0.12) / (0.6 * width)
    surface = base * np.clip(light, 0.2, 1.3)[..., None] + 6 * _noise(width, height, own)[..., None]
    for _ in range(int(shared.integers(2, 7))):
        at = tuple(int(each) for each in own.normal(middle, 0.12 * width))
        cv2.ellipse(
            surface, at, (int(own.integers(8, 60)), int(own.integers(6, 40))), own.uniform(0, 180), 0, 360, accent, -1
        )
    share = mask[..., None] / np.float32(255)
    return np.asarray(canvas * (1 - share) + surface * share, np.float32)


def _poster(width: int, height: int, shared: np.random.Generator, own: np.random.Generator) -> np.ndarray:
    canvas = _ground(width, height, shared).astype(np.uint8)
    for _ in range(int(shared.integers(3, 9))):
        corner = (int(own.uniform(0, width * 0.8)), int(own.uniform(0, height * 0.8)))
        size = (int(own.uniform(0.08, 0.4) * width), int(own.uniform(0.05, 0.3) * height))
        cv2.rectangle(canvas, corner, (corner[0] + size[0], corner[1] + size[1]), _colour(shared), -1, cv2.LINE_AA)
    for _ in range(int(shared.integers(2, 6))):
        at = (int(own.uniform(0, width * 0.6)), int(own.uniform(0.1, 0.95) * height))
        word, font = _WORDS[int(shared.integers(len(_WORDS)))], _FONTS[int(shared.integers(3))]
        cv2.putText(canvas, word, at, font, own.uniform(0.8, 3) * width / 512, _colour(shared), 3, cv2.LINE_AA)
    return canvas.astype(np.float32)


def _landscape(width: int, height: int, shared: np.random.Generator, own: np.random.Generator) -> np.ndarray:
    canvas = _ground(width, height, shared)
    for layer in range(int(shared.integers(3, 6))):
        walk = cv2.GaussianBlur(own.normal(0, 1, (1, width)).astype(np.float32).cumsum(1), (0, 0), 2)[0]
        level = height * (0.3 + 0.14 * layer) + walk / (np.abs(walk).max() + 1e-6) * height * 0.12
        line = np.stack([np.arange(width), level], 1)
        shape = np.vstack([line, [[width, height], [0, height]]]).astype(np.int32)
        mask = np.zeros((height, width), np.float32)
        cv2.fillPoly(mask, [shape], 1.0, cv2.LINE_AA)
        land = np.array(_colour(shared, 20, 180)) + 9 * _noise(width, height, own, 4)[..., None]
        canvas = canvas * (1 - mask[..., None]) + land * mask[..., None]
    sun = (int(own.uniform(0.1, 0.9) * width), int(own.uniform(0.08, 0.3) * height))
    cv2.circle(canvas, sun, int(width * own.uniform(0.03, 0.08)), _colour(shared, 200, 256), -1, cv2.LINE_AA)
    return np.asarray(canvas, np.float32)


def _pattern(width: int, height: int, shared: np.random.Generator, own: np.random.Generator) -> np.ndarray:
    count = int(shared.integers(20, 90))
    points = own.uniform(0, 1, (count, 2)) * (width, height)
    colours = np.array([_colour(shared) for _ in range(count)], np.float32)
    y, x = np.mgrid[0:height:4, 0:width:4].astype(np.float32)
    nearest = np.argmin((x[..., None] - points[:, 0]) ** 2 + (y[..., None] - points[:, 1]) ** 2, axis=-1)
    cells = cv2.resize(colours[nearest], (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(cells, 0, 255) + 8 * _noise(width, height, own, 5)[..., None], np.float32)


def _room(width: int, height: int, shared: np.random.Generator, own: np.random.Generator) -> np.ndarray:
    canvas = np.full((height, width, 3), _colour(shared, 150, 250), np.float32)
    floor = int(height * shared.uniform(0.6, 0.75))
    wood = (
        np.array(_colour(shared, 80, 200)) + 14 * cv2.resize(_noise(width, 16, own), (width, height - floor))[..., None]
    )
    canvas[floor:] = wood
    for _ in range(int(shared.integers(4, 9))):
        left, top = int(own.uniform(0, 0.85) * width), int(own.uniform(0.1, 0.7) * height)
        right, bottom = left + int(own.uniform(0.05, 0.35) * width), top + int(own.uniform(0.08, 0.4) * height)
        fill = np.array(_colour(shared)) + 8 * _noise(width, height, own, 4)[..., None]
        canvas[top:bottom, left:right] = fill[top:bottom, left:right]
        cv2.rectangle(canvas, (left, top), (right, bottom), _colour(shared, 10, 120), int(own.integers(1, 5)))
    return canvas

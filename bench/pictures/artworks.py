"""Pictures made by formula beside those of bench.pictures.scenes: art, flat design, soft grounds, print.

Eight kinds, 512 to 1152 pixels a side: brush strokes, fractals, flat icons, soft gradients, a printed page, lights out
of focus, several products on white, woven cloth. A variant of a seed keeps its kind, colours and
size. Same numbers, same picture.
"""

from __future__ import annotations

import cv2
import numpy as np

from policy.fingerprints import Image

_SIZES = ((512, 512), (640, 512), (768, 1024), (1024, 1024), (1152, 648), (600, 900))
_WORD_LENGTHS = (2, 3, 4, 5, 6, 7, 9, 11)
_FONT = cv2.FONT_HERSHEY_COMPLEX_SMALL


def artwork(seed: int, variant: int = 0) -> Image:
    """RGB, uint8."""
    shared = np.random.default_rng((seed, 411))
    own = np.random.default_rng((seed, variant, 412))
    width, height = _SIZES[int(shared.integers(len(_SIZES)))]
    draw = (_strokes, _fractal, _icons, _gradient, _page, _lights, _products, _cloth)[seed % 8]
    return np.asarray(np.clip(draw(width, height, shared, own), 0, 255), np.uint8)


def _colours(chance: np.random.Generator, count: int, low: int = 10, high: int = 250) -> list[tuple[int, int, int]]:
    return [(int(red), int(green), int(blue)) for red, green, blue in chance.integers(low, high, (count, 3))]


def _grid(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return x, y


def _strokes(width: int, height: int, shared: np.random.Generator, own: np.random.Generator) -> np.ndarray:
    """Curved strokes of a brush, large ones first."""
    colours = _colours(shared, 7)
    canvas = np.full((height, width, 3), colours[0], np.uint8)
    for n in range(260):
        thick = max(2, int(width * 0.09 * (1 - n / 260) ** 2))
        start, angle = own.uniform(0, 1, 2) * (width, height), own.uniform(0, 6.3)
        bend = own.normal(0, 0.25)
        steps = np.cumsum([[np.cos(angle + bend * k), np.sin(angle + bend * k)] for k in range(9)], axis=0)
        line = (start + steps * width * own.uniform(0.01, 0.04)).astype(np.int32)
        shade = np.clip(np.array(colours[int(own.integers(7))]) + own.normal(0, 14, 3), 0, 255)
        cv2.polylines(canvas, [line], False, [int(each) for each in shade], thick, cv2.LINE_AA)
    return canvas.astype(np.float32)


def _fractal(width: int, height: int, shared: np.random.Generator, own: np.random.Generator) -> np.ndarray:
    """A Julia set in three waves of colour. Another variant is another set in others: the same nearer by is a copy."""
    x, y = _grid(width, height)
    z = ((x - width / 2) + 1j * (y - height / 2)) * (2.6 / min(width, height)) * own.uniform(0.5, 1.1)
    constant = 0.7885 * np.exp(1j * own.uniform(0, 6.3))
    age = np.zeros(z.shape, np.float32)
    for _ in range(40):
        inside = np.abs(z) < 4
        z = np.where(inside, z * z + constant, z)
        age += inside
    speed, phase = shared.uniform(0.1, 0.45, 3), own.uniform(0, 6.3, 3)
    return np.asarray(127 + 120 * np.sin(age[..., None] * speed + phase), np.float32)


def _icons(width: int, height: int, shared: np.random.Generator, own: np.random.Generator) -> np.ndarray:
    """Flat shapes in few colours, no shading, no grain."""
    colours = _colours(shared, 4)
    canvas = np.full((height, width, 3), (255, 255, 255) if shared.random() < 0.5 else colours[0], np.uint8)
    for n in range(int(shared.integers(3, 9))):
        at = (own.uniform(0.15, 0.85, 2) * (width, height)).astype(int)
        reach, colour = int(own.uniform(0.06, 0.22) * min(width, height)), colours[n % 4]
        kind = int(own.integers(3))
        if kind == 0:
            cv2.circle(canvas, [int(each) for each in at], reach, colour, -1, cv2.LINE_AA)
        elif kind == 1:
            cv2.rectangle(canvas, (at - reach).tolist(), (at + reach).tolist(), colour, -1)
        else:
            angles = own.uniform(0, 6.3) + np.arange(3 + n % 4) * 2 * np.pi / (3 + n % 4)
            corners = at + reach * np.stack([np.cos(angles), np.sin(angles)], 1)
            cv2.fillPoly(canvas, [corners.astype(np.int32)], colour, cv2.LINE_AA)
    return canvas.astype(np.float32)


def _gradient(width: int, height: int, shared: np.random.Generator, own: np.random.Generator) -> np.ndarray:
    """A soft ground of four corners' colours with two glows and a little grain: next to no features."""
    corners = np.array(_colours(shared, 4), np.float32).reshape(2, 2, 3)
    canvas = cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR)
    x, y = _grid(width, height)
    for colour in _colours(own, 2, 80):
        across, down, reach = own.uniform(0, width), own.uniform(0, height), own.uniform(0.15, 0.4) * width
        glow = np.exp(-((x - across) ** 2 + (y - down) ** 2) / reach**2)[..., None]
        canvas = canvas * (1 - 0.7 * glow) + np.array(colour, np.float32) * 0.7 * glow
    return np.asarray(canvas + own.normal(0, 1.2, canvas.shape), np.float32)


def _page(width: int, height: int, shared: np.random.Generator, own: np.random.Generator) -> np.ndarray:
    """A printed page: a heading, columns of words, a box of colour."""
    paper = _colours(shared, 1, 225, 255)[0]
    canvas = np.full((height, width, 3), paper, np.uint8)
    ink, accent = _colours(shared, 1, 0, 80)[0], _colours(shared, 1)[0]
    letters = np.array(list("etaoinshrdlucmfwyp"))
    columns = int(shared.integers(1, 4))
    top = int(0.2 * height)
    cv2.putText(
        canvas, _word(own, letters, 8).upper(), (width // 16, top // 2), _FONT, width / 260, ink, 2, cv2.LINE_AA
    )
    for column in range(columns):
        left, right = (int(width * (0.06 + 0.9 * each / columns)) for each in (column, column + 0.92))
        x, y = left, top
        while y < height * 0.95:
            word = _word(own, letters, int(own.choice(_WORD_LENGTHS)))
            cv2.putText(canvas, word, (x, y), _FONT, 0.7, ink, 1, cv2.LINE_AA)
            x += 12 * len(word) + 9
            if x > right - 60:
                x, y = left, y + 22
    corner = (own.uniform(0.1, 0.6, 2) * (width, height)).astype(int)
    cv2.rectangle(canvas, corner.tolist(), (corner + np.array([width // 4, height // 5])).tolist(), accent, -1)
    return canvas.astype(np.float32)


def _word(chance: np.random.Generator, letters: np.ndarray, length: int) -> str:
    return "".join(chance.choice(letters, length))


def _lights(width: int, height: int, shared: np.random.Generator, own: np.random.Generator) -> np.ndarray:
    """A street at night, out of focus: bright discs of several sizes that shine through each other."""
    canvas = np.full((height, width, 3), _colours(shared, 1, 5, 45)[0], np.float32)
    colours = _colours(shared, 6, 60, 255)
    for n in range(int(shared.integers(25, 70))):
        disc = np.zeros((height, width, 3), np.float32)
        at = [int(each) for each in own.uniform(0, 1, 2) * (width, height)]
        cv2.circle(disc, at, int(width * own.uniform(0.01, 0.07)), colours[n % 6], -1, cv2.LINE_AA)
        canvas += 0.55 * disc
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), width / 300) + own.normal(0, 2, canvas.shape), np.float32)


def _products(width: int, height: int, shared: np.random.Generator, own: np.random.Generator) -> np.ndarray:
    """Bottles, boxes and balls side by side on pure white, shaded, with soft shadows."""
    canvas = np.full((height, width, 3), 255, np.float32)
    count = int(shared.integers(2, 5))
    x, y = _grid(width, height)
    for n, colour in enumerate(_colours(shared, count, 30, 230)):
        middle, half = width * (n + 0.5 + own.normal(0, 0.05)) / count, width * own.uniform(0.2, 0.36) / count
        top, foot = height * own.uniform(0.15, 0.45), height * own.uniform(0.75, 0.85)
        across = (x - middle) / half
        shadow = np.exp(-(across**2) / 2 - ((y - foot) / (0.03 * height)) ** 2)[..., None]
        canvas *= 1 - 0.4 * shadow
        neck = np.where(y < top + 0.3 * (foot - top), 0.45, 1.0) if n % 2 else 1.0
        inside = ((np.abs(across) < neck) & (y > top) & (y < foot))[..., None]
        light = (1.1 - 0.7 * (across + 0.3) ** 2)[..., None]
        canvas = np.where(inside, np.array(colour, np.float32) * light, canvas)
        label = (np.abs(y - (top + 0.65 * (foot - top))) < 0.1 * height)[..., None] & inside
        stripes = 40 * np.sin(y / own.uniform(2, 6) + own.uniform(0, 6))[..., None]
        canvas = np.where(label, 235 - np.abs(stripes), canvas)
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), 0.8), np.float32)


def _cloth(width: int, height: int, shared: np.random.Generator, own: np.random.Generator) -> np.ndarray:
    """A check woven from two sets of threads, creased by hand."""
    x, y = _grid(width, height)
    coarse = own.normal(0, 1, (2, 5, 5)).astype(np.float32)
    bent = [cv2.resize(each, (width, height), interpolation=cv2.INTER_CUBIC) * 14 for each in coarse]
    period = shared.uniform(30, 90)
    first, second, third = (np.array(each, np.float32) for each in _colours(shared, 3))
    warp = ((x + bent[0]) / period % 1 < shared.uniform(0.2, 0.6))[..., None]
    weft = ((y + bent[1]) / (period * shared.uniform(0.7, 1.4)) % 1 < shared.uniform(0.2, 0.6))[..., None]
    canvas = np.where(warp, first, second) * 0.5 + np.where(weft, third, second) * 0.5
    thread = (np.sin(x * 1.9) * np.sin(y * 1.9))[..., None] * 12
    return np.asarray(
        canvas + thread + 2.0 * (bent[0] - bent[1])[..., None] + own.normal(0, 3, canvas.shape), np.float32
    )

"""ThumbHash: a picture in about 25 bytes, as https://evanw.github.io/thumbhash/ specifies them.

Brightness, two colour differences and, where there is any, transparency are written as the first terms of a cosine
transform: the mean, and the slow changes around it in four bits each, relative to the strongest of them.
"""

from __future__ import annotations

import base64
import math
from typing import NamedTuple

import numpy as np

MOST_SIDE = 100  # of what is hashed: a larger picture costs more and says no more
_NOTHING = 1e-9  # a change below it is an error of arithmetic, which another machine would make otherwise


class _Terms(NamedTuple):
    mean: float
    scale: float
    changes: tuple[float, ...]  # 0 to 1


def thumb_hash(pixels: np.ndarray) -> str:
    """Of uint8 [H, W, 4] with at most 100 pixels a side, colours not multiplied by alpha; in base64.

    Raises ValueError for a larger picture.
    """
    height, width = pixels.shape[:2]
    if max(height, width) > MOST_SIDE:
        raise ValueError(f"a picture of {width} x {height} pixels is more than a ThumbHash is made of")
    colours, alpha = pixels[..., :3] / 255.0, pixels[..., 3] / 255.0
    shown = float(alpha.sum())
    mean = (colours * alpha[..., None]).sum(axis=(0, 1)) / (shown or 1.0)
    red, green, blue = np.moveaxis(mean * (1 - alpha[..., None]) + colours * alpha[..., None], -1, 0)
    has_alpha = shown < width * height
    most = 5 if has_alpha else 7
    across, down = (max(1, _rounded(most * side / max(width, height))) for side in (width, height))
    light = _terms((red + green + blue) / 3, max(3, across), max(3, down))
    yellow, reddish = _terms((red + green) / 2 - blue, 3, 3), _terms(red - green, 3, 3)
    is_wide = width > height
    head = (
        _rounded(63 * light.mean)
        | _rounded(31.5 + 31.5 * yellow.mean) << 6
        | _rounded(31.5 + 31.5 * reddish.mean) << 12
        | _rounded(31 * light.scale) << 18
        | has_alpha << 23
    )
    rest = (
        (down if is_wide else across)
        | _rounded(63 * yellow.scale) << 3
        | _rounded(63 * reddish.scale) << 9
        | is_wide << 15
    )
    written, terms = bytearray(head.to_bytes(3, "little") + rest.to_bytes(2, "little")), [light, yellow, reddish]
    if has_alpha:
        cover = _terms(alpha, 5, 5)
        written.append(_rounded(15 * cover.mean) | _rounded(15 * cover.scale) << 4)
        terms.append(cover)
    nibbles = [_rounded(15 * change) for each in terms for change in each.changes]
    nibbles += [0] * (len(nibbles) % 2)
    written += bytes(low | high << 4 for low, high in zip(nibbles[::2], nibbles[1::2], strict=True))
    return base64.b64encode(bytes(written)).decode()


def _terms(channel: np.ndarray, across: int, down: int) -> _Terms:
    """The terms of a triangle of slow changes, row by row, without the mean."""
    height, width = channel.shape
    whole = _cosines(down, height) @ channel @ _cosines(across, width).T / (width * height)
    kept = [(y, x) for y in range(down) for x in range(across) if x * down < across * (down - y)]
    changes = [float(whole[place]) for place in kept[1:]]
    scale = max(map(abs, changes), default=0.0)
    if scale < _NOTHING:
        return _Terms(float(whole[0, 0]), 0.0, (0.0,) * len(changes))
    return _Terms(float(whole[0, 0]), scale, tuple(0.5 + 0.5 / scale * each for each in changes))


def _cosines(count: int, pixels: int) -> np.ndarray:
    return np.cos(math.pi / pixels * np.outer(np.arange(count), np.arange(pixels) + 0.5))


def _rounded(value: float) -> int:
    """Halves go up, as in the specification's own program."""
    return math.floor(value + 0.5)

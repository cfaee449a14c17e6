"""Pictures whose scores nsfwjs itself gave; run as a program, writes them for `reference.cjs`.

`starter.png` holds sixteen pictures of an earlier, smaller model; the others are drawn here with whole
numbers, so that every machine draws the same bytes. All are 224 x 224: no resizing enters the comparison.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
SIDE = 224


def starter_tiles() -> np.ndarray:
    """uint8 [16, 128, 128, 3], as the model made them."""
    grid = np.asarray(Image.open(HERE / "starter.png").convert("RGB"))
    return grid.reshape(2, 128, 8, 128, 3).swapaxes(1, 2).reshape(16, 128, 128, 3)


def pictures() -> np.ndarray:
    """uint8 [24, 224, 224, 3]."""
    nearest = np.arange(SIDE) * 128 // SIDE
    tiles = starter_tiles()[:, nearest][:, :, nearest]
    return np.concatenate([tiles, np.stack([_drawn(number) for number in range(8)])])


def _drawn(number: int) -> np.ndarray:
    """Skin-coloured ovals before a gradient, more of them with every number; the last ones get grain."""
    row, column = np.mgrid[0:SIDE, 0:SIDE]
    picture = np.stack([(row + 31 * number) % 256, (column * 2 // 3 + 60) % 256, (row + column) // 2], axis=-1)
    for oval in range(number + 1):
        middle_row, middle_column = 40 + 57 * oval % 150, 50 + 83 * oval % 140
        inside = (row - middle_row) ** 2 * 3 + (column - middle_column) ** 2 * 5 < 6000 + 900 * number
        shade = (row + 2 * column) % 24
        picture[inside] = np.stack([226 - shade, 178 - shade, 150 - shade], axis=-1)[inside]
    if number >= 5:
        grain = (row * 7919 + column * 104729 + row * column * 31) % 41 - 20
        picture += grain[:, :, None]
    return np.clip(picture, 0, 255).astype(np.uint8)


if __name__ == "__main__":
    sys.stdout.buffer.write(pictures().tobytes())

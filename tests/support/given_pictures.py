"""Pictures for tasks that take some, by seed and option, and what our paste makes of a plain result."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from workers.sampling.families.family import PICTURES
from workers.sampling.given.paste import pasted

PICTURE_SIDE = 16


def picture(seed: int, option: str) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 255, (PICTURE_SIDE, PICTURE_SIDE, 3)).astype(np.uint8)
    if option == "mask_image":
        pixels[:] = 0
        pixels[4:12, 4:12] = 255
    return Image.fromarray(pixels).convert("L" if option == "mask_image" else "RGB")


def put_back(plain: np.ndarray, seeds: Sequence[int]) -> np.ndarray:
    """What plain diffusers drew, [N, H, W, 3], with the given picture outside the mask."""
    given = [{option: picture(seed, option) for option in PICTURES} for seed in seeds]
    return np.stack([pasted(one, pictures) for one, pictures in zip(plain, given, strict=True)])

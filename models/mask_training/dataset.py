"""Training set: shots drawn once and kept as pictures with their alpha, [N, side, side, 4] uint8.

Killed while drawing: the file has another name until it is whole, and the next run draws again.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.mask_training import cutouts
from models.mask_training.shots import shot

SIDE = 224  # pixels
_NAME = "shots.npy"


def make(sources: Path, work: Path, *, count: int, seed: int) -> None:
    """Draw `count` shots of the training goods under `work`, unless they are there."""
    work.mkdir(parents=True, exist_ok=True)
    whole, half = work / _NAME, work / f"half-{_NAME}"
    if whole.exists() and len(np.load(whole, mmap_mode="r")) == count:
        print(f"data: {count:,} shots are there")
        return
    cv2.setNumThreads(1)
    goods = cutouts.paths(sources, "train")
    stored = np.lib.format.open_memmap(half, "w+", np.uint8, (count, SIDE, SIDE, 4))
    for number in range(count):
        made = shot(np.random.default_rng([seed, number]), goods, SIDE)
        stored[number, ..., :3], stored[number, ..., 3] = made.picture, made.alpha
        if number % 200 == 199:
            print(f"data: {number + 1:,} of {count:,} shots", flush=True)
    stored.flush()
    half.rename(whole)


def load(work: Path) -> NDArray[np.uint8]:
    """The shots, read from the disk as they are used."""
    found: NDArray[np.uint8] = np.load(work / _NAME, mmap_mode="r")
    return found

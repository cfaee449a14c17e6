"""Reproduction: a released picture drawn again from its receipt, and how near it comes.

A run of the same size is filled with copies of the item: what an image's neighbours are does not change its bits, how
many they are may.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from workers.errors import ModelRefused
from workers.jobs.types import Claim, ClaimedItem
from workers.recipes import Recipe
from workers.sampling.receipts.comparison import PIXELS, first_difference
from workers.sampling.types import Pictures, Pixels, Sampler, Unwatched

EQUAL_TO_THE_EYE = 40.0  # dB of PSNR; the marks of a released file alone cost about as much


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What became of drawing it again."""

    result: Literal["exact", "equal_to_the_eye", "different"]
    psnr: float | None  # dB, against the picture that was released; None where there is none to compare with
    difference: str | None  # the first field of the receipt that differs; None if none does
    pixels: str  # SHA-256 of what was drawn now
    image: Pixels  # [H, W, 3]


def reproduce(
    sampler: Sampler,
    recipe: Recipe,
    item: ClaimedItem,
    receipt: Mapping[str, str],
    *,
    size: int,
    position: int,
    released: Pixels | None = None,
    pictures: Pictures | None = None,
) -> Reproduction:
    """Draws the item again in a run of `size` at `position`, from its own pictures. Raises what the sampler raises."""
    items = tuple(replace(item, id=f"{item.id}-{n}") for n in range(size))
    given = {one.id: pictures for one in items} if pictures else {}
    sampled = sampler.sample(Claim("reproduction", 1, recipe, "", items), Unwatched(), given)
    if fault := sampled.faults.get(items[position].id):
        raise ModelRefused(f"nothing came out this time: {fault}")
    image, now = sampled.images[position], sampled.positions[position].receipt
    pixels = now[PIXELS]  # as it came off the device: an upscaler works afterwards
    psnr = None if released is None or released.shape != image.shape else _psnr(released, image)
    if receipt.get(PIXELS) == pixels:
        return Reproduction("exact", psnr, None, pixels, image)
    near = psnr is not None and psnr >= EQUAL_TO_THE_EYE
    return Reproduction(
        "equal_to_the_eye" if near else "different", psnr, first_difference(receipt, now), pixels, image
    )


def _psnr(one: Pixels, other: Pixels) -> float:
    error = float(np.mean((one.astype(np.float64) - other) ** 2))
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))

"""Size of an image as it is asked for: what the model draws, how often that is enlarged, and what becomes of that.

A model draws well at about its own number of pixels. A size that is a whole number of times such a drawing is exact.
Any other is drawn in the nearest shape, enlarged, scaled to cover that size, and cut at its middle.
"""

from __future__ import annotations

from typing import NamedTuple

from api.edge.problems import Complaint
from api.submission.pictures.tasks import fitting_size
from workers.sampling.cards.registry import ModelCard, Registry

MULTIPLE, MAX_SIDE, MAX_PIXELS, MAX_RATIO = 16, 3_840, 3_840 * 2_160, 3  # as OpenAI documents it
_NEAR = 2.0  # times its own number of pixels, or a half of it: what a model still draws well


class DrawnSize(NamedTuple):
    """What is drawn, times the factor; and the finished size where that is another."""

    width: int
    height: int
    factor: int
    canvas: tuple[int, int] | None = None

    @property
    def shown(self) -> tuple[int, int]:
        """Width and height of the finished image."""
        return self.canvas or (self.width * self.factor, self.height * self.factor)


def drawn_size(size: str, card: ModelCard, registry: Registry, *, max_pixels: int) -> DrawnSize | Complaint:
    """How this model makes an image of this size, or why it cannot be had. `auto` is the model's own size."""
    if size == "auto":
        return DrawnSize(card.width, card.height, 1)
    width, height = map(int, size.split("x"))
    factors = (1, *sorted(registry.upscalers_of(card)))
    exact = [
        DrawnSize(width // factor, height // factor, factor)
        for factor in factors
        if width % factor == 0 and height % factor == 0 and _draws(card, width // factor, height // factor)
    ]
    well = [one for one in exact if 1 / _NEAR <= one.width * one.height / (card.width * card.height) <= _NEAR]
    if well:
        return well[0]
    if _is_documented(width, height) and width * height <= max_pixels:
        drawn = fitting_size(card, width, height)
        factor = next((one for one in factors if drawn[0] * one >= width and drawn[1] * one >= height), factors[-1])
        return DrawnSize(*drawn, factor, (width, height))
    if exact:
        return exact[0]
    best = ", ".join(f"{card.width * factor}x{card.height * factor}" for factor in factors)
    message = f"{card.name} makes no image of {size}"
    remedy = (
        f"It is at its best at {best}; auto is the first. Other sizes have sides of a multiple of {MULTIPLE}, neither"
        f" above {MAX_RATIO} times the other, and {MAX_PIXELS:,} pixels at most."
    )
    return Complaint("model_limit", message, remedy, field="size")


def _is_documented(width: int, height: int) -> bool:
    longer, shorter = max(width, height), min(width, height)
    divides = width % MULTIPLE == 0 and height % MULTIPLE == 0
    return divides and longer <= min(MAX_SIDE, MAX_RATIO * shorter) and width * height <= MAX_PIXELS


def _draws(card: ModelCard, width: int, height: int) -> bool:
    sides = all(card.min_side <= side <= card.max_side and side % card.size_multiple == 0 for side in (width, height))
    return sides and width * height <= card.max_pixels

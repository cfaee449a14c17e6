"""Model benchmark: loading, drawing at the card's defaults, enlarging, for the built-in model. One torch thread.

python -m bench.model [--model NAME] [--pictures 8]     --quick: 4 pictures

CPU seconds count this process alone, so a busy machine does not change them much; wall seconds are told beside them.
The first load imports the classes it needs; the second is what loading itself costs, the check of every byte included.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch

from bench.result import Ratio, parser, report
from bench.system import REPOSITORY
from workers.jobs.types import Claim, ClaimedItem
from workers.recipes import Recipe
from workers.sampling.cards.registry import ModelCard, Registry
from workers.sampling.enlarge import Enlarger
from workers.sampling.sampler import DiffusersSampler

T = TypeVar("T")


class Watch:
    """A lease that is fine."""

    cancelled: frozenset[str] = frozenset()

    def check(self) -> None:
        """Fine."""


def main() -> None:
    wanted = _arguments()
    registry = Registry.load(REPOSITORY / "models")
    card = registry.get(wanted.model or registry.names()[0])
    _timed("import and load", lambda: DiffusersSampler(registry, "cpu", 1).preload(card.name))
    sampler = DiffusersSampler(registry, "cpu", 1)
    _timed("load", lambda: sampler.preload(card.name))
    sampler.sample(_claim(card, 1), Watch())  # the first run warms up
    one, alone = _timed("draw 1", lambda: sampler.sample(_claim(card, 1), Watch()).images)
    again = sampler.sample(_claim(card, 1), Watch()).images
    print(f"the same seed gives the same picture: {'yes' if np.array_equal(one, again) else 'NO'}")
    claim = _claim(card, wanted.pictures)
    _, together = _timed(f"draw {wanted.pictures}", lambda: sampler.sample(claim, Watch()), wanted.pictures)
    ratios = [Ratio(f"a picture drawn alone over one of {wanted.pictures}, CPU time", alone / together)]
    for factor, upscaler in registry.upscalers_of(card).items():
        enlarger = Enlarger(upscaler, torch.device("cpu"))
        enlarger.enlarge(one[0])
        _, enlarged = _timed(f"enlarge {factor} times", lambda used=enlarger: used.enlarge(one[0]))  # type: ignore[misc]
        ratios.append(Ratio(f"drawing a picture over enlarging it {factor} times, CPU time", alone / enlarged))
    report(ratios, wanted.json)


def _timed(what: str, act: Callable[[], T], pictures: int = 1) -> tuple[T, float]:
    """What `act` gives, and CPU seconds a picture."""
    cpu, wall = time.process_time(), time.monotonic()
    made = act()
    cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    each = f", {cpu / pictures:.3f} a picture" if pictures > 1 else ""
    print(f"{what:<18} {cpu:6.3f} CPU seconds{each} ({wall:.3f} by the clock)")
    return made, cpu / pictures


def _claim(card: ModelCard, pictures: int) -> Claim:
    recipe = Recipe(
        card.name, card.revision, card.width, card.height, card.num_inference_steps, card.scheduler, card.guidance_scale
    )
    prompt = f"a large {card.knows[0]} on a {card.backgrounds[0]} background" if card.knows else "a red apple"
    items = tuple(ClaimedItem(str(n), "r", "bench", str(n), 0, prompt, "", n) for n in range(pictures))
    return Claim("b", 1, recipe, card.queue, items)


def _arguments() -> argparse.Namespace:
    options = parser(__doc__)
    options.add_argument("--model", help="a card's name; else the first")
    options.add_argument("--pictures", type=int, help="of the larger batch")
    asked = options.parse_args()
    asked.pictures = asked.pictures or (4 if asked.quick else 8)
    return asked


if __name__ == "__main__":
    main()

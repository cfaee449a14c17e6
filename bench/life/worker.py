"""Worker of the campaign's life: the real one around a sampler that needs no torch, and does wrong on demand.

python -m bench.life.worker FOLDER

While FOLDER/poison is there, the poisoned rows come out as one colour, which the rules hold. While FOLDER/weak is
there, the weak rows fail.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.life.sheet import POISONED, WEAK
from tests.support.fakes import draw
from workers import logs
from workers.__main__ import make_executor, serve_executor
from workers.jobs.types import Claim, SamplingPosition
from workers.sampling.types import CANCELLED, Sampled, Watch
from workers.settings import Settings

POISON_FLAG, WEAK_FLAG = "poison", "weak"
FAULT = "broken_on_demand"
_IMAGE_SECONDS = 0.004  # that an image holds the device, and up to a half more


@dataclass(frozen=True, slots=True)
class LifeSampler:
    """Draws a gradient of the item's seed; the device is held for a time that varies, and is measured."""

    folder: Path

    def make_ready(self, held: Claim) -> None:
        """Nothing to fetch."""

    def sample(self, held: Claim, watch: Watch, pictures: Mapping[str, Mapping[str, Any]] | None = None) -> Sampled:
        began = time.monotonic()
        watch.check()
        time.sleep(len(held.items) * _IMAGE_SECONDS * (1 + held.items[0].seed % 100 / 200))
        poisoned, weak = (self.folder / POISON_FLAG).exists(), (self.folder / WEAK_FLAG).exists()
        height, width, _ = held.recipe.shape
        images = np.stack([draw(item.seed, height, width) for item in held.items])
        faults = {item.id: CANCELLED for item in held.items if item.id in watch.cancelled}
        for n, item in enumerate(held.items):
            if poisoned and item.custom_id.startswith(POISONED):
                images[n] = 120
            if weak and item.custom_id.startswith(WEAK):
                images[n] = 0
                faults[item.id] = FAULT
        positions = tuple(SamplingPosition(len(held.items), n, "life") for n in range(len(held.items)))
        return Sampled(images, faults, positions, time.monotonic() - began)


def main() -> None:
    np.seterr(all="ignore")
    settings = Settings()
    logs.configure(settings.log_level, "gpu")
    executor = make_executor(settings, LifeSampler(Path(sys.argv[1])), device="life")
    serve_executor(settings, executor)


if __name__ == "__main__":
    main()

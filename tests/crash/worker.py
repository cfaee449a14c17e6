"""Worker process of the crash tests: the real one, with a sampler that needs no torch.

python -m tests.crash.worker [--classifier-raises] [--device-fails]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from policy.errors import PolicyUnavailable
from policy.rulebook.scope import Context
from policy.verdict import Verdict
from workers import logs
from workers.__main__ import make_executor, serve_executor
from workers.errors import DeviceFailed
from workers.jobs.types import Claim, SamplingPosition
from workers.sampling.types import Sampled, Watch
from workers.settings import Settings

NOTHING: Mapping[str, Mapping[str, Any]] = MappingProxyType({})  # no picture is given
STEP_SECONDS = 0.05  # a step takes long enough that a test can act in the middle of a run


class SteppingSampler:
    """A fake of the device: noise of the item's own seed over a soft gradient, and the same steps as a real run."""

    def make_ready(self, held: Claim) -> None:
        """Nothing to fetch."""

    def sample(self, held: Claim, watch: Watch, pictures: Mapping[str, Mapping[str, Any]] = NOTHING) -> Sampled:
        for _ in range(held.recipe.num_inference_steps):
            watch.check()
            time.sleep(STEP_SECONDS)
        shape = (held.recipe.height, held.recipe.width, 3)
        images = np.stack([_draw(item.seed, shape) for item in held.items])
        positions = tuple(SamplingPosition(len(held.items), n, "fake") for n in range(len(held.items)))
        faults = {item.id: "cancelled" for item in held.items if item.id in watch.cancelled}
        return Sampled(images, faults, positions, STEP_SECONDS * held.recipe.num_inference_steps)


class SickSampler(SteppingSampler):
    """A device that fails in every run."""

    def sample(self, held: Claim, watch: Watch, pictures: Mapping[str, Mapping[str, Any]] = NOTHING) -> Sampled:
        raise DeviceFailed("CUDA error: an illegal memory access was encountered")


class RaisingScreen:
    """A screen whose classifier cannot run."""

    def screen(self, images: np.ndarray, contexts: Sequence[Context] = ()) -> list[Verdict]:
        raise PolicyUnavailable("the classifier is broken")


def _draw(seed: int, shape: tuple[int, int, int]) -> np.ndarray:
    noise = np.random.default_rng(seed)
    ramp = np.linspace(60, 200, shape[1], dtype=np.float32)[None, :, None]
    tint = noise.uniform(-40, 40, size=(1, 1, 3))
    return np.clip(ramp + tint + noise.normal(0, 6, size=shape), 0, 255).astype(np.uint8)


def main() -> None:
    settings = Settings()
    logs.configure(settings.log_level, "gpu")
    if "--device-fails" in sys.argv:
        executor = make_executor(settings, SickSampler(), device="sick")
    else:
        executor = make_executor(settings, SteppingSampler())
    if "--classifier-raises" in sys.argv:
        executor.finisher = replace(executor.finisher, screen=RaisingScreen())
    serve_executor(settings, executor)


if __name__ == "__main__":
    main()

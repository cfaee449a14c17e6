"""Worker of the soak: the real one around a sampler that needs no torch; some of its pictures a person must see.

python -m bench.soak.worker [--no-model | --device-fails | --slow]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from tests.crash.worker import NOTHING, SteppingSampler
from workers import logs
from workers.__main__ import make_executor, serve_executor
from workers.errors import DeviceFailed, ModelMissing
from workers.jobs.types import Claim
from workers.sampling.types import Sampled, Watch
from workers.settings import Settings

_HELD_ONE_IN = 23  # pictures of one colour, which the rules hold
_SLOW_SECONDS = 1.5  # a step


class SoakSampler(SteppingSampler):
    """Draws at once; by the item's seed, now and then a picture of one colour."""

    def sample(self, held: Claim, watch: Watch, pictures: Mapping[str, Mapping[str, Any]] = NOTHING) -> Sampled:
        drawn = super().sample(held, watch)
        for n, item in enumerate(held.items):
            if item.seed % _HELD_ONE_IN == 0:
                drawn.images[n] = 120
        return drawn


class _NoModel(SoakSampler):
    def make_ready(self, held: Claim) -> None:
        raise ModelMissing(f"no model folder called {held.recipe.model}")


class _SickDevice(SoakSampler):
    def sample(self, held: Claim, watch: Watch, pictures: Mapping[str, Mapping[str, Any]] = NOTHING) -> Sampled:
        raise DeviceFailed("CUDA error: an illegal memory access was encountered")


class _Slow(SoakSampler):
    def sample(self, held: Claim, watch: Watch, pictures: Mapping[str, Mapping[str, Any]] = NOTHING) -> Sampled:
        for _ in range(4):
            watch.check()
            time.sleep(_SLOW_SECONDS)
        return super().sample(held, watch)


_KINDS: dict[str, type[SoakSampler]] = {"--no-model": _NoModel, "--device-fails": _SickDevice, "--slow": _Slow}


def main() -> None:
    np.seterr(all="ignore")
    settings = Settings()
    logs.configure(settings.log_level, "gpu")
    asked = next((word for word in sys.argv[1:] if word in _KINDS), "")
    executor = make_executor(settings, _KINDS.get(asked, SoakSampler)(), device=f"soak{asked}")
    executor.settle_every_seconds = 0.5
    serve_executor(settings, executor)


if __name__ == "__main__":
    main()

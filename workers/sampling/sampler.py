"""A claim in, its pixels out: one diffusers pipeline run, or several where the batch does not fit in memory.

Each item has its own generator on the CPU, seeded with the item's seed alone, so its noise does not
depend on its neighbours. Its last bits do: a run of another size may round differently, so `places`
records where each image came off.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import diffusers
import numpy as np
import structlog
import torch

from workers.errors import ModelMissing, ModelRefused
from workers.jobs.types import Claim, ClaimedItem, Place
from workers.sampling.pipelines import (
    Load,
    Pipeline,
    Pipelines,
    choose_device,
    empty_cache,
    is_out_of_memory,
    keep_libraries_quiet,
    load_pipeline,
)
from workers.sampling.recipes import Recipe
from workers.sampling.registry import ModelCard, Registry
from workers.sampling.types import BLACK, CANCELLED, NOT_FINITE, OUT_OF_MEMORY, Pixels, Sampled, Watch

log = structlog.get_logger()
PIPELINES_KEPT = 1  # a second large model seldom fits beside the first; loading takes seconds


class DiffusersSampler:
    """Draws claims on one device. One thread at a time: whoever holds the GPU lock."""

    def __init__(
        self,
        registry: Registry,
        device: str,
        torch_threads: int,
        *,
        load: Load = load_pipeline,
        keep: int = PIPELINES_KEPT,
    ) -> None:
        """`torch_threads` 0 leaves torch's own choice. Quiets the libraries for the whole process."""
        if torch_threads:
            torch.set_num_threads(torch_threads)
        keep_libraries_quiet()
        self._registry = registry
        self._device = choose_device(device)
        self._device_name = _name_of(self._device)
        self._pipelines = Pipelines(self._device, load, keep)
        self._fitting: dict[tuple[object, ...], int] = {}  # most images that went through at once, after a failure

    def preload(self, name: str) -> None:
        """Checks and loads a model now. Raises as `sample` does: a worker that cannot draw should not start."""
        self._pipelines.get(self._registry.get(name))

    def sample(self, held: Claim, watch: Watch) -> Sampled:
        """Pixels for a claim, uint8 [N, H, W, 3], in item order. Hold the GPU lock.

        Same claim, same versions, same device -> same pixels. An item that cannot be drawn is in
        `faults` and costs its neighbours nothing. Raises what the watch raises, and ModelMissing or
        ModelRefused; the next claim may be sampled after any of them.
        """
        started = time.monotonic()
        card = self._card_for(held.recipe)
        pipeline = self._pipelines.get(card)
        _tell_of_cut_prompts(pipeline, held.items)
        images = np.zeros((len(held.items), held.recipe.height, held.recipe.width, 3), np.uint8)
        faults: dict[str, str] = {}
        places: list[Place] = []
        while len(places) < len(held.items):
            watch.check()
            first = len(places)
            run = held.items[first : first + self._fitting.get(_memory_key(held.recipe), len(held.items))]
            drawn = self._draw(_Run(pipeline, card, held.recipe, run, watch))
            if drawn is None and len(run) > 1:
                self._shrink(held.recipe, len(run))
                continue
            places += [Place(len(run), n, self._device_name) for n in range(len(run))]
            if drawn is None:
                faults[run[0].id] = OUT_OF_MEMORY
                continue
            images[first : first + len(run)] = drawn.images
            faults |= {item.id: drawn.faults[n] for n, item in enumerate(run) if n in drawn.faults}
        faults |= {item.id: CANCELLED for item in held.items if item.id in watch.cancelled}
        images[[n for n, item in enumerate(held.items) if item.id in faults]] = 0
        return Sampled(images, faults, tuple(places), time.monotonic() - started)

"""Rig: one model with random weights, drawn by the engine or by plain diffusers with the same arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch

from bench.gpu.published import TINY_SIDE, Model, card_of
from workers.jobs.types import Claim, ClaimedItem
from workers.recipes import Recipe
from workers.sampling.calls import Called, arguments_of
from workers.sampling.cards.registry import ModelCard, Registry
from workers.sampling.device.compilation import compiled
from workers.sampling.device.faults import empty_cache
from workers.sampling.device.speed import Speed
from workers.sampling.families.table import family_of
from workers.sampling.pipelines import Loaded
from workers.sampling.sampler import DiffusersSampler
from workers.sampling.types import Pixels, Unwatched

Draw = Callable[[int], Pixels]  # so many pictures, [N, H, W, 3]


class Bench(NamedTuple):
    """Where it runs. The smoke mode draws little with tiny models, in float32 as every CPU worker does."""

    device: torch.device
    smoke: bool

    @property
    def dtype(self) -> torch.dtype:
        return torch.float32 if self.device.type == "cpu" else torch.bfloat16


class Rig:
    """One model. The weights are built anew for each way of drawing: a layout or a compiled block cannot leak."""

    def __init__(self, model: Model, bench: Bench, *, steps: int = 0, side: int = 0, few: bool = False) -> None:
        self.model, self.bench = model, bench
        self.steps = (2 if bench.smoke else steps or model.steps) if not few else steps
        self._few, self._side = few, side

    def engine(self, speed: Speed) -> Draw | None:
        """Draws as a worker does. None where the blocks could not be compiled."""
        loaded, card = self._fresh()
        if speed.compiled:
            traced = "eager" if self.bench.device.type == "cpu" else "inductor"
            loaded = compiled(replace(loaded, speed=speed), card, backend=traced)
            if not loaded.speed.compiled:
                return None
        ways = replace(speed, compiled=False)  # done above, once
        sampler = DiffusersSampler(
            Registry({card.name: card}),
            str(self.bench.device),
            0,
            load=lambda *_: loaded,
            choose=lambda *_: ways,
            memory=1 << 50,
        )

        def draw(images: int) -> Pixels:
            sampler._embeddings.forget()  # plain diffusers keeps none
            return sampler.sample(Claim("b", 1, self._recipe(card), "gpu", self._items(images)), Unwatched()).images

        return draw

    def plain(self) -> Draw:
        """Draws as a program of its own would."""
        loaded, card = self._fresh()

        def draw(images: int) -> Pixels:
            pipe, call = loaded.pipe, loaded.call
            recipe, items = self._recipe(card), self._items(images)
            arguments = arguments_of(Called(loaded.family, call, pipe), recipe, items, {})
            pipe.scheduler = type(pipe.scheduler).from_config(loaded.scheduler_config)
            with torch.no_grad():
                made = pipe(**arguments | {"output_type": "np"}).images
            return np.asarray((made * 255).round().astype(np.uint8))

        return draw

    def _recipe(self, card: ModelCard) -> Recipe:
        guidance = 0.0 if self._few else card.guidance_scale
        return Recipe(
            card.name, card.revision, card.width, card.height, self.steps, card.scheduler, guidance, task=card.tasks[0]
        )

    def _items(self, images: int) -> tuple[ClaimedItem, ...]:
        return tuple(ClaimedItem(f"i{n}", "r", "bench", str(n), 0, self.model.prompt, "", n) for n in range(images))

    def _fresh(self) -> tuple[Loaded, ModelCard]:
        """The same weights every time."""
        if not self.bench.smoke:  # collecting garbage costs more there than drawing
            empty_cache()
        torch.manual_seed(0)
        pipe: Any = self.model.tiny() if self.bench.smoke else self.model.build(self.bench.device, self.bench.dtype)
        pipe.to(self.bench.device, self.bench.dtype)
        pipe.set_progress_bar_config(disable=True)
        for part in pipe.components.values():
            if isinstance(part, torch.nn.Module):
                part.eval()  # what is built and not loaded is as for training
        card = card_of(self.model, pipe, side=self._side_of(pipe), steps=self.model.steps)
        config = {**pipe.scheduler.config, "_class_name": type(pipe.scheduler).__name__}
        family = family_of(card.pipeline)
        return Loaded(pipe, config, family, family.call_for(card.pipeline)), card

    def _side_of(self, pipe: Any) -> int:
        if not self.bench.smoke:
            return self._side or self.model.side
        fixed = getattr(pipe, "transformer", None)  # a DiT takes no size
        return TINY_SIDE if fixed is None else int(fixed.config.sample_size) * 2

"""Sampler: a claim in, its pixels out; one pipeline run, or several where the batch does not fit in memory.

Where the recipe names an upscaler, what was drawn is enlarged here, before it is screened: what is screened,
marked and signed afterwards is the finished picture.

Each item has its own generator on the CPU, seeded with the item's seed alone, so its noise does not
depend on its neighbours. Its last bits do: a run of another size may round differently, so `positions`
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

from workers import metrics
from workers.errors import ModelMissing, ModelRefused, OutOfMemory
from workers.jobs.types import Claim, ClaimedItem, SamplingPosition
from workers.recipes import Recipe
from workers.sampling.adapters import check_adapter, use_adapters
from workers.sampling.enlarge import Enlarger
from workers.sampling.extras import AdapterCard, UpscalerCard
from workers.sampling.pipelines import (
    Load,
    Loaded,
    Pipelines,
    choose_device,
    empty_cache,
    is_out_of_memory,
    keep_libraries_quiet,
    load_pipeline,
)
from workers.sampling.registry import ModelCard, Registry
from workers.sampling.types import BLACK, CANCELLED, NOT_FINITE, OUT_OF_MEMORY, Pixels, Sampled, Watch

log = structlog.get_logger()
PIPELINES_KEPT = 1  # a second large model seldom fits beside the first; loading takes seconds


class DiffusersSampler:
    """Draws claims on one device. One thread at a time: the one that holds the GPU lock."""

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
        self._enlargers: dict[str, Enlarger] = {}  # by revision; about a megabyte each
        self._fitting: dict[tuple[object, ...], int] = {}  # most images that went through at once, after a failure

    def preload(self, name: str) -> None:
        """Checks and loads a model now, with all that may be asked for beside it.

        Raises as `sample` does: a worker that cannot draw should not start.
        """
        card = self._registry.get(name)
        loaded = self._pipelines.get(card)
        for upscaler in self._registry.upscalers_of(card).values():
            self._enlarger(upscaler)
        for adapter in self._registry.adapters_of(card).values():
            check_adapter(adapter, loaded.pipe)

    def sample(self, held: Claim, watch: Watch) -> Sampled:
        """Pixels for a claim, uint8 [N, H, W, 3] and contiguous, in item order. Hold the GPU lock.

        Same claim, same versions, same device -> same pixels. An item that cannot be drawn is in
        `faults` and costs its neighbours nothing. Raises what the watch raises, ModelMissing,
        ModelRefused and HubUnavailable; after any of them the next claim can be sampled.
        """
        started = time.monotonic()
        card = self._card_for(held.recipe)
        enlarger = self._enlarger_for(card, held.recipe)
        loaded = self._pipelines.get(card)
        use_adapters(loaded, self._adapters_for(card, held.recipe))
        _log_truncated_prompts(loaded, held.items)
        runs: list[_Drawn] = []
        todo = held.items
        while todo:
            watch.check()
            drawn = self._draw_some(_Run(loaded, card, held.recipe, todo, watch))
            runs.append(drawn)
            todo = todo[len(drawn.images) :]
        images = np.concatenate([drawn.images for drawn in runs])
        faults = {
            item.id: fault
            for item, fault in zip(held.items, (f for drawn in runs for f in drawn.faults), strict=True)
            if fault
        }
        faults |= {item.id: CANCELLED for item in held.items if item.id in watch.cancelled}
        if enlarger is not None:
            images = _enlarged(enlarger, images, held, faults, watch)
            faults |= {item.id: CANCELLED for item in held.items if item.id in watch.cancelled}
        images[[n for n, item in enumerate(held.items) if item.id in faults]] = 0
        positions = [
            SamplingPosition(len(drawn.images), n, self._device_name)
            for drawn in runs
            for n in range(len(drawn.images))
        ]
        return Sampled(images, faults, tuple(positions), time.monotonic() - started)

    def _card_for(self, recipe: Recipe) -> ModelCard:
        card = self._registry.get(recipe.model)
        if card.revision != recipe.model_revision:
            raise ModelMissing(f"model {card.name}: asked for {recipe.model_revision}, this worker has {card.revision}")
        if recipe.task != "text-to-image":
            raise ModelRefused(f"model {card.name}: draws text-to-image, asked for {recipe.task}")
        problems = card.problems(
            width=recipe.width,
            height=recipe.height,
            num_inference_steps=recipe.num_inference_steps,
            guidance_scale=recipe.guidance_scale,
            scheduler=recipe.scheduler,
        )
        if problems:  # the card was narrowed after the request was accepted
            raise ModelRefused(f"model {card.name}: {problems[0].field}: {problems[0].message}")
        return card

    def _enlarger_for(self, card: ModelCard, recipe: Recipe) -> Enlarger | None:
        if recipe.upscaler is None:
            return None
        wanted = recipe.upscaler
        upscaler = self._registry.upscalers_of(card).get(wanted.factor)
        if upscaler is None or (upscaler.name, upscaler.revision) != (wanted.name, wanted.revision):
            raise ModelMissing(f"model {card.name}: this worker has no upscaler {wanted.name} at {wanted.revision}")
        return self._enlarger(upscaler)

    def _enlarger(self, upscaler: UpscalerCard) -> Enlarger:
        if upscaler.revision not in self._enlargers:
            self._enlargers[upscaler.revision] = Enlarger(upscaler, self._device)
        return self._enlargers[upscaler.revision]

    def _adapters_for(self, card: ModelCard, recipe: Recipe) -> list[tuple[AdapterCard, float]]:
        there, found = self._registry.adapters_of(card), []
        for lora in recipe.loras:
            adapter = there.get(lora.name)
            if adapter is None or adapter.revision != lora.revision:
                raise ModelMissing(f"model {card.name}: this worker has no adapter {lora.name} at {lora.revision}")
            found.append((adapter, lora.scale))
        return found

    def _draw_some(self, run: _Run) -> _Drawn:
        """As many of the first items as fit in memory, at least one; what did not fit is remembered."""
        recipe = run.recipe
        memory = (recipe.model_revision, recipe.width, recipe.height, recipe.guidance_scale > 1)  # what it depends on
        size = min(len(run.items), self._fitting.get(memory, len(run.items)))
        while True:
            drawn = _draw_if_it_fits(run._replace(items=run.items[:size]))
            if drawn is not None:
                return drawn
            empty_cache()
            metrics.OUT_OF_MEMORY.inc()
            log.warning("out_of_memory", images=size, width=recipe.width, height=recipe.height, model=recipe.model)
            if size == 1:
                return _Drawn(_nothing(run.recipe, 1), (OUT_OF_MEMORY,))
            size //= 2
            self._fitting[memory] = size


class _Run(NamedTuple):
    """One run of a pipeline."""

    loaded: Loaded
    card: ModelCard
    recipe: Recipe
    items: Sequence[ClaimedItem]
    watch: Watch


class _Drawn(NamedTuple):
    """What a run brought: pixels, and for each image its fault or None."""

    images: Pixels
    faults: tuple[str | None, ...]


class _AllCancelled(Exception):
    """Every item of the run was cancelled. Not an error: a way out of the denoising loop."""


def _draw_if_it_fits(run: _Run) -> _Drawn | None:
    """None when memory ran out: returning lets go of the traceback, and with it of the run's tensors."""
    try:
        return _draw(run)
    except _AllCancelled:
        return _Drawn(_nothing(run.recipe, len(run.items)), (CANCELLED,) * len(run.items))
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    return None


def _draw(run: _Run) -> _Drawn:
    """One run of the pipeline. A cancelled item is drawn along: its neighbours' run keeps its size."""
    pipe, recipe = run.loaded.pipe, run.recipe
    healthy = torch.ones(len(run.items), dtype=torch.bool)

    def after_step(pipe: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        nonlocal healthy
        run.watch.check()
        if all(item.id in run.watch.cancelled for item in run.items):
            raise _AllCancelled
        if step + 1 == pipe.num_timesteps:
            healthy = _finite(tensors["latents"])
        return {}

    pipe.scheduler = getattr(diffusers, recipe.scheduler).from_config(run.loaded.scheduler_config)
    with torch.inference_mode():
        images = pipe(
            [item.prompt for item in run.items],
            negative_prompt=[item.negative_prompt for item in run.items],
            width=recipe.width,
            height=recipe.height,
            num_inference_steps=recipe.num_inference_steps,
            guidance_scale=recipe.guidance_scale,
            guidance_rescale=run.card.guidance_rescale,
            generator=[torch.Generator("cpu").manual_seed(item.seed) for item in run.items],
            callback_on_step_end=after_step,
            output_type="pt",
        ).images
        healthy = healthy.to(images.device) & _finite(images)
        black = images.flatten(1).amax(1) == 0
        pixels = (images.float() * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()
    faults = [
        NOT_FINITE if not h else BLACK if b else None for h, b in zip(healthy.tolist(), black.tolist(), strict=True)
    ]
    return _Drawn(pixels, tuple(faults))


def _enlarged(enlarger: Enlarger, images: Pixels, held: Claim, faults: Mapping[str, str], watch: Watch) -> Pixels:
    """Each picture that came out, enlarged; one at a time, so that memory is that of one."""
    grown = np.zeros((len(images), *held.recipe.shape), np.uint8)
    for n, item in enumerate(held.items):
        watch.check()
        if item.id in faults or item.id in watch.cancelled:
            continue
        try:
            grown[n] = enlarger.enlarge(images[n])
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise OutOfMemory(f"upscaler {enlarger.card.name}: one tile does not fit") from None
    return grown


def _finite(batch: Any) -> Any:
    return torch.isfinite(batch).flatten(1).all(1)


def _nothing(recipe: Recipe, images: int) -> Pixels:
    return np.zeros((images, recipe.height, recipe.width, 3), np.uint8)


def _log_truncated_prompts(loaded: Loaded, items: Sequence[ClaimedItem]) -> None:
    """diffusers cuts a prompt at the tokenizer's limit without a word to the caller; our log has the word."""
    limit = loaded.pipe.tokenizer.model_max_length
    for item, ids in zip(items, loaded.pipe.tokenizer([item.prompt for item in items]).input_ids, strict=True):
        if len(ids) > limit:
            log.warning("prompt_truncated", item_id=item.id, tokens=len(ids), limit=limit)


def _name_of(device: torch.device) -> str:
    return str(torch.cuda.get_device_name(device)) if device.type == "cuda" else str(device)

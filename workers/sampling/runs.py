"""Runs of a pipeline: some items in, their pixels and faults out. Memory that ends is an answer here, not an error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL.Image import Image

from workers.errors import DeviceFailed, ModelRefused
from workers.jobs.types import ClaimedItem
from workers.recipes import Recipe
from workers.sampling.calls import Called, arguments_of
from workers.sampling.cards.registry import ModelCard
from workers.sampling.device.faults import is_device_error, is_out_of_memory
from workers.sampling.device.speed import attention_by, divide_decoding, to_host
from workers.sampling.families.family import SHOWN, Family
from workers.sampling.given.paste import pasted
from workers.sampling.given.pictures import REFERENCE
from workers.sampling.pipelines import Loaded
from workers.sampling.prompts.emphasis import weighted
from workers.sampling.references import ReferenceNetwork
from workers.sampling.schedulers import build_scheduler, watch_steps
from workers.sampling.types import BLACK, CANCELLED, NOT_FINITE, Pictures, Pixels, Watch

_GREY = 1  # channels of a picture without colour


class Run(NamedTuple):
    """One run of a pipeline."""

    loaded: Loaded
    card: ModelCard
    recipe: Recipe
    items: Sequence[ClaimedItem]
    watch: Watch
    pictures: Mapping[str, Pictures]
    reference: ReferenceNetwork | None = None


class Drawn(NamedTuple):
    """What a run brought: pixels, and for each image its fault or None."""

    images: Pixels
    faults: tuple[str | None, ...]


class _AllCancelled(Exception):
    """Every item of the run was cancelled. Not an error: a way out of the denoising loop."""


def in_runs(family: Family, recipe: Recipe, items: Sequence[ClaimedItem]) -> list[list[int]]:
    """The numbers of items that may share a run, in order; all of them, unless their neighbours would change them."""
    numbers = list(range(len(items)))
    if family.alone or recipe.reproducible:
        return [[n] for n in numbers]
    if family.negative_absent == "empty":
        return [numbers]
    given = [n for n in numbers if items[n].negative_prompt]
    return [some for some in (given, [n for n in numbers if n not in set(given)]) if some]


def draw_if_it_fits(run: Run) -> Drawn | None:
    """None when memory ran out: returning lets go of the traceback, and with it of the run's tensors."""
    try:
        return _draw(run)
    except _AllCancelled:
        return Drawn(nothing(run.recipe, len(run.items)), (CANCELLED,) * len(run.items))
    except (RuntimeError, MemoryError) as error:
        if is_device_error(error):
            raise DeviceFailed(f"{run.card.name}: {error}") from error
        if not is_out_of_memory(error):
            raise
    return None


def nothing(recipe: Recipe, images: int) -> Pixels:
    return np.zeros((images, recipe.height, recipe.width, 3), np.uint8)


def _draw(run: Run) -> Drawn:
    """One run of the pipeline. A cancelled item is drawn along: its neighbours' run keeps its size."""
    pipe, call = run.loaded.pipe_for(SHOWN.get(run.recipe.task, run.recipe.task))
    family, count = run.card.family, len(run.items)
    latest: list[Any] = []

    def after_step(last: bool, latents: Any) -> None:
        run.watch.check()
        if all(item.id in run.watch.cancelled for item in run.items):
            raise _AllCancelled
        if last:
            latest[:] = [latents]

    _renew_schedulers(run, pipe, after_step)
    extra: dict[str, Any] = {
        option: [given[option] for item in run.items if option in (given := run.pictures.get(item.id, {}))]
        for option in sorted({option for item in run.items for option in run.pictures.get(item.id, {})})
    }
    if call.takes("strength") and run.recipe.strength is not None:
        extra["strength"] = run.recipe.strength
    if call.takes("guidance_rescale"):
        extra["guidance_rescale"] = run.card.guidance_rescale
    shown = extra.pop(REFERENCE, None)
    speed = run.loaded.speed
    divide_decoding(pipe, speed, images=count, pixels=run.recipe.width * run.recipe.height)
    with (
        torch.inference_mode(),
        _by_algorithms_of(run.recipe),
        attention_by(speed),
        _shown(run, pipe, shown) as seen,
        weighted(pipe, family, run.recipe, run.items) as worded,
    ):
        arguments = arguments_of(Called(family, call, pipe), run.recipe, worded, extra) | seen
        images = pipe(**arguments).images
        if family.output == "np":
            images = torch.from_numpy(images).permute(0, 3, 1, 2)
        healthy = _finite(images)
        if latest:
            healthy = healthy & _finite(latest[0][:count]).to(images.device)
        if images.shape[1] == _GREY:
            images = images.expand(-1, 3, -1, -1)
        black = images.flatten(1).amax(1) == 0
        pixels = to_host((images.float() * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous(), speed).numpy()
    if pixels.shape != (count, run.recipe.height, run.recipe.width, 3):
        raise ModelRefused(
            f"model {run.card.name}: drew {pixels.shape[0]} of {pixels.shape[2]} x {pixels.shape[1]}, asked for {count}"
            f" of {run.recipe.width} x {run.recipe.height}"
        )
    if call.takes("mask_image"):
        pixels = np.stack([pasted(drawn, run.pictures[item.id]) for drawn, item in zip(pixels, run.items, strict=True)])
    faults = [
        NOT_FINITE if not h else BLACK if b else None for h, b in zip(healthy.tolist(), black.tolist(), strict=True)
    ]
    return Drawn(pixels, tuple(faults))


@contextmanager
def _shown(run: Run, pipe: Any, pictures: Sequence[Image] | None) -> Iterator[dict[str, Any]]:
    """The pipeline with the network that shows it pictures, where the recipe has one, and the argument for that."""
    if run.recipe.reference is None:
        yield {}
        return
    if run.reference is None or not pictures:
        raise ModelRefused(f"model {run.card.name}: {run.recipe.task} without a reference picture")
    guided = run.recipe.guidance_scale > 1 and pipe.unet.config.time_cond_proj_dim is None
    seen = run.reference.shown(pictures, guided=guided)
    with run.reference.put_on(pipe, run.recipe.reference.scale, seen):
        yield {run.card.family.shows: seen}


@contextmanager
def _by_algorithms_of(recipe: Recipe) -> Iterator[None]:
    """Those that give the same bits in every run, where the recipe asks for it; cuDNN would take the fastest."""
    if not recipe.reproducible:
        yield
        return
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
        yield


def _renew_schedulers(run: Run, pipe: Any, after_step: Any) -> None:
    """Fresh schedulers for every stage: no run finds what another left behind. The recipe's is that of the last."""
    stages = run.card.family.stages
    for stage in stages:
        holder = attrgetter(stage)(pipe) if stage else pipe
        last = stage == stages[-1]
        if last:
            scheduler = build_scheduler(run.recipe.scheduler, run.loaded.scheduler_config, run.recipe.scheduler_options)
        else:
            scheduler = type(holder.scheduler).from_config(holder.scheduler.config)
        watch_steps(scheduler, partial(after_step, last))
        holder.scheduler = scheduler


def _finite(batch: Any) -> Any:
    return torch.isfinite(batch).flatten(1).all(1)

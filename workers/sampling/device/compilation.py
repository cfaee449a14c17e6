"""Compilation of the blocks that a denoiser repeats, warmed up while its model is loaded: before anything waits for it.

Compiling one block serves all of its kind, so it takes seconds where the whole denoiser takes minutes. Where a block
cannot be compiled the model draws as it was loaded, and the log says why.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import structlog
import torch

from workers.errors import OutOfMemory
from workers.jobs.types import ClaimedItem
from workers.recipes import Recipe
from workers.sampling.cards.registry import ModelCard
from workers.sampling.device.faults import is_out_of_memory
from workers.sampling.device.speed import ChooseSpeed, prepare
from workers.sampling.families.family import PICTURES
from workers.sampling.pipelines import Loaded, in_a_line
from workers.sampling.runs import Run, draw_if_it_fits
from workers.sampling.types import Unwatched

log = structlog.get_logger()
_BATCHES = (1, 2)  # images: the second size has the compiler make code for every size
_STEPS = 2


def prepared(loaded: Loaded, card: ModelCard, device: torch.device, choose: ChooseSpeed) -> Loaded:
    """A model that was just loaded, drawing in the ways that `choose` says. Raises OutOfMemory and DeviceFailed."""
    speed = choose(loaded.family, device, loaded.dtype)
    try:
        prepare(loaded.pipe, speed)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemory(f"model {card.name} alone does not fit on {device}") from None
    loaded = replace(loaded, speed=speed)
    return compiled(loaded, card) if speed.compiled else loaded


def compiled(loaded: Loaded, card: ModelCard, *, backend: Any = "inductor") -> Loaded:
    """The model with its blocks compiled and warmed up, or as it was, with `speed.compiled` off. Hold the GPU lock.

    `backend` is that of torch.compile. Raises DeviceFailed.
    """
    started = time.monotonic()
    blocks = list(repeated_blocks(loaded.denoiser))
    why = _unfit(loaded, blocks)
    if not why:
        for block in blocks:
            block.compile(backend=backend)
        why = _warm_up(loaded, card)
    if why:
        for block in blocks:
            block._compiled_call_impl = None  # what Module.compile sets
        log.warning("not_compiled", model=card.name, reason=why)
        return replace(loaded, speed=replace(loaded.speed, compiled=False))
    log.info("compiled", model=card.name, blocks=len(blocks), seconds=round(time.monotonic() - started, 1))
    return loaded


def repeated_blocks(denoiser: Any) -> Iterator[torch.nn.Module]:
    """The blocks that diffusers names; where it names none (SD 3, PixArt), those of lists of one class."""
    named = getattr(denoiser, "_repeated_blocks", None)
    if named:
        yield from (module for module in denoiser.modules() if type(module).__name__ in named)
        return
    for part in denoiser.children() if denoiser is not None else ():
        if isinstance(part, torch.nn.ModuleList) and len({type(block) for block in part}) == 1:
            yield from part


def _unfit(loaded: Loaded, blocks: list[torch.nn.Module]) -> str:
    if not blocks:
        return f"{type(loaded.denoiser).__name__} repeats no block"
    wanted = [option for option in PICTURES if loaded.call.takes(option)]
    return f"it cannot be warmed up without {' and '.join(wanted)}" if wanted else ""


def _warm_up(loaded: Loaded, card: ModelCard) -> str:
    """Draws at the card's size; what went wrong, or nothing."""
    task = next(task for task, call in loaded.family.calls.items() if call == loaded.call)
    steps = min(_STEPS, card.num_inference_steps)
    recipe = Recipe(
        card.name, card.revision, card.width, card.height, steps, card.scheduler, card.guidance_scale, task=task
    )
    for images in _BATCHES[: 1 if loaded.family.alone else None]:
        items = [ClaimedItem(str(n), "", "", "", n, "0", "", n) for n in range(images)]  # a prompt, or a class
        try:
            if draw_if_it_fits(Run(loaded, card, recipe, items, Unwatched(), {})) is None:
                return f"{images} of its pictures do not fit beside it"
        except RuntimeError as error:  # torch's compilers raise nothing else
            return in_a_line(error)
    return ""

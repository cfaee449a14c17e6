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

import numpy as np
import structlog
import torch

from workers import metrics
from workers.errors import HubUnavailable, ModelMissing, ModelRefused, OutOfMemory, Permanent
from workers.jobs.types import Claim, ClaimedItem, SamplingPosition
from workers.recipes import Recipe
from workers.sampling.adapters import check_adapter, use_adapters
from workers.sampling.cards.extras import AdapterCard, UpscalerCard
from workers.sampling.cards.registry import ModelCard, Registry
from workers.sampling.device.compilation import prepared
from workers.sampling.device.devices import choose_device, class_of, id_of
from workers.sampling.device.energy import EnergyMeter
from workers.sampling.device.faults import empty_cache, is_out_of_memory
from workers.sampling.device.fitting import BatchLimits
from workers.sampling.device.speed import ChooseSpeed, speed_for
from workers.sampling.enlarge import Enlarger
from workers.sampling.families.family import SHOWN, UPSCALE
from workers.sampling.files.digests import bring_near
from workers.sampling.files.folder_rules import check_extra
from workers.sampling.kept.embeddings import TextEmbeddings
from workers.sampling.kept.latents import SourceLatents
from workers.sampling.pipelines import Load, Loaded, keep_libraries_quiet, load_pipeline
from workers.sampling.receipts.comparison import PIXELS
from workers.sampling.receipts.environment import environment_of, pixels_of
from workers.sampling.references import References
from workers.sampling.resident import Pipelines, default_budget
from workers.sampling.runs import Drawn, Run, draw_if_it_fits, in_runs, nothing
from workers.sampling.types import CANCELLED, OUT_OF_MEMORY, Pictures, Pixels, Sampled, Watch
from workers.sampling.windows import log_truncated_prompts

log = structlog.get_logger()


class DiffusersSampler:
    """Draws claims on one device. One thread at a time: the one that holds the GPU lock."""

    def __init__(
        self,
        registry: Registry,
        device: str,
        torch_threads: int,
        *,
        load: Load = load_pipeline,
        memory: int = 0,
        choose: ChooseSpeed = speed_for,
    ) -> None:
        """`torch_threads` 0 leaves torch's own choice, `memory` (bytes) 0 a share of the device's.

        Quiets the libraries for the whole process.
        """
        if torch_threads:
            torch.set_num_threads(torch_threads)
        keep_libraries_quiet()
        self._registry = registry
        self._device = choose_device(device)
        self._device_name = class_of(self._device)
        self.device_id = id_of(self._device)
        self.device_class = self._device_name
        self._energy = EnergyMeter.of(self._device)
        self._pipelines = Pipelines(self._device, self._loading(load, choose), memory or default_budget(self._device))
        self._embeddings, self._latents = TextEmbeddings(), SourceLatents()
        self._enlargers: dict[str, Enlarger] = {}  # by revision; about a megabyte each
        self._references = References(registry)
        self._environments: dict[str, dict[str, str]] = {}  # by revision, of the pipelines as they were loaded
        self._fitting = BatchLimits()
        self.unusable: dict[tuple[str, str], str] = {}  # (kind, name) -> why this worker cannot use it

    def _loading(self, load: Load, choose: ChooseSpeed) -> Load:
        def load_and_remember(card: ModelCard, device: torch.device) -> Loaded:
            loaded = prepared(load(card, device), card, device, choose)
            self._environments[card.revision] = environment_of(loaded, self._device)
            self._embeddings.remember(card.revision, loaded)
            self._latents.remember(card.revision, loaded)
            return loaded

        return load_and_remember

    def prepare(self, names: Sequence[str]) -> None:
        """Checks these models now, with all that may be asked for beside them. What is unusable is listed, and why.

        Raises if none of the models can be drawn with: such a worker should not start.
        """
        for name in names:
            try:
                self.preload(name)
            except (Permanent, HubUnavailable) as error:
                self._set_aside("model", name, error)
        self._count_unusable()
        if names and all(("model", name) in self.unusable for name in names):
            raise ModelMissing("; ".join(self.unusable["model", name] for name in names))

    def preload(self, name: str) -> None:
        """Checks and loads a model now; of its upscalers and adapters those that are unusable are listed.

        Raises as `sample` does.
        """
        card = self._registry.get(name)
        loaded = self._pipelines.get(card)
        for upscaler in self._registry.upscalers_of(card).values():
            try:
                self._enlarger(upscaler)
            except Permanent as error:
                self._set_aside("upscaler", upscaler.name, error)
        for adapter in self._registry.adapters_of(card).values():
            try:
                check_adapter(adapter, loaded)
            except Permanent as error:
                self._set_aside("adapter", adapter.name, error)

        for reference in self._registry.references_of(card).values():
            try:
                check_extra(reference)
            except Permanent as error:
                self._set_aside("reference", reference.name, error)

    def _set_aside(self, kind: str, name: str, error: Exception) -> None:
        self.unusable[kind, name] = str(error)
        log.error("unusable", kind=kind, name=name, reason=str(error))

    def _count_unusable(self) -> None:
        for kind in ("model", "upscaler", "adapter", "reference"):
            metrics.UNUSABLE.labels(kind).set(sum(1 for one, _ in self.unusable if one == kind))

    def make_ready(self, held: Claim) -> None:
        """Fetch and check the files that a claim needs. Any thread, without the GPU lock. Raises as `sample` does."""
        card = self._card_for(held.recipe)
        self._pipelines.make_ready(card)
        for adapter, _ in self._adapters_for(card, held.recipe):
            bring_near(check_extra(adapter))
        if reference := self._references.card_for(card, held.recipe):
            bring_near(check_extra(reference))

    def sample(self, held: Claim, watch: Watch, pictures: Mapping[str, Pictures] | None = None) -> Sampled:
        """Pixels for a claim, uint8 [N, H, W, 3] and contiguous, in item order. Hold the GPU lock.

        Same claim, same versions, same device -> same pixels. An item that cannot be drawn is in
        `faults` and costs its neighbours nothing. Raises what the watch raises, ModelMissing,
        ModelRefused and HubUnavailable; after any of them the next claim can be sampled.
        """
        card = self._card_for(held.recipe)
        enlarger = self._enlarger_for(card, held.recipe)
        loaded = self._pipelines.get(card)
        use_adapters(loaded, self._adapters_for(card, held.recipe))
        reference = self._references.beside(self._references.card_for(card, held.recipe), loaded)
        log_truncated_prompts(loaded, card, held)
        environment = self._environments[card.revision]
        images = nothing(held.recipe, len(held.items))
        meter = self._energy.start()
        started = time.monotonic()
        faults: dict[str, str] = {}
        positions: list[SamplingPosition | None] = [None] * len(held.items)
        for together in in_runs(card.family, held.recipe, held.items):
            todo = together
            while todo:
                watch.check()
                items = [held.items[n] for n in todo]
                if _only_enlarges(card, held.recipe):
                    drawn = _given(items, pictures or {})
                else:
                    drawn = self._draw_some(Run(loaded, card, held.recipe, items, watch, pictures or {}, reference))
                done = todo[: len(drawn.images)]
                todo = todo[len(done) :]
                images[done] = drawn.images
                for place, (n, fault) in enumerate(zip(done, drawn.faults, strict=True)):
                    receipt = environment | {PIXELS: pixels_of(drawn.images[place])}
                    positions[n] = SamplingPosition(len(done), place, self._device_name, receipt)
                    if fault:
                        faults[held.items[n].id] = fault
        faults |= {item.id: CANCELLED for item in held.items if item.id in watch.cancelled}
        if enlarger is not None:
            images = _enlarged(enlarger, images, held, faults, watch)
            faults |= {item.id: CANCELLED for item in held.items if item.id in watch.cancelled}
        images[[n for n, item in enumerate(held.items) if item.id in faults]] = 0
        seconds = time.monotonic() - started
        return Sampled(images, faults, tuple(p for p in positions if p), seconds, meter())

    def _card_for(self, recipe: Recipe) -> ModelCard:
        card = self._registry.get(recipe.model)
        if card.revision != recipe.model_revision:
            raise ModelMissing(f"model {card.name}: asked for {recipe.model_revision}, this worker has {card.revision}")
        if _only_enlarges(card, recipe):
            return card
        if SHOWN.get(recipe.task, recipe.task) not in card.tasks:
            raise ModelRefused(f"model {card.name}: draws {', '.join(card.tasks)}, asked for {recipe.task}")
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
            if why := self.unusable.get(("adapter", lora.name)):
                raise ModelRefused(f"model {card.name}: {why}")
            if adapter is None or adapter.revision != lora.revision:
                raise ModelMissing(f"model {card.name}: this worker has no adapter {lora.name} at {lora.revision}")
            found.append((adapter, lora.scale))
        return found

    def _draw_some(self, run: Run) -> Drawn:
        """As many of the first items as fit in memory, at least one; what did not fit is remembered for a while."""
        recipe = run.recipe
        size_and_task = (recipe.width, recipe.height, recipe.task)
        memory = (recipe.model_revision, size_and_task, recipe.guidance_scale > 1, recipe.loras)
        while True:
            size = self._fitting.most(memory, len(run.items))
            drawn = draw_if_it_fits(run._replace(items=run.items[:size]))
            if drawn is not None:
                self._fitting.went_through(memory, size)
                return drawn
            self._embeddings.forget()
            self._latents.forget()
            empty_cache()
            if self._pipelines.free_others(run.card):
                continue
            metrics.OUT_OF_MEMORY.inc()
            log.warning("out_of_memory", images=size, width=recipe.width, height=recipe.height, model=recipe.model)
            self._fitting.ran_out(memory, size)
            if size == 1:
                return Drawn(nothing(run.recipe, 1), (OUT_OF_MEMORY,))


def _only_enlarges(card: ModelCard, recipe: Recipe) -> bool:
    """Whether a given picture is enlarged by the model's upscaler alone: its own pipeline draws nothing."""
    return recipe.task == UPSCALE and recipe.upscaler is not None and UPSCALE not in card.family.calls


def _given(items: Sequence[ClaimedItem], pictures: Mapping[str, Pictures]) -> Drawn:
    images = np.stack([np.asarray(pictures[item.id]["image"]) for item in items])
    return Drawn(images, (None,) * len(items))


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

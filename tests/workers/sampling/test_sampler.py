"""Sampler on real pipelines: what a batch, a cancel, a shutdown and a full memory do to the pixels."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog
import torch

from tests.support.tiny_pipeline import SIDE, build_tiny_model
from workers import metrics
from workers.errors import Draining, LeaseLost, ModelMissing, ModelRefused
from workers.jobs.types import Claim, ClaimedItem, SamplingPosition
from workers.recipes import Lora, Recipe, Upscaler
from workers.sampling.cards.registry import ModelCard, Registry
from workers.sampling.pipelines import Loaded, load_pipeline
from workers.sampling.sampler import DiffusersSampler
from workers.sampling.types import BLACK, CANCELLED, NOT_FINITE, OUT_OF_MEMORY

MODELS = Path(__file__).parents[3] / "models"
STEPS = 3


@dataclass
class Watch:
    """A lease that is fine, until a check of the given number."""

    cancel_at: dict[int, str] = field(default_factory=dict)  # check -> item id
    fail_at: dict[int, Exception] = field(default_factory=dict)
    cancelled: frozenset[str] = frozenset()
    checks: int = 0

    def check(self) -> None:
        self.checks += 1
        if self.checks in self.cancel_at:
            self.cancelled |= {self.cancel_at[self.checks]}
        if self.checks in self.fail_at:
            raise self.fail_at[self.checks]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    models_dir = tmp_path_factory.mktemp("models")
    build_tiny_model(models_dir)
    return Registry.load(models_dir)


@pytest.fixture(scope="module")
def loaded(registry: Registry) -> Loaded:
    return load_pipeline(registry.get("tiny"), torch.device("cpu"))


@pytest.fixture
def sampler(registry: Registry, loaded: Loaded) -> DiffusersSampler:
    return DiffusersSampler(registry, "cpu", 1, load=lambda card, device: loaded)


@pytest.fixture
def on_unet(loaded: Loaded) -> Iterator[Callable[[Callable[..., Any]], None]]:
    """Puts a hook behind the real UNet for the length of a test: the device that fails."""
    handles = []
    yield lambda hook: handles.append(loaded.pipe.unet.register_forward_hook(hook))
    for handle in handles:
        handle.remove()


@pytest.fixture
def claim(registry: Registry) -> Callable[..., Claim]:
    recipe = recipe_of(registry.get("tiny"), num_inference_steps=STEPS)

    def make(seeds: range | list[int], **changes: Any) -> Claim:
        items = [ClaimedItem(f"item-{n}", "r", "t", f"c{n}", 0, f"thing {chr(97 + n)}", "", n) for n in seeds]
        return Claim("b", 1, replace(recipe, **changes), "gpu", tuple(items))

    return make


def recipe_of(card: ModelCard, **changes: Any) -> Recipe:
    recipe = Recipe(
        card.name, card.revision, card.width, card.height, card.num_inference_steps, card.scheduler, card.guidance_scale
    )
    return replace(recipe, **changes)


def close(one: np.ndarray, other: np.ndarray) -> bool:
    """Equal but for rounding: runs of different sizes may differ in the last bits."""
    return bool(np.abs(one.astype(int) - other.astype(int)).max() <= 2)


def fails_above(images: int) -> Callable[..., None]:
    """A device with room for so many images; guidance runs the UNet on two of each."""

    def hook(unet: Any, args: tuple[Any, ...], output: Any) -> None:
        if len(args[0]) > 2 * images:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    return hook


def test_the_shipped_model_draws_what_it_is_asked_for() -> None:
    registry = Registry.load(MODELS)
    recipe = recipe_of(registry.get("studio"), num_inference_steps=4)
    prompts = ["a large strawberry on a white background", "a large cactus on a navy background"]
    items = [ClaimedItem(str(n), "r", "t", str(n), 0, prompt, "", n) for n, prompt in enumerate(prompts)]
    sampled = DiffusersSampler(registry, "cpu", 1).sample(Claim("b", 1, recipe, "gpu", tuple(items)), Watch())
    assert (sampled.images.dtype, sampled.images.shape, sampled.faults) == (np.uint8, (2, 128, 128, 3), {})
    assert sampled.images.flags.c_contiguous  # what draws on it later takes no other layout
    strawberry, cactus = sampled.images.astype(int)
    assert strawberry[:8, :8].min() > 220  # a white corner
    assert cactus[:8, :8, :2].max() < 90  # a navy corner
    assert cactus[:8, :8, 2].min() > cactus[:8, :8, :2].max()
    red, green, _ = strawberry[60:80, 50:80].mean((0, 1))
    assert red > green + 60
    red, green, _ = cactus[40:100, 55:75].mean((0, 1))
    assert green > red + 40


def test_the_same_claim_gives_the_same_pixels(sampler: DiffusersSampler, claim: Callable[..., Claim]) -> None:
    for scheduler in ("DDIMScheduler", "EulerAncestralDiscreteScheduler"):
        one, two = (sampler.sample(claim(range(3), scheduler=scheduler), Watch()) for _ in range(2))
        assert np.array_equal(one.images, two.images)


def test_an_items_noise_depends_on_its_seed_alone(sampler: DiffusersSampler, claim: Callable[..., Claim]) -> None:
    for scheduler in ("DDIMScheduler", "EulerAncestralDiscreteScheduler"):
        together = sampler.sample(claim(range(4), scheduler=scheduler), Watch())
        alone = sampler.sample(claim([2], scheduler=scheduler), Watch())
        reordered = sampler.sample(claim([2, 0], scheduler=scheduler), Watch())
        assert close(together.images[2], alone.images[0])
        assert close(together.images[2], reordered.images[0])
        assert close(together.images[0], reordered.images[1])


def test_another_seed_is_another_picture(sampler: DiffusersSampler, claim: Callable[..., Claim]) -> None:
    held = claim([0, 1])
    same_prompt = replace(held, items=tuple(replace(item, prompt="a thing") for item in held.items))
    one, two = sampler.sample(same_prompt, Watch()).images
    assert not close(one, two)


def test_places_say_in_which_run_an_image_came_off(sampler: DiffusersSampler, claim: Callable[..., Claim]) -> None:
    assert sampler.sample(claim(range(2)), Watch()).positions == (
        SamplingPosition(2, 0, "cpu"),
        SamplingPosition(2, 1, "cpu"),
    )


def test_a_cancelled_item_is_dropped_and_its_neighbours_do_not_change(
    sampler: DiffusersSampler, claim: Callable[..., Claim]
) -> None:
    whole = sampler.sample(claim(range(3)), Watch())
    cut = sampler.sample(claim(range(3)), Watch(cancel_at={2: "item-1"}))
    assert cut.faults == {"item-1": CANCELLED}
    assert cut.images[1].max() == 0
    assert np.array_equal(cut.images[[0, 2]], whole.images[[0, 2]])


def test_a_batch_that_nobody_wants_stops_at_the_next_step(
    sampler: DiffusersSampler, claim: Callable[..., Claim]
) -> None:
    watch = Watch(cancel_at={1: "item-0", 2: "item-1"})
    sampled = sampler.sample(claim(range(2)), watch)
    assert sampled.faults == {"item-0": CANCELLED, "item-1": CANCELLED}
    assert watch.checks == 2  # before the run, after its first step
    assert (len(sampled.positions), sampled.images.max()) == (2, 0)


@pytest.mark.parametrize("check", range(1, STEPS + 2))
@pytest.mark.parametrize("error", [LeaseLost("b"), Draining("b"), RuntimeError("shapes do not match")])
def test_the_pipeline_is_usable_after_a_batch_broken_off_at_any_step(
    sampler: DiffusersSampler, claim: Callable[..., Claim], check: int, error: Exception
) -> None:
    whole = sampler.sample(claim(range(2)), Watch())
    with pytest.raises(type(error), match=str(error)):
        sampler.sample(claim(range(3)), Watch(fail_at={check: error}))
    assert np.array_equal(sampler.sample(claim(range(2)), Watch()).images, whole.images)


def test_a_batch_that_does_not_fit_is_drawn_in_smaller_runs(
    sampler: DiffusersSampler, claim: Callable[..., Claim], on_unet: Callable[..., None]
) -> None:
    whole = sampler.sample(claim(range(5)), Watch())
    on_unet(fails_above(2))
    sampled = sampler.sample(claim(range(5)), Watch())
    assert sampled.faults == {}
    assert [(place.batch_size, place.batch_position) for place in sampled.positions] == [
        (2, 0),
        (2, 1),
        (2, 0),
        (2, 1),
        (1, 0),
    ]
    assert close(sampled.images, whole.images)


def test_what_fits_is_remembered(
    sampler: DiffusersSampler, claim: Callable[..., Claim], on_unet: Callable[..., None]
) -> None:
    on_unet(fails_above(2))
    before = metrics.OUT_OF_MEMORY._value.get()
    sampler.sample(claim(range(8)), Watch())
    assert metrics.OUT_OF_MEMORY._value.get() - before == 2  # 8, then 4
    sampler.sample(claim(range(8)), Watch())
    assert metrics.OUT_OF_MEMORY._value.get() - before == 2
    sampled = sampler.sample(claim(range(2), width=SIDE // 2), Watch())  # another size has its own memory
    assert sampled.positions[0].batch_size == 2


def test_memory_that_ends_while_decoding_splits_the_batch_too(
    sampler: DiffusersSampler, loaded: Loaded, claim: Callable[..., Claim]
) -> None:
    def hook(decoder: Any, args: tuple[Any, ...], output: Any) -> None:
        if len(args[0]) > 1:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8589934592 bytes.")

    handle = loaded.pipe.vae.decoder.register_forward_hook(hook)
    sampled = sampler.sample(claim(range(2)), Watch())
    handle.remove()
    assert (sampled.faults, [place.batch_size for place in sampled.positions]) == ({}, [1, 1])


def test_an_image_that_fits_nowhere_fails_alone(
    sampler: DiffusersSampler, claim: Callable[..., Claim], on_unet: Callable[..., None]
) -> None:
    whole = sampler.sample(claim(range(3)), Watch())
    calls = itertools.count()

    def hook(unet: Any, args: tuple[Any, ...], output: Any) -> None:
        if next(calls) in (0, 1 + STEPS):  # the run of three, then item 1 on its own
            raise torch.OutOfMemoryError("CUDA out of memory.")

    on_unet(hook)
    sampled = sampler.sample(claim(range(3)), Watch())
    assert sampled.faults == {"item-1": OUT_OF_MEMORY}
    assert sampled.images[1].max() == 0
    assert close(sampled.images[[0, 2]], whole.images[[0, 2]])


def test_a_picture_that_is_not_finite_is_a_fault_of_its_own_item_only(
    sampler: DiffusersSampler, claim: Callable[..., Claim], on_unet: Callable[..., None]
) -> None:
    whole = sampler.sample(claim(range(3)), Watch())

    def hook(unet: Any, args: tuple[Any, ...], output: tuple[Any, ...]) -> tuple[Any, ...]:
        output[0][1 + 3] = float("inf")  # the guided half of item 1
        return output

    on_unet(hook)
    sampled = sampler.sample(claim(range(3)), Watch())
    assert sampled.faults == {"item-1": NOT_FINITE}
    assert sampled.images[1].max() == 0
    assert np.array_equal(sampled.images[[0, 2]], whole.images[[0, 2]])


def test_a_picture_that_is_all_black_is_a_fault(
    sampler: DiffusersSampler, loaded: Loaded, claim: Callable[..., Claim]
) -> None:
    def hook(decoder: Any, args: tuple[Any, ...], output: Any) -> Any:
        output[0] = -1.0
        return output

    handle = loaded.pipe.vae.decoder.register_forward_hook(hook)
    sampled = sampler.sample(claim(range(2)), Watch())
    handle.remove()
    assert sampled.faults == {"item-0": BLACK}


def test_a_cut_prompt_is_told_by_length_and_never_by_text(
    sampler: DiffusersSampler,
    claim: Callable[..., Claim],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    held = claim(range(2))
    secret = replace(held.items[1], prompt="unreleased product " * 3)
    for library in ("diffusers", "transformers"):
        logging.getLogger(library).setLevel(logging.WARNING)  # as the worker's own logging asks
    with structlog.testing.capture_logs() as lines:
        sampler.sample(replace(held, items=(held.items[0], secret)), Watch())
    assert lines == [
        {"event": "prompt_truncated", "log_level": "warning", "item_id": "item-1", "tokens": 53, "limit": 24}
    ]
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")  # no progress bar, no advice: logs stay JSON lines


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"model": "sdxl"}, ModelMissing, "there are: tiny"),
        ({"model_revision": "sha256:0"}, ModelMissing, "asked for sha256:0, this worker has sha256:"),
        ({"scheduler": "os.system"}, ModelRefused, "scheduler: 'os.system' is not a scheduler of tiny"),
        ({"width": 999}, ModelRefused, "width: 999 is outside 32 to 128"),
        ({"loras": (Lora("style", 1.0, "sha256:0"),)}, ModelMissing, "no adapter style at sha256:0"),
        ({"upscaler": Upscaler("big", 4, "sha256:0")}, ModelMissing, "no upscaler big at sha256:0"),
        ({"task": "upscale"}, ModelRefused, "draws text-to-image, image-to-image, inpaint, asked for upscale"),
        ({"task": "inpaint"}, ModelRefused, "StableDiffusionInpaintPipeline takes image, mask_image for each item"),
    ],
)
def test_a_recipe_this_worker_cannot_follow_is_refused(
    sampler: DiffusersSampler, claim: Callable[..., Claim], changes: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        sampler.sample(claim(range(1), **changes), Watch())


def test_a_worker_finds_out_at_its_start_that_a_model_cannot_be_had(registry: Registry) -> None:
    with pytest.raises(ModelMissing, match="there are: tiny"):
        DiffusersSampler(registry, "cpu", 1).preload("sdxl")

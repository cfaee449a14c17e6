"""Families on real architectures with random weights: one set of laws, whatever the pipeline."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch

from tests.support.given_pictures import picture, put_back
from tests.support.tiny_models.instances import INSTANCES, Instance, build
from tests.support.tiny_models.transformers import pixart_sigma
from workers.errors import ModelRefused
from workers.jobs.types import Claim, ClaimedItem
from workers.recipes import Recipe
from workers.sampling.calls import check_signature
from workers.sampling.cards.limits import ModelLimit
from workers.sampling.cards.registry import ModelCard, Registry
from workers.sampling.families import table
from workers.sampling.families.family import PICTURES, Call, call
from workers.sampling.families.table import FAMILIES
from workers.sampling.pipelines import Loaded, load_pipeline
from workers.sampling.sampler import DiffusersSampler
from workers.sampling.types import CANCELLED, OUT_OF_MEMORY

PROMPTS = ("a", "b c d e f g h", "i j")  # of several lengths: some encoders pad to the longest
COUNT = len(PROMPTS)


@dataclass
class Watch:
    """A lease that is fine, but for items that are cancelled at a check of the given number."""

    cancel_at: dict[int, tuple[str, ...]] = field(default_factory=dict)
    cancelled: frozenset[str] = frozenset()
    checks: int = 0

    def check(self) -> None:
        self.checks += 1
        self.cancelled |= frozenset(self.cancel_at.get(self.checks, ()))


@dataclass
class Model:
    """One tiny model, loaded, and what it draws."""

    card: ModelCard
    loaded: Loaded

    @property
    def call(self) -> Call:
        return self.card.family.call_for(self.card.pipeline)

    @property
    def denoiser(self) -> Any:
        return getattr(self.loaded.pipe, "transformer", None) or self.loaded.pipe.unet

    def sampler(self) -> DiffusersSampler:
        registry = Registry({self.card.name: self.card})
        return DiffusersSampler(registry, "cpu", 1, load=lambda card, device: self.loaded)

    def items(self, numbers: list[int], **changes: Any) -> tuple[ClaimedItem, ...]:
        """A prompt each; for a model that draws classes, a class."""
        prompts = [str(n) for n in range(COUNT)] if self.call.takes("class_label") else PROMPTS
        return tuple(
            replace(ClaimedItem(f"item-{n}", "r", "t", f"c{n}", 0, prompts[n], "", 10 + n), **changes) for n in numbers
        )

    def draw(
        self, numbers: list[int], watch: Watch | None = None, sampler: DiffusersSampler | None = None, **changes: Any
    ) -> Any:
        recipe = replace(recipe_of(self.card), **changes)
        return self.draw_items(self.items(numbers), recipe, watch, sampler)

    def draw_items(
        self, items: tuple[ClaimedItem, ...], recipe: Recipe, watch: Watch | None = None,
        sampler: DiffusersSampler | None = None,
    ) -> Any:  # fmt: skip
        wanted = [option for option in PICTURES if self.call.takes(option)]
        pictures = {item.id: {option: picture(item.seed, option) for option in wanted} for item in items}
        return (sampler or self.sampler()).sample(Claim("b", 1, recipe, "gpu", items), watch or Watch(), pictures)

    @cache  # noqa: B019 - a model lives as long as the session
    def whole(self) -> Any:
        return self.draw([0, 1, 2])

    def __hash__(self) -> int:
        return hash(self.card.name)


def recipe_of(card: ModelCard) -> Recipe:
    return Recipe(
        card.name, card.revision, card.width, card.height, card.num_inference_steps, card.scheduler,
        card.guidance_scale, task=card.tasks[0],
    )  # fmt: skip


def recipe_problems(card: ModelCard, **changes: Any) -> list[ModelLimit]:
    fields = ("width", "height", "num_inference_steps", "guidance_scale", "scheduler")
    return card.problems(**{field: getattr(card, field) for field in fields} | changes)


def close(one: np.ndarray, other: np.ndarray) -> bool:
    """Equal but for rounding: runs of different sizes may differ in the last bits."""
    return bool(np.abs(one.astype(int) - other.astype(int)).max() <= 2)


def drawable() -> Iterator[str]:
    """Not those whose library asks for a package that is not installed; docs/models.md names them."""
    return (name for name, instance in INSTANCES.items() if not instance.needs or find_spec(instance.needs))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Model]:
    folder: Path = tmp_path_factory.mktemp("models")
    gc.collect()
    gc.freeze()  # memory that ends is answered by a collection, which would look at every library again

    @cache
    def model(name: str) -> Model:
        card = build(folder, name)
        return Model(card, load_pipeline(card, torch.device("cpu")))

    return model


@pytest.fixture(params=[*drawable()])
def model(request: pytest.FixtureRequest, models: Callable[[str], Model]) -> Model:
    return models(request.param)


def test_it_draws_what_plain_diffusers_draws(model: Model) -> None:
    pipe, called = model.loaded.pipe, model.call
    items = model.items([0]) if model.card.family.alone else model.items([0, 1, 2])
    ours = model.draw_items(items, recipe_of(model.card)).images
    pipe.scheduler = type(pipe.scheduler).from_config(model.loaded.scheduler_config)
    for stage in filter(None, model.card.family.stages[-1:]):
        getattr(pipe, stage).scheduler = pipe.scheduler
    known = {
        "prompt": [item.prompt for item in items], "class_label": [int(i.prompt) for i in items if i.prompt.isdigit()],
        "width": model.card.width, "height": model.card.height, "num_inference_steps": model.card.num_inference_steps,
        "guidance_scale": model.card.guidance_scale, "area": model.card.width * model.card.height,
        "images": len(items), **{option: [picture(item.seed, option) for item in items] for option in PICTURES},
    }  # fmt: skip
    asked = {argument: known[option] for option, argument in called.arguments.items() if option in known}
    generators = [torch.Generator().manual_seed(item.seed) for item in items]
    images = pipe(**asked | dict(called.always), generator=generators, output_type="np").images
    plain = (torch.tensor(images).float() * 255).round().to(torch.uint8).numpy()[..., :3]
    if called.takes("mask_image"):  # outside the mask we put the given picture back
        plain = put_back(plain, [item.seed for item in items])
    assert np.array_equal(plain, ours)


def test_it_repeats_and_nothing_leaks_from_a_batch_between(model: Model) -> None:
    whole = model.whole()
    assert whole.faults == {}
    guided = model.call.takes("guidance_scale") and model.card.guidance_scale > 1
    changes = {"guidance_scale": 4.0} if guided else {}
    others = [name for name in model.card.schedulers if name != model.card.scheduler]
    model.draw([2], num_inference_steps=3, scheduler=(*others, model.card.scheduler)[0], **changes)
    assert np.array_equal(model.draw([0, 1, 2]).images, whole.images)


def test_an_item_alone_is_as_in_a_batch_in_any_order(model: Model) -> None:
    whole = model.whole().images
    assert close(model.draw([1]).images[0], whole[1])
    reordered = model.draw([2, 0, 1]).images
    assert all(close(reordered[place], whole[n]) for place, n in enumerate([2, 0, 1]))


def test_seed_and_prompt_make_the_picture(model: Model) -> None:
    one, _, _ = model.whole().images
    recipe = recipe_of(model.card)
    (item,) = model.items([0])
    assert not close(model.draw_items((replace(item, seed=99),), recipe).images[0], one)
    if model.call.takes("prompt") or "class_label" in model.call.arguments:
        other = replace(item, prompt="5" if model.call.takes("class_label") else "z z z")
        assert not np.array_equal(model.draw_items((other,), recipe).images[0], one)


def test_a_cancelled_item_leaves_its_neighbours_as_they_were(model: Model) -> None:
    whole = model.whole()
    cut = model.draw([0, 1, 2], Watch(cancel_at={2: ("item-1",)}))
    assert cut.faults == {"item-1": CANCELLED}
    assert np.array_equal(cut.images[[0, 2]], whole.images[[0, 2]])
    assert cut.images[1].max() == 0


def test_a_batch_that_nobody_wants_stops_between_two_steps(model: Model) -> None:
    steps: list[int] = []
    handle = model.denoiser.register_forward_hook(lambda *_: steps.append(1))
    watch = Watch(cancel_at={2: ("item-0", "item-1", "item-2")})
    cut = model.draw([0, 1, 2], watch, num_inference_steps=8 if model.card.name != "consistency" else 4)
    handle.remove()
    assert set(cut.faults.values()) == {CANCELLED}
    assert len(steps) < 8


def test_memory_that_ends_halves_the_batch_or_costs_one_item(model: Model) -> None:
    whole, calls = model.whole(), iter(range(1000))

    def full(*_: Any) -> None:
        if next(calls) == 0:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    handle = model.denoiser.register_forward_pre_hook(full)
    cut = model.draw([0, 1, 2])
    handle.remove()
    if model.card.family.alone:
        assert cut.faults == {"item-0": OUT_OF_MEMORY}
        assert np.array_equal(cut.images[1:], whole.images[1:])
    else:
        assert (cut.faults, {place.batch_size for place in cut.positions}) == ({}, {1})
        assert close(cut.images, whole.images)


def test_a_negative_prompt_acts_on_its_item_and_absent_is_not_empty(model: Model) -> None:
    if not model.call.takes("negative_prompt"):
        with pytest.raises(ModelRefused, match="has no place for negative_prompt"):
            model.draw_items(model.items([0], negative_prompt="x y"), recipe_of(model.card))
        return
    if model.card.guidance_scale <= 1:
        [problem] = recipe_problems(model.card, negative_prompt="x y")
        assert problem.field == "negative_prompt"
        return
    whole = model.whole().images
    items = model.items([0]) + model.items([1], negative_prompt="x y z x y z x y z") + model.items([2])
    mixed = model.draw_items(items, recipe_of(model.card)).images
    assert close(mixed[0], whole[0])
    assert close(mixed[2], whole[2])
    assert not np.array_equal(mixed[1], whole[1])


@pytest.mark.parametrize("family", FAMILIES)
def test_the_table_names_arguments_that_the_installed_diffusers_has(family: str) -> None:
    for called in FAMILIES[family].calls.values():
        check_signature(called)


def test_every_family_has_an_instance(models: Callable[[str], Model]) -> None:
    drawn = {models(name).card.family.name for name in drawable()}
    assert set(FAMILIES) - drawn <= {"qwen-image-edit"}, "its processor needs torchvision, which is not installed"


def test_what_a_signature_has_no_place_for_is_refused_by_name_at_submit(models: Callable[[str], Model]) -> None:
    card = models("ddpm").card
    asked = {"width": 32, "guidance_scale": 4.0, "negative_prompt": "x"}
    assert [(p.field, p.message) for p in recipe_problems(card, **asked)] == [
        ("width", "ddpm has no place for a width: it draws 16 only"),
        ("guidance_scale", "ddpm has no place for guidance; leave it out"),
        ("negative_prompt", "ddpm has no place for a negative prompt; leave it out"),
    ]


def test_a_family_that_is_not_in_the_table_is_added_in_these_steps(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Step 1: a value. Step 2: a tiny instance. Step 3: the laws."""
    sigma = FAMILIES["pixart-sigma"]
    words = "prompt negative_prompt num_inference_steps guidance_scale width height"
    alpha = replace(
        sigma,
        name="pixart-alpha",
        calls={"text-to-image": call("PixArtAlphaPipeline", words, sigma.calls["text-to-image"].always)},
        reads={"tokenizer": 120},
    )
    monkeypatch.setitem(table._BY_PIPELINE, "PixArtAlphaPipeline", alpha)
    monkeypatch.setitem(
        INSTANCES, "pixart-alpha", Instance(lambda: diffusers.PixArtAlphaPipeline(**pixart_sigma().components))
    )
    card = build(tmp_path, "pixart-alpha")
    model = Model(card, load_pipeline(card, torch.device("cpu")))
    for law in LAWS:
        law(model)


LAWS = (
    test_it_draws_what_plain_diffusers_draws,
    test_it_repeats_and_nothing_leaks_from_a_batch_between,
    test_an_item_alone_is_as_in_a_batch_in_any_order,
    test_seed_and_prompt_make_the_picture,
    test_a_cancelled_item_leaves_its_neighbours_as_they_were,
    test_a_batch_that_nobody_wants_stops_between_two_steps,
    test_memory_that_ends_halves_the_batch_or_costs_one_item,
    test_a_negative_prompt_acts_on_its_item_and_absent_is_not_empty,
)

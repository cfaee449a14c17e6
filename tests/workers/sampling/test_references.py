"""Reference networks: what diffusers draws with an IP-Adapter, to the last bit, and nothing of it afterwards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from transformers import CLIPVisionModelWithProjection

from tests.support.given_pictures import picture
from tests.support.tiny_models.instances import build
from tests.support.tiny_models.references import add_reference
from workers.errors import ModelMissing, ModelRefused
from workers.jobs.types import Claim, ClaimedItem
from workers.recipes import Recipe, Reference
from workers.sampling.cards.contents import CARD
from workers.sampling.cards.extras import read
from workers.sampling.cards.references import ADAPTER, ENCODER, ReferenceCard
from workers.sampling.cards.registry import ModelCard, Registry
from workers.sampling.pipelines import load_pipeline
from workers.sampling.references import ReferenceNetwork
from workers.sampling.sampler import DiffusersSampler

_PLAIN: dict[str, Any] = {"sd-1.5": StableDiffusionPipeline, "sdxl": StableDiffusionXLPipeline}
_UNMARKED = {"sdxl": {"add_watermarker": False}}
ITEMS = tuple(ClaimedItem(f"i{n}", "r", "t", "c", n, "a b", "", 7 + n) for n in range(2))


class Watch:
    """A lease that is fine."""

    cancelled: frozenset[str] = frozenset()

    def check(self) -> None:
        """Goes on."""


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    add_reference(folder, build(folder, "sd-1.5"))
    add_reference(folder, build(folder, "sdxl"), "look-xl")
    return folder


@pytest.fixture(scope="module")
def card(models_dir: Path) -> ModelCard:
    return Registry.load(models_dir).get("sd-1.5")


@pytest.fixture(scope="module")
def sampler(models_dir: Path) -> DiffusersSampler:
    return DiffusersSampler(Registry.load(models_dir), "cpu", 1)


def recipe_of(sampler: DiffusersSampler, model: str = "sd-1.5", **changes: Any) -> Recipe:
    card = sampler._registry.get(model)
    shows = sampler._registry.references_of(card)["style"]
    reference = Reference(shows.name, 0.7, shows.revision)
    plain = Recipe(card.name, card.revision, 16, 16, 2, card.scheduler, 2.0, task="style", reference=reference)
    return replace(plain, **changes)


def drawn(sampler: DiffusersSampler, recipe: Recipe, seeds: tuple[int, ...] = (1, 2)) -> np.ndarray:
    """Each item with the picture of its own seed."""
    shown = {item.id: {"reference_image": picture(seed, "image")} for item, seed in zip(ITEMS, seeds, strict=False)}
    sampled = sampler.sample(Claim("b", 1, recipe, "gpu", ITEMS[: len(seeds)]), Watch(), shown)
    assert not sampled.faults
    return sampled.images


@pytest.mark.parametrize(
    ("model", "network", "guidance_scale"), [("sd-1.5", "look", 2.0), ("sd-1.5", "look", 1.0), ("sdxl", "look-xl", 2.0)]
)
def test_it_draws_what_plain_diffusers_draws_with_the_same_network(
    model: str, network: str, guidance_scale: float, sampler: DiffusersSampler, models_dir: Path
) -> None:
    ours = drawn(sampler, recipe_of(sampler, model, guidance_scale=guidance_scale), (1,))
    folder = models_dir / "references" / network
    encoder = CLIPVisionModelWithProjection.from_pretrained(folder / ENCODER)
    home = Registry.load(models_dir).get(model).home
    pipe = _PLAIN[model].from_pretrained(home, image_encoder=encoder, **_UNMARKED.get(model, {}))
    pipe.set_progress_bar_config(disable=True)
    pipe.load_ip_adapter(str(folder), subfolder="", weight_name=ADAPTER, image_encoder_folder=None)
    pipe.set_ip_adapter_scale(0.7)
    generator = [torch.Generator().manual_seed(7)]
    images = pipe(
        ["a b"], ip_adapter_image=[picture(1, "image")], generator=generator, output_type="np", width=16, height=16,
        num_inference_steps=2, guidance_scale=guidance_scale,
    ).images  # fmt: skip
    plain = (torch.tensor(images).float() * 255).round().to(torch.uint8).numpy()
    assert np.array_equal(plain, ours)


def test_each_item_of_a_batch_has_a_picture_of_its_own(sampler: DiffusersSampler) -> None:
    recipe = recipe_of(sampler)
    together, alone = drawn(sampler, recipe), drawn(sampler, recipe, (1,))
    swapped = drawn(sampler, recipe, (2, 1))
    assert np.abs(together[0].astype(int) - alone[0]).max() <= 2
    assert not np.array_equal(together, swapped)


def test_afterwards_the_pipeline_is_as_it_was_loaded(sampler: DiffusersSampler) -> None:
    plain = recipe_of(sampler, task="text-to-image", reference=None)
    before = drawn(sampler, plain)
    drawn(sampler, recipe_of(sampler))
    assert np.array_equal(drawn(sampler, plain), before)


def test_another_network_than_the_recipe_s_is_this_worker_s_lack(sampler: DiffusersSampler) -> None:
    recipe = recipe_of(sampler)
    other = replace(recipe, reference=Reference("look", 0.7, "sha256:0"))
    with pytest.raises(ModelMissing, match="no reference network look at sha256:0"):
        drawn(sampler, other)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda tensors: {n: t for n, t in tensors.items() if "ip_adapter.3" not in n}, "diffusers cannot load it"),
        (lambda tensors: {n: t[..., :3].contiguous() for n, t in tensors.items()}, "diffusers cannot load it"),
        (lambda tensors: tensors | {"text.weight": torch.zeros(1)}, "'text.weight' is no tensor"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_and_the_model_stays_as_it_was(
    change: Any, why: str, card: ModelCard, tmp_path: Path
) -> None:
    folder = add_reference(tmp_path, card, change=change)
    loaded = load_pipeline(card, torch.device("cpu"))
    before = dict(loaded.pipe.unet.attn_processors)
    changed = read(folder / CARD, ReferenceCard)
    with pytest.raises(ModelRefused, match=why):
        ReferenceNetwork(changed, loaded)
    assert loaded.pipe.unet.attn_processors == before
    assert loaded.pipe.unet.encoder_hid_proj is None


def test_a_network_for_another_revision_is_listed_as_unusable(tmp_path: Path) -> None:
    add_reference(tmp_path, build(tmp_path, "sd-1.5"), trained_for="sha256:" + "0" * 64)
    registry = Registry.load(tmp_path)
    assert registry.references == {}
    assert "trained for sd-1.5" in registry.unusable["reference", "look"]

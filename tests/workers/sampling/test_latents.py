"""Latents of sources: a picture is encoded once, and a run gets the bits that it would have computed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from prometheus_client import REGISTRY

from tests.support.given_pictures import picture
from tests.support.tiny_models.instances import build
from workers.jobs.types import Claim, ClaimedItem
from workers.recipes import Recipe
from workers.sampling.cards.registry import ModelCard, Registry
from workers.sampling.kept.latents import SourceLatents
from workers.sampling.pipelines import load_pipeline
from workers.sampling.sampler import DiffusersSampler

ITEMS = tuple(ClaimedItem(f"i{n}", "r", "t", "c", n, "a b", "", 7 + n) for n in range(4))
TASKS = {"sd-1.5": "image-to-image", "sdxl": "inpaint", "instruct-pix2pix": "edit"}


class Watch:
    """A lease that is fine."""

    cancelled: frozenset[str] = frozenset()

    def check(self) -> None:
        """Goes on."""


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for name in TASKS:
        build(folder, name)
    return folder


def counted() -> tuple[float, float]:
    hit, miss = (
        REGISTRY.get_sample_value("presswork_source_latents_total", {"result": result}) or 0.0
        for result in ("hit", "miss")
    )
    return hit, miss


def drawn(sampler: DiffusersSampler, card: ModelCard, seed: int = 1) -> np.ndarray:
    """Variants of one picture."""
    task = TASKS[card.name]
    options = ["image", *(["mask_image"] if task == "inpaint" else [])]
    shown = {item.id: {option: picture(seed, option) for option in options} for item in ITEMS}
    strength = None if task == "edit" else 0.9
    recipe = Recipe(card.name, card.revision, 16, 16, 4, card.scheduler, 2.0, task=task, strength=strength)
    return sampler.sample(Claim("b", 1, recipe, "gpu", ITEMS), Watch(), shown).images


@pytest.mark.parametrize("name", TASKS)
def test_variants_of_a_picture_encode_it_once_and_are_what_they_would_be(name: str, models_dir: Path) -> None:
    registry = Registry.load(models_dir)
    card = registry.get(name)
    plain = DiffusersSampler(registry, "cpu", 1)
    plain._latents = SourceLatents(most_bytes=0)  # keeps nothing
    sampler = DiffusersSampler(registry, "cpu", 1)
    before = counted()
    first = drawn(sampler, card)
    _, missed = counted()
    again = drawn(sampler, card)
    assert counted()[1] == missed, "nothing is encoded a second time"
    assert missed - before[1] <= 3, "of four variants, each kind of picture once"
    assert counted()[0] > before[0]
    assert np.array_equal(first, drawn(plain, card))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, drawn(sampler, card, seed=2))


def test_what_a_pipeline_writes_into_a_latent_stays_out_of_the_next(models_dir: Path) -> None:
    loaded = load_pipeline(Registry.load(models_dir).get("sd-1.5"), torch.device("cpu"))
    latents = SourceLatents()
    latents.remember("sha256:1", loaded)
    pixels = torch.ones(1, 3, 16, 16)
    with torch.inference_mode():
        first = loaded.pipe.vae.encode(pixels).latent_dist
        kept = first.mean.clone()
        first.mean.zero_()
        first.parameters.zero_()
        assert torch.equal(loaded.pipe.vae.encode(pixels).latent_dist.mean, kept)
        latents.forget()
        assert torch.equal(loaded.pipe.vae.encode(pixels).latent_dist.mean, kept)


def test_the_least_used_leaves_first(models_dir: Path) -> None:
    loaded = load_pipeline(Registry.load(models_dir).get("sd-1.5"), torch.device("cpu"))
    one = loaded.pipe.vae.encode(torch.zeros(1, 3, 16, 16)).latent_dist.parameters.nbytes
    SourceLatents(most_bytes=2 * one).remember("sha256:1", loaded)
    pictures = [torch.full((1, 3, 16, 16), level) for level in (0.1, 0.2, 0.3)]
    with torch.inference_mode():
        for pixels in (*pictures[:2], pictures[0], pictures[2]):  # the second was not asked for again
            loaded.pipe.vae.encode(pixels)
        hits = counted()[0]
        loaded.pipe.vae.encode(pictures[0])
        assert counted()[0] == hits + 1
        loaded.pipe.vae.encode(pictures[1])
        assert counted()[0] == hits + 1

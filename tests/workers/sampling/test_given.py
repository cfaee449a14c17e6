"""Pictures of a task on a real pipeline: sizes, masks, what is kept, and parts that a sibling pipeline leaves out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.foreign_files import saved
from tests.support.pictures import product
from tests.support.tiny_pipeline import SIDE, build_tiny_model
from workers.jobs.types import Claim, ClaimedItem
from workers.recipes import Recipe
from workers.sampling.cards.registry import Registry
from workers.sampling.given.pictures import GivenPicture, SourceUnusable, pictures_for
from workers.sampling.sampler import DiffusersSampler

GIVEN = product(2 * SIDE, SIDE, seed=3)  # another shape than what is drawn


class Watch:
    """A lease that is fine."""

    cancelled: frozenset[str] = frozenset()

    def check(self) -> None:
        """Goes on."""


@pytest.fixture(scope="module")
def sampler(tmp_path_factory: pytest.TempPathFactory) -> DiffusersSampler:
    models_dir = tmp_path_factory.mktemp("models")
    build_tiny_model(models_dir)
    return DiffusersSampler(Registry.load(Path(models_dir)), "cpu", 1)


def recipe_for(sampler: DiffusersSampler, task: str, **changes: Any) -> Recipe:
    card = sampler._registry.get("tiny")
    steps = card.num_inference_steps
    return Recipe(card.name, card.revision, SIDE, SIDE, steps, card.scheduler, 1.0, task=task, **changes)


def given(pixels: np.ndarray) -> GivenPicture:
    return GivenPicture.read(saved(pixels))


def half(white: int) -> np.ndarray:
    mask = np.zeros(GIVEN.shape, np.uint8)
    mask[: SIDE // 2] = white
    return mask


def drawn(sampler: DiffusersSampler, recipe: Recipe, pictures: dict[str, GivenPicture]) -> tuple[np.ndarray, Any]:
    item = ClaimedItem("i", "r", "t", "c", 0, "a red kettle", "", 7)
    found = pictures_for(recipe, pictures)
    sampled = sampler.sample(Claim("b", 1, recipe, "gpu", (item,)), Watch(), {"i": found})
    assert not sampled.faults
    return sampled.images[0], found


def test_a_picture_is_drawn_over_by_its_strength(sampler: DiffusersSampler) -> None:
    weak, _ = drawn(sampler, recipe_for(sampler, "image-to-image", strength=0.6), {"image": given(GIVEN)})
    strong, _ = drawn(sampler, recipe_for(sampler, "image-to-image", strength=1.0), {"image": given(GIVEN)})
    other, _ = drawn(sampler, recipe_for(sampler, "image-to-image", strength=0.6), {"image": given(255 - GIVEN)})
    assert weak.shape == (SIDE, SIDE, 3)
    assert not np.array_equal(weak, strong)
    assert not np.array_equal(weak, other)


def test_outside_the_mask_no_pixel_differs_and_inside_it_most_do(sampler: DiffusersSampler) -> None:
    pictures = {"image": given(GIVEN), "mask": given(half(255))}
    image, found = drawn(sampler, recipe_for(sampler, "inpaint", strength=1.0), pictures)
    anew = np.asarray(found["mask_image"]) >= 128
    source = np.asarray(found["image"])
    assert np.array_equal(image[~anew], source[~anew])
    assert (image[anew] != source[anew]).any(axis=1).mean() > 0.5


def test_without_a_mask_what_is_transparent_is_drawn(sampler: DiffusersSampler) -> None:
    alpha = 255 - half(255)[..., 0]
    recipe = recipe_for(sampler, "inpaint", strength=1.0)
    image, found = drawn(sampler, recipe, {"image": given(np.dstack([GIVEN, alpha]))})
    kept = np.asarray(found["mask_image"]) < 128
    assert np.array_equal(image[kept], np.asarray(found["image"])[kept])


def test_of_a_mask_with_transparency_that_part_is_drawn(sampler: DiffusersSampler) -> None:
    recipe = recipe_for(sampler, "inpaint", strength=1.0)
    opaque_white = np.dstack([np.full(GIVEN.shape, 255, np.uint8), 255 - half(255)[..., 0]])
    by_alpha = pictures_for(recipe, {"image": given(GIVEN), "mask": given(opaque_white)})
    by_level = pictures_for(recipe, {"image": given(GIVEN), "mask": given(half(255))})
    assert np.array_equal(np.asarray(by_alpha["mask_image"]), np.asarray(by_level["mask_image"]))


@pytest.mark.parametrize(
    ("mask", "code"),
    [
        (half(0), "mask_empty"),
        (np.full(GIVEN.shape, 255, np.uint8), "mask_full"),
        (half(255)[:, 1:], "mask_size"),
        (None, "mask_missing"),
    ],
)
def test_a_mask_that_says_nothing_is_named(mask: np.ndarray | None, code: str, sampler: DiffusersSampler) -> None:
    pictures = {"image": given(GIVEN)} | ({} if mask is None else {"mask": given(mask)})
    with pytest.raises(SourceUnusable) as unusable:
        pictures_for(recipe_for(sampler, "inpaint", strength=1.0), pictures)
    assert unusable.value.code == code


def test_a_guide_is_a_map_or_the_edges_of_a_picture(sampler: DiffusersSampler) -> None:
    plain = pictures_for(recipe_for(sampler, "control"), {"control_image": given(GIVEN)})
    edges = pictures_for(recipe_for(sampler, "control", control="canny"), {"control_image": given(GIVEN)})
    assert plain["control_image"].size == (SIDE, SIDE)
    assert len(set(np.unique(np.asarray(edges["control_image"])))) > 1
    assert not np.array_equal(np.asarray(plain["control_image"]), np.asarray(edges["control_image"]))


def test_a_pipeline_of_another_task_keeps_a_vae_of_another_class() -> None:
    """The built-in model has a tiny VAE, which diffusers' `from_pipe` would leave out."""
    registry = Registry.load(Path(__file__).parents[3] / "models")
    sampler = DiffusersSampler(registry, "cpu", 1)
    loaded = sampler._pipelines.get(registry.get("studio"))
    pipe, call = loaded.pipe_for("inpaint")
    assert call.takes("mask_image")
    assert pipe.vae is loaded.pipe.vae
    assert pipe.unet is loaded.pipe.unet

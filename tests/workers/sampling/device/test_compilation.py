"""Compilation of repeated blocks: what is found, what is drawn, and what happens where it fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog
import torch

from tests.support.tiny_models import transformers, unets
from tests.support.tiny_models.instances import build
from workers.jobs.types import ClaimedItem
from workers.recipes import Recipe
from workers.sampling.cards.registry import ModelCard
from workers.sampling.device.compilation import compiled, repeated_blocks
from workers.sampling.device.speed import Speed
from workers.sampling.pipelines import Loaded, load_pipeline
from workers.sampling.runs import Run, draw_if_it_fits
from workers.sampling.types import Unwatched


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


def loaded_of(card: ModelCard) -> Loaded:
    plain = load_pipeline(card, torch.device("cpu"))
    return Loaded(plain.pipe, plain.scheduler_config, plain.family, plain.call, Speed(compiled=True))


def drawn(loaded: Loaded, card: ModelCard) -> np.ndarray:
    recipe = Recipe(card.name, card.revision, 16, 16, 2, card.scheduler, 2.0)
    made = draw_if_it_fits(Run(loaded, card, recipe, [ClaimedItem("i", "", "", "", 0, "a", "", 1)], Unwatched(), {}))
    assert made is not None
    return made.images


def test_compiled_blocks_draw_what_the_blocks_drew(models_dir: Path) -> None:
    """Traced as for CUDA, and run by torch itself: a compiler of machine code would take a minute here."""
    card = build(models_dir, "sd-1.5")
    loaded = loaded_of(card)
    before = drawn(loaded, card)
    made = compiled(loaded, card, backend="eager")
    assert made.speed.compiled
    assert all(block._compiled_call_impl is not None for block in repeated_blocks(made.denoiser))
    assert np.array_equal(drawn(made, card), before)


def test_where_a_block_cannot_be_compiled_the_model_draws_as_it_was_loaded(models_dir: Path) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("no compiler here")

    card = build(models_dir, "sd-1.5")
    loaded = loaded_of(card)
    with structlog.testing.capture_logs() as logs:
        made = compiled(loaded, card, backend=broken)
    assert (made.speed.compiled, str(made.speed)) == (False, "")
    assert [(line["event"], "no compiler here" in line["reason"]) for line in logs] == [("not_compiled", True)]
    assert drawn(made, card).any()


def test_what_cannot_be_warmed_up_is_not_compiled(models_dir: Path) -> None:
    card = build(models_dir, "instruct-pix2pix")
    with structlog.testing.capture_logs() as logs:
        assert not compiled(loaded_of(card), card).speed.compiled
    assert logs[-1]["reason"] == "it cannot be warmed up without image"


@pytest.mark.parametrize(
    ("pipe", "name", "count"),
    [
        (unets.stable_diffusion_xl, "BasicTransformerBlock", 4),
        (transformers.pixart_sigma, "BasicTransformerBlock", 1),
        (transformers.stable_diffusion_3, "JointTransformerBlock", 1),
        (unets.ddpm, "", 0),
    ],
)
def test_the_blocks_of_a_denoiser_are_found_where_diffusers_names_none_too(pipe: Any, name: str, count: int) -> None:
    made = pipe()
    found = [type(block).__name__ for block in repeated_blocks(getattr(made, "transformer", None) or made.unet)]
    assert found == [name] * count

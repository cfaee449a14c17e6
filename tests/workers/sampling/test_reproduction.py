"""Receipts and reproduction: the same bits from the same receipt, and the first field that differs otherwise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.tiny_models.instances import build
from workers.errors import ModelMissing
from workers.jobs.types import Claim, ClaimedItem
from workers.recipes import Recipe
from workers.sampling.cards.registry import ModelCard, Registry
from workers.sampling.pipelines import load_pipeline
from workers.sampling.receipts.comparison import PIXELS, first_difference
from workers.sampling.receipts.reproduction import Reproduction, reproduce
from workers.sampling.sampler import DiffusersSampler


class Watch:
    """A lease that is fine."""

    cancelled: frozenset[str] = frozenset()

    def check(self) -> None:
        """Fine."""


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> ModelCard:
    return build(tmp_path_factory.mktemp("models"), "sdxl")


@pytest.fixture(scope="module")
def sampler(card: ModelCard) -> DiffusersSampler:
    loaded = load_pipeline(card, torch.device("cpu"))
    return DiffusersSampler(Registry({card.name: card}), "cpu", 1, load=lambda card, device: loaded)


@pytest.fixture(scope="module")
def batch(card: ModelCard, sampler: DiffusersSampler) -> tuple[Claim, Any]:
    recipe = Recipe(card.name, card.revision, 16, 16, 2, card.scheduler, 2.0)
    items = tuple(ClaimedItem(f"i{n}", "r", "t", f"c{n}", 0, f"thing {n * 'a'}", "", n) for n in range(3))
    held = Claim("b", 1, recipe, "gpu", items)
    return held, sampler.sample(held, Watch())


def again(sampler: DiffusersSampler, batch: tuple[Claim, Any], n: int, **changes: Any) -> Reproduction:
    held, sampled = batch
    place = sampled.positions[n]
    given: dict[str, Any] = {"size": place.batch_size, "position": place.batch_position} | changes
    receipt = given.pop("receipt", place.receipt)
    item = replace(held.items[n], seed=given.pop("seed", held.items[n].seed))
    return reproduce(sampler, held.recipe, item, receipt, **given)


def test_every_picture_of_a_batch_is_drawn_again_to_the_bit(
    sampler: DiffusersSampler, batch: tuple[Claim, Any]
) -> None:
    for n in range(3):
        made = again(sampler, batch, n)
        assert (made.result, made.difference) == ("exact", None)
        assert np.array_equal(made.image, batch[1].images[n])


def test_a_strict_picture_is_drawn_alone_and_equals_itself_in_any_batch(
    sampler: DiffusersSampler, batch: tuple[Claim, Any]
) -> None:
    strict = replace(batch[0], recipe=replace(batch[0].recipe, reproducible="strict"))
    together, alone = sampler.sample(strict, Watch()), sampler.sample(replace(strict, items=strict.items[1:2]), Watch())
    assert {place.batch_size for place in together.positions} == {1}
    assert together.positions[1].receipt[PIXELS] == alone.positions[0].receipt[PIXELS]


def test_a_receipt_has_what_it_takes(batch: tuple[Claim, Any]) -> None:
    receipt = batch[1].positions[0].receipt
    assert (receipt["generator"], receipt["dtype"], receipt["torch"]) == ("cpu", "float32", torch.__version__)
    assert receipt["attention"]
    assert {len(receipt[field]) for field in (PIXELS, "scheduler_config")} == {64}
    assert all(isinstance(value, str) for value in receipt.values())


def test_other_libraries_are_named_where_the_bits_differ(sampler: DiffusersSampler, batch: tuple[Claim, Any]) -> None:
    then = dict(batch[1].positions[0].receipt) | {PIXELS: "0" * 64, "torch": "1.13"}
    near = again(sampler, batch, 0, receipt=then, released=batch[1].images[0])
    assert (near.result, near.psnr) == ("equal_to_the_eye", float("inf"))
    assert near.difference == f"torch: 1.13 then, {torch.__version__} now"


def test_another_seed_is_another_picture(sampler: DiffusersSampler, batch: tuple[Claim, Any]) -> None:
    made = again(sampler, batch, 0, seed=99, released=batch[1].images[0])
    assert (made.result, made.difference) == ("different", None)
    assert made.psnr is not None
    assert made.psnr < 30


def test_a_model_that_is_not_there_is_no_answer(sampler: DiffusersSampler, batch: tuple[Claim, Any]) -> None:
    held, sampled = batch
    recipe = replace(held.recipe, model_revision="sha256:0")
    with pytest.raises(ModelMissing, match="asked for sha256:0"):
        reproduce(sampler, recipe, held.items[0], sampled.positions[0].receipt, size=3, position=0)


def test_the_first_difference_is_told_in_the_order_of_the_receipt() -> None:
    then = {"dtype": "float16", "torch": "2.0", PIXELS: "a"}
    assert first_difference(then, {"dtype": "bfloat16", "torch": "1.0"}) == "dtype: float16 then, bfloat16 now"
    assert first_difference(then, {"dtype": "float16", "torch": "2.0", PIXELS: "b"}) is None

"""Emphasis in a run: what weights change, and that they change nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import CLIPTokenizer

from policy.prompts.weights import read_weights
from tests.support.repository import REPOSITORY
from tests.support.tiny_models.instances import build
from workers.errors import ModelRefused
from workers.jobs.types import Claim, ClaimedItem
from workers.recipes import Recipe
from workers.sampling.cards.registry import Registry
from workers.sampling.families.table import FAMILIES
from workers.sampling.pipelines import Loaded, load_pipeline
from workers.sampling.prompts.emphasis import _restoring, token_weights, weighted
from workers.sampling.receipts.comparison import PIXELS
from workers.sampling.receipts.reproduction import reproduce
from workers.sampling.sampler import DiffusersSampler

CPU = torch.device("cpu")


class Watch:
    """A lease that is fine."""

    cancelled: frozenset[str] = frozenset()

    def check(self) -> None:
        """Fine."""


class Drawing:
    """A tiny model, and pictures of prompts by it."""

    def __init__(self, loaded: Loaded, card: Any) -> None:
        self.loaded, self.card = loaded, card
        self.sampler = DiffusersSampler(Registry({card.name: card}), "cpu", 1, load=lambda card, device: loaded)

    def recipe(self, **changes: Any) -> Recipe:
        plain = Recipe(self.card.name, self.card.revision, 16, 16, 2, self.card.scheduler, self.card.guidance_scale)
        return replace(plain, **{"prompt_syntax": "weights", **changes})

    def claim(self, *texts: str | tuple[str, str], **changes: Any) -> Claim:
        both = [(text, "") if isinstance(text, str) else text for text in texts]
        items = tuple(ClaimedItem(f"i{n}", "r", "t", f"c{n}", 0, *text, 7) for n, text in enumerate(both))
        return Claim("b", 1, self.recipe(**changes), "gpu", items)

    def __call__(self, *texts: str | tuple[str, str], **changes: Any) -> list[np.ndarray]:
        sampled = self.sampler.sample(self.claim(*texts, **changes), Watch())
        assert sampled.faults == {}
        return list(sampled.images)


@pytest.fixture(scope="module", params=["sd-1.5", "sdxl", "lcm"])
def draw(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Drawing:
    card = build(tmp_path_factory.mktemp("models"), request.param)
    return Drawing(load_pipeline(card, CPU), card)


def same(ones: list[np.ndarray], others: list[np.ndarray]) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(ones, others, strict=True))


def test_a_weight_of_one_and_no_weight_are_the_same_bits_as_no_syntax(draw: Drawing) -> None:
    plain = draw("a red car", "a cup", prompt_syntax="")
    assert same(draw("a (red:1.0) car", "a ([cup])"), plain)
    assert same(draw("a red car", "a cup"), plain)
    assert same(draw("(a (red:2) car:0.5)", "a cup")[1:], plain[1:])


def test_plain_rows_beside_weighted_ones_and_any_order_keep_their_bits(draw: Drawing) -> None:
    weighed, plain, other = draw("a (red:1.6) car", "a cup", "a [[red]] car")
    assert same(draw("a [[red]] car", "a (red:1.6) car", "a cup"), [other, weighed, plain])
    assert same([plain], draw("a red car", "a cup", "a red car", prompt_syntax="")[1:2])
    assert not np.array_equal(weighed, other)
    assert not same([weighed], draw("a red car", "a cup", "a cup")[:1])


def test_alone_and_in_a_batch_it_is_the_same_picture_and_can_be_drawn_again(draw: Drawing) -> None:
    strict = draw.claim("a cup", "a (red:1.6) car", reproducible="strict")
    together = draw.sampler.sample(strict, Watch())
    alone = draw.sampler.sample(replace(strict, items=strict.items[1:]), Watch())
    assert np.array_equal(together.images[1], alone.images[0])
    receipt = together.positions[1].receipt
    again = reproduce(draw.sampler, strict.recipe, strict.items[1], receipt, size=1, position=0)
    assert (again.result, again.pixels) == ("exact", receipt[PIXELS])


def test_what_is_not_wanted_is_weighed_too(draw: Drawing) -> None:
    if draw.card.family.guidance != "classifier-free":
        return
    plain, weighed, even = draw(("a car", "red"), ("a car", "(red:1.7)"), ("a car", "([red])"), guidance_scale=7.0)
    assert np.array_equal(plain, even)
    assert not np.array_equal(plain, weighed)


def test_each_encoder_is_scaled_by_token_and_keeps_its_mean_and_the_pooled_text_stays(draw: Drawing) -> None:
    pipe, text = draw.loaded.pipe, "a (red:1.5) car"
    asked = {"device": CPU, "num_images_per_prompt": 1, "do_classifier_free_guidance": False}
    with torch.inference_mode():
        plain = pipe.encode_prompt(["a red car"], **asked)
        with weighted(pipe, draw.card.family, draw.recipe(), draw.claim(text).items) as (item,):
            made = pipe.encode_prompt([item.prompt], **asked)
    assert "encode_prompt" not in vars(pipe)
    first = 0
    for encoder, tokenizer in draw.card.family.weighs.items():
        end = first + getattr(pipe, encoder).config.hidden_size
        before = plain[0][0, :, first:end]
        weights = token_weights(getattr(pipe, tokenizer), read_weights(text), before.shape[0])
        assert sorted(set(weights)) == [1.0, 1.5]
        scaled = before * torch.tensor(weights)[:, None]
        assert torch.allclose(made[0][0, :, first:end], scaled * _restoring(before, scaled), rtol=1e-5)
        first = end
    assert first == plain[0].shape[2]
    assert all(torch.equal(one, other) for one, other in zip(plain[2:], made[2:], strict=True) if one is not None)


def test_a_mean_near_zero_is_no_measure_and_turns_no_sign() -> None:
    plain = torch.tensor([[1.0, 2.0], [-1.5, -1.4]])
    for weight, factor in ((1.1, 1.0), (2.0, 1.0), (1.02, 0.1 / 0.042), (0.9, 0.1 / 0.39), (0.98, 0.1 / 0.158)):
        scaled = plain * torch.tensor([1.0, weight])[:, None]
        assert _restoring(plain, scaled) == pytest.approx(factor if 0.5 <= factor <= 2 else 1.0, rel=1e-4)


def test_a_weight_beyond_the_window_changes_nothing(draw: Drawing) -> None:
    long = "a b c d e f g h i j k l m n o p q r s t u v w x y z "
    assert same(draw(f"{long}(cup:1.9)"), draw(f"{long}cup"))


def test_a_family_without_weights_refuses_them(draw: Drawing) -> None:
    with (
        pytest.raises(ModelRefused, match="read no weights"),
        weighted(draw.loaded.pipe, FAMILIES["flux"], draw.recipe(), draw.claim("a").items),
    ):
        pass


@pytest.fixture(scope="module")
def clip() -> CLIPTokenizer:
    card = Registry.load(REPOSITORY / "models").get("studio")
    return CLIPTokenizer.from_pretrained(card.home / str(card.source.folder) / "tokenizer")


def test_the_tokens_of_a_word_have_its_weight_and_the_signs_around_them_have_none(clip: CLIPTokenizer) -> None:
    text = read_weights("a (turquoise backpack:1.3), [white] background")
    weights = token_weights(clip, text, 24)
    ids = clip(text.plain, padding="max_length", max_length=24, truncation=True).input_ids
    begin = clip("a").input_ids[1:-1]
    heavy = clip("turquoise backpack").input_ids[1:-1]
    light = clip("white").input_ids[1:-1]
    assert ids[1 : 1 + len(begin)] == begin
    assert weights[: 1 + len(begin)] == [1.0] * (1 + len(begin))
    assert weights[1 + len(begin) :][: len(heavy)] == [1.3] * len(heavy)
    assert weights.count(1.3) == len(heavy)
    assert weights.count(0.909091) == len(light)
    assert weights[-4:] == [1.0] * 4


def test_a_token_over_two_weights_has_that_of_its_first_letter(clip: CLIPTokenizer) -> None:
    whole = clip("apple").input_ids
    assert len(whole) == 3, "one token"
    assert token_weights(clip, read_weights("(app:1.2)le"), 3) == [1.0, 1.2, 1.0]

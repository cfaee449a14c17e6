"""Vocabulary of a model card: unknown things are told wherever English puts them, and there is no praise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from api.schemas.requests import CampaignBody
from api.submission import vocabulary
from api.submission.checked import CheckedRow, RowOptions
from api.submission.findings import SubmissionFindings
from api.submission.recipes import RecipeBook
from api.submission.screening import Screened
from api.submission.vocabulary import Vocabulary
from policy.prompts.screen import screen_prompt
from policy.rulebook.scope import Context
from policy.rules import Rules
from tests.support.repository import REPOSITORY
from workers.sampling.cards.registry import ModelCard, Registry
from workers.settings import Settings

CARD = replace(
    Registry.load(Path(__file__).parents[3] / "models").get("studio"),
    knows=("sneaker", "cup of coffee", "apple", "backpack", "t-shirt", "key", "car"),
    synonyms={
        "sneaker": ("sneakers", "trainer", "running shoes"),
        "cup of coffee": ("coffee", "cups of coffee"),
        "t-shirt": ("t-shirts", "tee"),
    },
    colours=("red", "green"),
    recolours=("t-shirt", "backpack", "car"),
    backgrounds=("white", "light blue"),
    words=("background", "large", "on the left", "flat illustration", "in a studio"),
    filler=("product photo", "summer sale", "studio lighting", "best seller"),
)


@pytest.fixture(scope="module")
def words() -> Vocabulary:
    return Vocabulary(CARD, {})


@pytest.mark.parametrize(
    "prompt",
    [
        "a sneaker",
        "Sneakers",
        "RED T-SHIRT on a white background",
        "two running shoes on a light blue background",
        "a large cup of coffee on the left, product photo, studio lighting",
        "summer sale! a red backpack, best seller, stunning, award-winning, must-have of 2027",
        "flat illustration of a tee in a studio",
        "coffee",
        "a shiny new vintage apple on a bright white background",
        "an apple for the summer sale and for you",
        "hero shot of our beloved apple, made with love, 20% off",
        "an apple on sale",
    ],
)
def test_known_things_with_praise_around_them_are_no_reason_to_warn(words: Vocabulary, prompt: str) -> None:
    known, strange, *_ = words.read(prompt)
    assert strange == []
    assert len(known) == 1


@pytest.mark.parametrize(
    ("prompt", "told"),
    [
        ("a zebra", [("zebra", "")]),
        ("a red zebra on a white background, product photo", [("zebra", "")]),
        ("product photo, summer sale, a zebra", [("zebra", "")]),
        ("a sneeker", [("sneeker", "sneaker")]),
        ("a backpak on a white background", [("backpak", "backpack")]),
        ("ein roter Schuh auf wei\u00dfem Hintergrund", [("ein roter schuh", "")]),
        ("\u8d64\u3044\u9774", [("\u8d64\u3044\u9774", "")]),
        ("", [("", "")]),
        ("product photo, best seller", [("product photo, best seller", "")]),
        ("a coffee machine on a white background", [("coffee machine", "cup of coffee")]),
        ("an apple pie", [("apple pie", "apple")]),
        ("an apple and a zebra", [("zebra", "")]),
        ("an apple and zebras", [("zebras", "")]),
        ("a red backpack with a green zebra on a white background", [("zebra", "")]),
        ("a sneaker on a marble table", [("marble table", "")]),
        ("a sneaker in the jungle, product photo", [("jungle", "")]),
    ],
)
def test_what_it_does_not_know_is_named_with_its_nearest_neighbour(
    words: Vocabulary, prompt: str, told: list[tuple[str, str]]
) -> None:
    assert [(thing, words.nearest(thing)) for thing in words.read(prompt)[1]] == told


def test_several_things_are_all_found_and_a_compound_is_its_last_word(words: Vocabulary) -> None:
    assert words.read("an apple and a cup of coffee, apple")[0] == ["apple", "cup of coffee"]
    assert words.read("a car key")[0] == ["key"]


def test_a_longer_thing_is_not_cut_short_by_a_synonym_before_it() -> None:
    card = replace(CARD, knows=("wine glass",), synonyms={"wine glass": ("red wine",)})
    for prompt in ("a red wine glass", "a red wine", "a large red wine glass on a white background"):
        assert Vocabulary(card, {}).read(prompt)[:2] == (["wine glass"], []), prompt


def test_a_style_of_an_adapter_is_recognised_by_its_words() -> None:
    class Adapter:
        words = ("two-ink print", "house style")

    words = Vocabulary(CARD, {"two-ink": Adapter()})  # type: ignore[dict-item]
    assert words.read("an apple as a Two-Ink print").styles == {"two-ink"}
    assert words.read("an apple in ink").styles == set()
    assert words.read("an apple in the house style")[1] == []


def test_a_card_whose_synonyms_are_of_nothing_it_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="'zebra' is not among what it knows"):
        replace(CARD, synonyms={"zebra": ("zebras",)})


def test_the_shipped_model_warns_of_nothing_it_was_trained_on() -> None:
    registry = Registry.load(Path(__file__).parents[3] / "models")
    for card in registry.cards.values():
        own = Vocabulary(card, registry.adapters_of(card))
        for name in card.knows:
            for word in (name, *card.synonyms.get(name, ())):
                assert own.read(f"a {word} on a {card.backgrounds[0]} background, {', '.join(card.filler[:3])}")[
                    :2
                ] == (
                    [name],
                    [],
                ), word


def test_a_long_prompt_is_looked_at_in_one_pass(words: Vocabulary) -> None:
    known, *_ = words.read(" ".join(["a red sneaker and"] * 5_000))
    assert isinstance(CARD, ModelCard)
    assert known == ["sneaker"]


@pytest.mark.parametrize(
    ("prompt", "kept"),
    [
        ("a red apple", ["red apple"]),
        ("GREEN keys, and a red apple on a white background", ["green keys", "red apple"]),
        ("a red t-shirt beside a green car", []),
        ("an apple on a red background", []),
        ("a red zebra", []),
        ("a shiny apple, red", []),
    ],
)
def test_a_colour_is_told_where_the_model_will_not_take_it(prompt: str, kept: list[str]) -> None:
    words = Vocabulary(replace(CARD, synonyms={**CARD.synonyms, "key": ("keys",)}), {})
    assert words.read(prompt).coloured == kept


def test_a_card_that_does_not_say_what_takes_a_colour_warns_of_none() -> None:
    assert Vocabulary(replace(CARD, recolours=()), {}).read("a red apple").coloured == []


def test_a_suggestion_is_searched_for_what_is_shown_and_not_for_every_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Searched for each row, it took most of the time of a campaign, which fell from 0.57 to 0.13 of a plain insert."""
    searched: list[str] = []

    def search(wanted: str, *_: object, **__: object) -> list[str]:
        searched.append(wanted)
        return []

    monkeypatch.setattr(vocabulary, "get_close_matches", search)
    registry = Registry.load(REPOSITORY / "models")
    book = RecipeBook(registry.get("studio"), Settings(database_url="postgresql://nowhere/none"), registry)
    rules = Rules.load(REPOSITORY / "policy" / "rulesets" / "default.yaml")
    found = SubmissionFindings(book, rules, Context("acme", "", "studio"))
    verdict = screen_prompt(rules, "a zebra", tenant="acme")
    for n in range(1_000):
        texts = Screened(f"a zebra{n}", "", verdict, {})
        options = RowOptions(book.options(CampaignBody(template="a {thing}")), None, 1)
        found.add(CheckedRow(n, n, str(n), texts, options), book)
    (warning,) = [each for each in found.report().warnings if each.code == "unknown_words"]
    assert (warning.rows, warning.count) == ([*range(100)], 1_000)
    assert "'zebra0'; 'zebra1'" in warning.message
    assert len(searched) <= 10  # two for each thing that is named

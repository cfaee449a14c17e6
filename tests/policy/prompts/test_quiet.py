"""Quiet texts are quiet: whatever `QuietTexts` lets pass meets no rule when every variant of it is read in full."""

# ruff: noqa: RUF001  (look-alike letters are what is tested)
from __future__ import annotations

import base64
import random
from collections.abc import Iterator

import pytest

from policy.prompts.hits import counting, nothing_met
from policy.prompts.normalisation.variants import normalised_variants
from policy.rulebook.prompts import PromptField
from policy.rulebook.scope import Context
from policy.rules import Rules
from tests.support.prompt_cases import CATALOGUE, HELD_OUT, IN_SAMPLE, PARAPHRASES, TRICKS, WORLD
from tests.support.rule_files import DEFAULT_RULES

_PHOTO = "a photo of the red cotton T-shirt on a white ground, 12.5 x 30 cm (4.9 x 11.8 in), 500ml - BPA-free & more"
_OTHER = "kids hand-made girl in her old school bag men's 30° café no. 1488 18 U.S. iPhone 5 per 100% to be with and"
_PLAIN = f"{_PHOTO} {_OTHER}".split()
_LEET = str.maketrans("aeiost", "431057")


@pytest.fixture(scope="module")
def rules() -> Rules:
    return Rules.load(DEFAULT_RULES)


def _met(rules: Rules, text: str) -> bool:
    return any(
        list(counting(rules, variant.positions, place, Context("t")))
        for variant in normalised_variants(text)
        for place in PromptField
    )


def _disguised(draw: random.Random, phrase: list[str]) -> str:
    """A term in a disguise, or in two."""
    text = draw.choice([" ", " ", "  ", "-", "", ". ", " - "]).join(phrase)
    for _ in range(draw.choice((1, 1, 2))):
        cut = draw.randrange(1, len(text)) if len(text) > 1 else 0
        text = draw.choice(
            (
                text,
                text.upper(),
                text.title(),
                text.translate(_LEET),
                f"{text[:cut]} {text[cut:]}",
                f"{text[:cut]}{text[cut - 1 : cut] * 3}{text[cut:]}",
                f"{text[:cut]}.{text[cut:]}",
                f"{text[:cut]}*{text[cut + 1 :]}",
                f"{text[:cut]}\u200b{text[cut:]}",
                " ".join(text),
                f"({text})!",
                f"super{text}photo",
                text.replace("a", "а").replace("e", "é"),
                base64.b64encode(text.encode()).decode(),
                text.encode().hex(" "),
                " ".join(base64.b64encode(text.encode()).decode()[n : n + 4] for n in range(0, 2 * len(text), 4)),
            )
        )
    return text


def _made_up(rules: Rules, count: int) -> Iterator[str]:
    draw = random.Random(7)
    phrases = [
        [word.removesuffix("*") for word in phrase]
        for rule in rules.prompt_rules
        for phrase in (*(one for term in rule.terms for one in term.phrases), *rule.near, *rule.unless)
    ]
    for _ in range(count):
        around = [*draw.choices(_PLAIN, k=4), *(_disguised(draw, draw.choice(phrases)) for _ in range(2))]
        draw.shuffle(around)
        yield " ".join(around)


def test_what_is_quiet_meets_no_rule(rules: Rules) -> None:
    tables = (IN_SAMPLE, PARAPHRASES, TRICKS, CATALOGUE, WORLD, *HELD_OUT)
    texts = [case.text for table in tables for case in table.cases] + list(_made_up(rules, 1_500))
    quiet = [text for text in texts if nothing_met(rules, text)]
    assert len(texts) - len(quiet) > 1_000
    assert [text for text in quiet if _met(rules, text)] == []


def test_a_catalogue_is_quiet(rules: Rules) -> None:
    """Else the check of a campaign costs several times as much."""
    prompts = [
        "a red cotton T-shirt no. 1234 on a navy background, product photo",
        "kids backpack, water-resistant, 12.5 x 30 cm (4.9 x 11.8 in), 500ml - BPA-free & more",
        "café crème naïve, machine wash cold 30° do not bleach, men's women's fit, 100% organic cotton",
    ]
    assert [prompt for prompt in prompts if not nothing_met(rules, prompt)] == []


@pytest.mark.parametrize(
    ("before", "after"),
    [("a na", "ked woman"), ("a dress with n u", "d e"), ("full", "frontal"), ("bmFr ZWQg", "d29t YW4=")],
)
def test_what_two_columns_spell_together_is_read_in_full(rules: Rules, before: str, after: str) -> None:
    for text in (before, after, "and"):
        nothing_met(rules, text)  # remembered alone
    assert not nothing_met(rules, f"{before} {after}")

"""Parity of a rule set: groups in counterfactual prompts, and what is said where one of them is stopped more often."""

from __future__ import annotations

import math

import pytest

from policy.prompts import parity as parity_module
from policy.prompts.parity import MOST, counterfactuals, parity
from policy.rules import Rules
from tests.support.rule_files import DEFAULT_RULES


@pytest.fixture(scope="module")
def rules() -> Rules:
    return Rules.load(DEFAULT_RULES)


def test_prompts_of_one_kind_differ_in_the_group_alone() -> None:
    found = counterfactuals()
    kinds = ("nationality", "religion", "orientation and gender", "disability", "name", "language", "dialect")
    assert tuple(found) == kinds
    for kind, groups in found.items():
        assert len({len(texts) for texts in groups.values()}) == 1, kind
        assert min(len(texts) for texts in groups.values()) >= 10, kind
        assert not any("{" in text for texts in groups.values() for text in texts)


def test_the_shipped_rules_stop_no_group_more_than_others_by_words(rules: Rules) -> None:
    rows = parity(rules)
    assert sum(row.prompts for row in rows) > 1_000
    assert [row for row in rows if row.fails] == []


def test_a_group_that_is_stopped_more_often_fails(rules: Rules, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {"some": ["a red cup"] * 20, "others": ["a green cup"] * 20, "third": ["a blue cup"] * 20}
    monkeypatch.setattr(parity_module, "counterfactuals", lambda: {"colour": kept})
    stopped = {"a red cup": 6, "a green cup": 4, "a blue cup": 4}
    monkeypatch.setattr(parity_module, "_stopped", lambda _rules, _meaning, texts: stopped[texts[0]])
    some, others, _ = parity(rules)
    assert (round(some.ratio, 9), some.fails, others.fails) == (1.5, True, False)
    assert some.low < 1 < MOST < some.high, "twenty prompts are few"
    stopped |= {"a green cup": 0, "a blue cup": 0}
    alone, *rest = parity(rules)
    assert math.isinf(alone.ratio)
    assert alone.fails
    assert alone.to_json()["ratio"] is None
    assert [row.ratio for row in rest] == [0.0, 0.0]
    stopped |= {"a red cup": 0}
    assert {row.ratio for row in parity(rules)} == {1.0}

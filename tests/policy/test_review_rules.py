"""Review part of a rule set: who may release what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from policy.errors import RulesInvalid
from policy.rulebook.review import ReviewRules
from policy.rules import Rules
from tests.support.rule_files import DEFAULT_RULES, written


def rules_of(directory: Path, **review: Any) -> ReviewRules:
    return Rules.load(written(directory, review=review)).review


def test_without_a_section_one_person_decides_and_nobody_about_their_own(tmp_path: Path) -> None:
    rules = Rules.load(written(tmp_path)).review
    assert rules.people_needed(["sexual", "minors"]) == 1
    assert rules.forbidden(["sexual", "minors"]) == []
    assert not rules.own_campaign


@pytest.mark.parametrize(
    ("four_eyes", "categories", "people"),
    [
        ("all", ["sexual"], 2),
        ("all", [], 2),
        ("none", ["sexual"], 1),
        ([], ["sexual"], 1),
        (["sexual"], ["sexual"], 2),
        (["sexual"], ["broken", "sexual"], 2),
        (["sexual"], ["broken"], 1),
        (["screening"], ["screening"], 2),
    ],
)
def test_how_many_people_it_takes(tmp_path: Path, four_eyes: Any, categories: list[str], people: int) -> None:
    assert rules_of(tmp_path, four_eyes=four_eyes).people_needed(categories) == people


def test_what_nobody_may_release_is_named(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, never_release=["minors"])
    assert rules.forbidden(["sexual", "minors"]) == ["minors"]
    assert rules.forbidden(["sexual"]) == []


@pytest.mark.parametrize(
    ("review", "said"),
    [
        ({"four_eyes": ["sexuel"]}, "no category is called 'sexuel'"),
        ({"never_release": ["x"]}, "no category is called 'x'"),
        ({"four_eyes": "some"}, "four_eyes"),
        ({"own_campaign": "maybe"}, "own_campaign"),
        ({"six_eyes": "all"}, "no such key here"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, review: dict[str, Any], said: str) -> None:
    with pytest.raises(RulesInvalid, match=r"rules\.yaml, line \d+") as refused:
        rules_of(tmp_path, **review)
    assert said in str(refused.value)


def test_the_rules_of_review_are_part_of_the_version(tmp_path: Path) -> None:
    one = Rules.load(written(tmp_path, review={"four_eyes": "all"})).version
    assert Rules.load(written(tmp_path, review={"four_eyes": "none"})).version != one


def test_the_rules_that_ship_take_two_where_it_hurts_and_nobody_for_minors() -> None:
    rules = Rules.load(DEFAULT_RULES).review
    assert [rules.people_needed([name]) for name in ("sexual", "hate", "people", "screening")] == [2, 2, 2, 2]
    assert rules.people_needed(["brands"]) == 1
    assert rules.forbidden(["brands", "minors"]) == ["minors"]
    assert not rules.own_campaign


def test_a_file_without_a_watermark_leaves_only_where_the_rule_set_says_so(tmp_path: Path) -> None:
    assert not Rules.load(written(tmp_path)).unmarked_locks
    assert Rules.load(written(tmp_path, lock={"without_watermark": "allow"})).unmarked_locks
    assert not Rules.load(written(tmp_path)).unmarked_cutouts
    assert Rules.load(written(tmp_path, cutout={"without_watermark": "allow"})).unmarked_cutouts
    with pytest.raises(RulesInvalid, match=r"lock\.without_watermark: Input should be 'allow' or 'forbid'"):
        Rules.load(written(tmp_path, lock={"without_watermark": "maybe"}))

"""Rule set files: what loads, and how a mistake is named."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from policy.errors import RulesInvalid
from policy.rules import Rules
from policy.terms import phrases
from policy.verdict import Decision
from tests.support.rule_files import DEFAULT_RULES, written
from workers.settings import Settings


def test_the_version_is_the_digest_of_the_bytes(tmp_path: Path) -> None:
    path = written(tmp_path)
    rules = Rules.load(path)
    assert rules.version == "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_bytes(path.read_bytes() + b"# one more comment\n")
    assert Rules.load(path).version != rules.version


def test_the_shipped_set_loads_and_is_the_default() -> None:
    rules = Rules.load(DEFAULT_RULES)
    assert Settings.model_fields["policy_rules"].default == DEFAULT_RULES
    assert {rule.category for rule in rules.prompt_rules} == set(rules.categories)
    assert [rule.id for rule in rules.prompt_rules if rule.decision is Decision.ALLOW] == ["brands/antiquity"]


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"colour": 1}, "line 25: colour: no such key here"),
        ({"schema": 2}, "line 1: schema: Input should be 1"),
        (
            {"rule": {"id": "sexual/x", "decision": "block", "terms": {"en": ["x"]}}},
            "should be 'allow', 'rewrite', 'hold' or 'refuse'",
        ),
        ({"rule": {"id": "Sexual Things", "decision": "hold", "terms": {"en": ["x"]}}}, "prompt.rules.0.id"),
        ({"rule": {"id": "fun/x", "decision": "hold", "terms": {"en": ["x"]}}}, "category 'fun' is not described"),
        ({"rule": {"id": "sexual/x", "decision": "hold", "terms": {"en": []}}}, "at least 1 item"),
        ({"rule": {"id": "sexual/x", "decision": "hold", "terms": {"English": ["x"]}}}, "prompt.rules.0.terms.English"),
        ({"rule": {"id": "sexual/x", "decision": "hold", "terms": {"en": ["a (b"]}}}, "opened and never closed"),
        ({"rule": {"id": "sexual/x", "decision": "hold", "terms": {"en": ["it's"]}}}, '"it\'s" is not a word'),
        ({"rule": {"id": "sexual/x", "decision": "hold", "terms": {"en": ["x"]}, "naer": ["y"]}}, "naer: no such key"),
        ({"rule": {"id": "sexual/picture", "decision": "hold", "terms": {"en": ["x"]}}}, "exists already"),
        ({"image": {"rules": []}}, "image.rules"),
        (
            {"image": {"rules": [{"id": "sexual/p", "classifier": "c", "scores": ["s"]}]}},
            "give hold, refuse or both",
        ),
        (
            {"image": {"rules": [{"id": "sexual/p", "classifier": "c", "scores": ["s"], "hold": 0.9, "refuse": 0.5}]}},
            "hold (0.9) is above refuse (0.5)",
        ),
        (
            {"image": {"rules": [{"id": "sexual/p", "classifier": "c", "scores": ["s"], "hold": float("nan")}]}},
            "image.rules.0.hold",
        ),
        ({"exceptions": [{"tenant": "a", "rules": ["sexual/none"], "reason": "r"}]}, "no prompt rule 'sexual/none'"),
        ({"exceptions": [{"tenant": "a", "rules": ["sexual/nudity"]}]}, "exceptions.0.reason: this key is needed"),
        (
            {"exceptions": [{"tenant": "a", "rules": ["sexual/nudity"], "terms": ["nde"], "reason": "r"}]},
            "no rule named here has the term(s) nde",
        ),
        (
            {
                "rule": {"id": "minors/x", "decision": "refuse", "terms": {"en": ["x"]}},
                "exceptions": [{"tenant": "a", "rules": ["minors/x"], "reason": "r"}],
            },
            "category 'minors' allows no exceptions",
        ),
    ],
)
def test_a_mistake_is_named_with_its_file_line_and_remedy(tmp_path: Path, parts: dict[str, Any], said: str) -> None:
    path = written(tmp_path, **parts)
    with pytest.raises(RulesInvalid) as refused:
        Rules.load(path)
    assert said in str(refused.value)
    assert all(line.startswith(f"{path}, line ") for line in str(refused.value).splitlines())


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, schema=7, colour=1, name="")
    with pytest.raises(RulesInvalid) as refused:
        Rules.load(path)
    assert len(str(refused.value).splitlines()) == 3


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        (b"schema: 1\nname: a\nname: b\n", "line 3: 'name' stands already in line 2"),
        (b"schema: [1\n", "not YAML"),
        (b"schema: 1 \xff\n", "byte 10 is not UTF-8"),
        (b"", "line 1: the file"),
        (b"- a\n", "line 1: the file"),
        (b"name: !!python/object/apply:os.system ['true']\n", "not YAML"),
    ],
)
def test_a_file_that_is_no_rule_set_is_refused(tmp_path: Path, stored: bytes, said: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_bytes(stored)
    with pytest.raises(RulesInvalid) as refused:
        Rules.load(path)
    assert said in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RulesInvalid, match=r"nowhere\.yaml: cannot be read"):
        Rules.load(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize(
    ("term", "stands_for"),
    [
        ("naked", {("naked",)}),
        ("decapitat*", {("decapitat*",)}),
        ("(magna|summa|) cum laude", {("magna", "cum", "laude"), ("summa", "cum", "laude"), ("cum", "laude")}),
        ("a (b (c|d)|e)", {("a", "b", "c"), ("a", "b", "d"), ("a", "e")}),
        ("(one two|three)", {("one", "two"), ("three",)}),
        ("café", {("café",)}),
    ],
)
def test_a_term_stands_for_its_phrases(term: str, stands_for: set[tuple[str, ...]]) -> None:
    assert set(phrases(term)) == stands_for


@pytest.mark.parametrize(
    ("term", "said"),
    [
        ("", "nothing at all"),
        ("(a|)", "nothing at all"),
        ("a)", "never opened"),
        ("((((((a))))))", "more than 4 brackets"),
        ("a-b", "is not a word"),
        ("*", "is not a word"),
        ("ab*", "shorter than 3"),
        ("(a|b|c|d|e|f|g|h|i|j)" * 4, "more than 2000 phrases"),
        ("a " * 13, "more than 12 words"),
    ],
)
def test_a_term_that_cannot_be_meant_is_refused(term: str, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("(", r"\(")):
        phrases(term)

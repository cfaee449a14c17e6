"""Rewriting, allowing, scopes: what a text becomes, which rule has the last word, and for whom."""

# ruff: noqa: RUF001  (look-alike letters are what is tested)
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.errors import RulesInvalid
from policy.prompts.rewrite import prepare
from policy.prompts.screen import screen_prompt
from policy.rulebook.prompts import PromptField
from policy.rulebook.scope import Context
from policy.rules import Rules
from policy.verdict import Decision
from tests.support.rule_files import written

pytestmark = pytest.mark.slow

ACME = Context("acme")
BRANDS = {
    "brands": {"description": "brands"},
    "minors": {"description": "minors", "exceptions": False},
    "sexual": {"description": "of the image rule"},
}
SWAP = {"id": "brands/swap", "decision": "rewrite", "terms": {"en": ["(nike|adidas)"]}, "with": "a sports brand"}
HOLD = {"id": "brands/hold", "decision": "hold", "terms": {"en": ["nike", "puma", "samothrace"]}}
MINORS = {
    "id": "minors/test",
    "decision": "refuse",
    "terms": {"en": ["child"]},
    "near": ["naughty"],
    "near_words": 2,
}


def _rules(tmp_path: Path, first: dict[str, Any], *more: dict[str, Any], **parts: Any) -> Rules:
    return Rules.load(written(tmp_path, *more, rule=first, **{"categories": BRANDS, **parts}))


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("a runner in Nike shoes", "a runner in a sports brand shoes"),
        ("NIKE, adidas; Nike!", "a sports brand, a sports brand; a sports brand!"),
        ("N1ke shoes", "a sports brand shoes"),
        ("niiiike shoes", "a sports brand shoes"),
        ("n.i.k.e shoes", "a sports brand shoes"),
        ("(n-i-k-e)", "(a sports brand)"),
        ("Níke shoes", "a sports brand shoes"),
        ("Ｎｉｋｅ shoes", "a sports brand shoes"),
        ("n\u200bik\u0336e\u0336 shoes", "a sports brand shoes"),
        ("Nіkе shoes", "a sports brand shoes"),  # two Cyrillic letters
        ("two\n  nike \t spaces stay", "two\n  a sports brand \t spaces stay"),
        ("ﬁne nike", "ﬁne a sports brand"),  # one letter that folds to two
        ("snikers and nikelodeon", "snikers and nikelodeon"),
    ],
)
def test_a_term_is_replaced_where_it_stands_and_nothing_else_changes(tmp_path: Path, text: str, becomes: str) -> None:
    rules = _rules(tmp_path, SWAP)
    prepared = prepare(rules, text, ACME)
    assert prepared.text == becomes
    assert prepared.verdict.allowed
    told = [finding.rule for finding in prepared.verdict.rewrites]
    assert told == (["brands/swap"] if text != becomes else [])
    assert screen_prompt(rules, becomes, tenant="acme").findings == (), "what was rewritten passes the second look"


@pytest.mark.parametrize("text", ["n i k e shoes", "bmlrZSBzaG9lcw=="])
def test_what_is_hidden_too_deep_to_be_replaced_is_held(tmp_path: Path, text: str) -> None:
    prepared = prepare(_rules(tmp_path, SWAP), text, ACME)
    assert prepared.text == text
    assert [(f.decision, f.rule) for f in prepared.verdict.findings] == [(Decision.HOLD, "brands/swap")]


def test_a_picture_made_before_the_rule_is_held_by_it(tmp_path: Path) -> None:
    verdict = screen_prompt(_rules(tmp_path, SWAP), "nike shoes", tenant="acme")
    assert verdict.decision is Decision.HOLD


def test_the_rewritten_text_is_screened_as_if_it_had_been_sent(tmp_path: Path) -> None:
    rules = _rules(tmp_path, SWAP, HOLD)
    assert prepare(rules, "nike shoes", ACME).verdict.allowed, "the hold rule finds nothing any more"
    assert prepare(rules, "nike and puma shoes", ACME).verdict.decision is Decision.HOLD
    into_a_hold = {**SWAP, "with": "puma"}
    assert prepare(_rules(tmp_path, into_a_hold, HOLD), "adidas", ACME).verdict.decision is Decision.HOLD


def test_no_rewrite_launders_what_admits_no_exception(tmp_path: Path) -> None:
    swap = {"id": "brands/polite", "decision": "rewrite", "terms": {"en": ["naughty"]}, "with": "well-behaved"}
    prepared = prepare(_rules(tmp_path, swap, MINORS), "a naughty child", ACME)
    assert prepared.text == "a well-behaved child"
    assert prepared.verdict.decision is Decision.REFUSE
    assert {finding.rule for finding in prepared.verdict.findings} == {"brands/polite", "minors/test"}


def test_replacements_that_never_come_to_rest_leave_the_text_and_hold_it(tmp_path: Path) -> None:
    prepared = prepare(_rules(tmp_path, {**SWAP, "with": "adidas or nike"}), "nike", ACME)
    assert prepared.text == "nike"
    assert prepared.verdict.decision is Decision.HOLD


def test_of_overlapping_terms_the_first_and_then_the_longest_is_replaced(tmp_path: Path) -> None:
    longer = {"id": "brands/longer", "decision": "rewrite", "terms": {"en": ["nike air max"]}, "with": "trainers"}
    prepared = prepare(_rules(tmp_path, SWAP, longer), "red nike air max", ACME)
    assert prepared.text == "red trainers"


_PARTS = [
    "nike",
    "n.i.k.e",
    "N1KE",
    "puma",
    "a",
    "child",
    "naughty",
    "\u200b",
    "é",
    "ﬁ",
    "\n",
    "İ",
    "Σ",
    "n i k e",
    "🚗",
]


@given(parts=st.lists(st.sampled_from(_PARTS), max_size=12), glue=st.sampled_from(["", " ", "-", ". "]))
@settings(max_examples=300, deadline=None)
def test_rewriting_what_was_rewritten_changes_nothing(
    parts: list[str], glue: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rules = _rules(tmp_path_factory.mktemp("rules"), SWAP, HOLD, MINORS)
    once = prepare(rules, glue.join(parts), ACME)
    again = prepare(rules, once.text, ACME)
    assert again.text == once.text
    assert again.verdict.rewrites == ()


def test_what_a_rule_says_of_a_rewrite_names_the_replacement_and_never_the_text(tmp_path: Path) -> None:
    (finding,) = prepare(_rules(tmp_path, SWAP), "secretword nike secretword", ACME).verdict.rewrites
    assert finding.detail == "prompt was rewritten in 1 place: 'a sports brand' stands there now"


def test_an_allowed_term_silences_the_named_rules_where_it_stands_and_says_so(tmp_path: Path) -> None:
    statue = {
        "id": "brands/statue",
        "decision": "allow",
        "terms": {"en": ["nike of samothrace"]},
        "overrides": ["brands/hold", "brands/swap"],
    }
    rules = _rules(tmp_path, SWAP, HOLD, statue)
    prepared = prepare(rules, "the Nike of Samothrace in the Louvre", ACME)
    assert prepared.text == "the Nike of Samothrace in the Louvre"
    assert prepared.verdict.allowed
    assert [(f.decision, f.rule) for f in prepared.verdict.findings] == [(Decision.ALLOW, "brands/statue")]
    both = prepare(rules, "the Nike of Samothrace in Nike shoes", ACME)
    assert both.text == "the Nike of Samothrace in a sports brand shoes"
    assert not prepare(rules, "Samothrace", ACME).verdict.allowed


@pytest.mark.parametrize(
    ("scope", "context", "held"),
    [
        ({"tenants": ["acme"]}, Context("acme"), True),
        ({"tenants": ["acme"]}, Context("globex"), False),
        ({"campaigns": ["spring*"]}, Context("globex", "Spring Sale"), True),
        ({"campaigns": ["spring*"]}, Context("globex", "autumn"), False),
        ({"campaigns": ["spring*"]}, Context("globex"), False),
        ({"models": ["studio", "sd?"]}, Context("globex", model="SDX"), True),
        ({"models": ["studio"]}, Context("globex", model="studio-2"), False),
        ({"tenants": ["acme"], "models": ["studio"]}, Context("acme", model="other"), False),
    ],
)
def test_a_rule_speaks_within_its_scope(tmp_path: Path, scope: dict[str, Any], context: Context, held: bool) -> None:
    rules = _rules(tmp_path, {**HOLD, "scope": scope})
    assert prepare(rules, "puma", context).verdict.allowed is not held


def test_our_own_brand_is_open_to_its_tenant_alone_and_only_for_what_is_named(tmp_path: Path) -> None:
    ours = {"tenant": "acme", "rules": ["brands/hold"], "terms": ["puma"], "reason": "our own brand"}
    here = {"scope": {"campaigns": ["spring*"], "models": ["studio"]}}
    rules = _rules(tmp_path, {**HOLD, "terms": {"en": ["(nike|puma) (shoes|)"]}}, exceptions=[ours])
    assert prepare(rules, "puma", ACME).verdict.allowed
    assert not prepare(rules, "puma shoes", ACME).verdict.allowed, "another phrase of the same term"
    assert not prepare(rules, "puma", Context("globex")).verdict.allowed
    scoped = _rules(tmp_path, HOLD, exceptions=[{**ours, **here}])
    assert prepare(scoped, "puma", Context("acme", "spring 2027", "studio")).verdict.allowed
    assert not prepare(scoped, "puma", Context("acme", "spring 2027", "other")).verdict.allowed


def test_a_rule_reads_the_languages_it_names(tmp_path: Path) -> None:
    lists = {"id": "brands/hold", "decision": "hold", "terms": {"en": ["shoe"], "de": ["schuh"]}}
    rules = _rules(tmp_path, {**lists, "languages": ["de"]})
    assert not prepare(rules, "ein Schuh", ACME).verdict.allowed
    assert prepare(rules, "a shoe", ACME).verdict.allowed


def test_a_negative_prompt_is_rewritten_by_rules_for_negative_prompts(tmp_path: Path) -> None:
    both = {**SWAP, "fields": ["prompt", "negative_prompt"]}
    assert prepare(_rules(tmp_path, both), "nike", ACME, PromptField.NEGATIVE_PROMPT).text == "a sports brand"
    assert prepare(_rules(tmp_path, SWAP), "nike", ACME, PromptField.NEGATIVE_PROMPT).text == "nike"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({**SWAP, "with": ""}, "at least 1 character"),
        ({key: value for key, value in SWAP.items() if key != "with"}, "decision rewrite and the key with"),
        ({**HOLD, "with": "x"}, "decision rewrite and the key with"),
        ({**SWAP, "id": "minors/swap"}, "a rewrite would be one; hold or refuse"),
        ({**HOLD, "decision": "allow"}, "decision allow and the key overrides"),
        ({**HOLD, "overrides": ["brands/x"]}, "decision allow and the key overrides"),
        ({**HOLD, "decision": "allow", "overrides": ["brands/x"]}, "no prompt rule 'brands/x' to override"),
        ({**HOLD, "decision": "allow", "overrides": ["minors/test"]}, "category 'minors' allows no exceptions"),
        (
            {**HOLD, "decision": "allow", "overrides": ["brands/swap"], "scope": {"campaigns": ["ours*"]}},
            "anybody may give a campaign any name",
        ),
        ({**HOLD, "scope": {}}, "this scope confines nothing"),
        ({**HOLD, "scope": {"tenant": ["a"]}}, "no such key"),
        ({**HOLD, "languages": ["de"]}, "terms has no such list"),
        ({**HOLD, "personal": ["email"]}, "one of the two"),
        ({"id": "brands/x", "decision": "hold"}, "one of the two"),
        ({"id": "brands/x", "decision": "hold", "personal": ["email"], "near": ["a"]}, "found by its shape"),
        ({"id": "brands/x", "decision": "hold", "personal": ["email"], "regions": ["US"]}, "add phone to personal"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(tmp_path: Path, rule: dict[str, Any], said: str) -> None:
    with pytest.raises(RulesInvalid, match=said):
        _rules(tmp_path, {**SWAP, "id": "brands/swap"} if rule["id"] != "brands/swap" else HOLD, rule, MINORS)


def test_the_scope_of_an_exception_names_no_tenants(tmp_path: Path) -> None:
    twice = {"tenant": "acme", "rules": ["brands/hold"], "scope": {"tenants": ["globex"]}, "reason": "r"}
    with pytest.raises(RulesInvalid, match="leave tenants out of its scope"):
        _rules(tmp_path, HOLD, exceptions=[twice])

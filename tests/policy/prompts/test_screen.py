"""Prompt screening: the table of cases, disguises, fields, tenants, characters, and time in proportion to length."""

# ruff: noqa: RUF001  (look-alike letters are what is tested)
from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.prompts.cases import Case
from policy.prompts.normalisation.variants import fold, normalised_variants
from policy.prompts.rewrite import prepare
from policy.prompts.screen import screen_prompt
from policy.rulebook.prompts import Exemption
from policy.rulebook.scope import EVERYWHERE, Context
from policy.rules import Rules
from policy.verdict import Decision, Stage, Verdict
from tests.support.prompt_cases import (
    CATALOGUE,
    CHARACTERS,
    HELD_OUT,
    HELD_STILL,
    IN_SAMPLE,
    MISSED,
    PARAPHRASES,
    TRICKS,
    WORLD,
)
from tests.support.rule_files import DEFAULT_RULES, written


@pytest.fixture(scope="module")
def rules() -> Rules:
    return Rules.load(DEFAULT_RULES)


def _screened(rules: Rules, case: Case) -> Verdict:
    return prepare(rules, case.text, Context("acme")).verdict


def test_no_innocent_prompt_of_the_tables_is_stopped(rules: Rules) -> None:
    innocent = (*IN_SAMPLE.innocent, *PARAPHRASES.innocent, *CATALOGUE.innocent, *WORLD.innocent)
    stopped = {case.text: v.findings for case in innocent if not (v := _screened(rules, case)).allowed}
    assert set(stopped) == set(HELD_STILL)
    assert all(finding.decision is Decision.HOLD for findings in stopped.values() for finding in findings)
    assert len(innocent) >= 480


def test_no_held_out_innocent_prompt_is_refused(rules: Rules) -> None:
    """Holds are counted by the report and lowered; a refusal of an innocent prompt is a fault."""
    innocent = [case for table in HELD_OUT for case in table.innocent]
    assert [case for case in innocent if _screened(rules, case).decision is Decision.REFUSE] == []
    assert len(innocent) >= 300


def test_no_attack_of_the_table_passes_and_each_meets_its_rule(rules: Rules) -> None:
    decisions, wrong = {rule.id: rule.decision for rule in rules.prompt_rules}, {}
    for case in IN_SAMPLE.attacks:
        verdict = _screened(rules, case)
        if case.expected not in {finding.rule for finding in verdict.findings}:
            wrong[case.text] = verdict
        assert verdict.decision in (decisions[case.expected], Decision.REFUSE), case
    assert wrong == {}


@pytest.mark.parametrize(("text", "decision", "rule"), CHARACTERS)
def test_characters_that_nobody_types_are_named(rules: Rules, text: str, decision: str, rule: str) -> None:
    verdict = screen_prompt(rules, text, tenant="acme")
    assert verdict.decision == decision
    assert rule in {finding.rule for finding in verdict.findings}


def test_no_attack_that_was_worked_on_passes_but_those_that_are_named(rules: Rules) -> None:
    """docs/policy.md names these as limits; whoever catches one takes it off the list."""
    attacks = (*PARAPHRASES.attacks, *TRICKS.attacks, *CATALOGUE.attacks, *WORLD.attacks)
    assert {case.text for case in attacks if _screened(rules, case).allowed} == set(MISSED)


def test_the_tables_are_as_large_as_they_are_said_to_be_and_share_no_prompt() -> None:
    tables = (IN_SAMPLE, PARAPHRASES, TRICKS, CATALOGUE, WORLD, *HELD_OUT)
    texts = [case.text for table in tables for case in table.cases]
    assert len(set(texts)) == len(texts) >= 1400
    assert len({case.language for table in tables for case in table.cases}) >= 25


def test_every_prompt_rule_that_ships_is_met_by_the_table(rules: Rules) -> None:
    met = {case.expected for case in IN_SAMPLE.attacks}
    of_negative_prompts, allowing = {"sexual/undressing"}, {"brands/antiquity"}
    assert {rule.id for rule in rules.prompt_rules} - of_negative_prompts - allowing <= met


def test_the_shipped_allow_rule_speaks(rules: Rules) -> None:
    verdict = screen_prompt(rules, "the Winged Nike of Samothrace", tenant="acme")
    assert [(f.decision, f.rule) for f in verdict.findings] == [(Decision.ALLOW, "brands/antiquity")]


def test_a_finding_names_rule_and_copy_and_never_the_prompt(rules: Rules) -> None:
    secret = "zebrafish quetzal"
    for text in (case.text for case in IN_SAMPLE.attacks):
        verdict = screen_prompt(rules, f"{secret} {text} {secret}", tenant="acme", field="prompt")
        assert verdict.policy_version == rules.version
        for finding in verdict.findings:
            assert finding.stage is Stage.PROMPT
            assert finding.rule.startswith(f"{finding.category}/")
            assert not set(secret.split()) & set(finding.detail.split())
            assert finding.detail.startswith("prompt ")


def test_one_rule_gives_one_finding_however_often_it_is_met(rules: Rules) -> None:
    verdict = screen_prompt(rules, "nude, naked, n.u.d.e, bnVkZSB3b21hbg==", tenant="acme")
    assert [finding.rule for finding in verdict.findings] == ["sexual/nudity"]


def test_what_is_kept_out_of_a_picture_is_not_what_is_wanted_in_it(rules: Rules) -> None:
    usual = "nsfw, nude, gore, blurry, extra fingers, watermark"
    assert screen_prompt(rules, usual, tenant="acme", field="negative_prompt").allowed
    assert not screen_prompt(rules, usual, tenant="acme").allowed
    verdict = screen_prompt(rules, "clothes, blurry", tenant="acme", field="negative_prompt")
    assert [finding.rule for finding in verdict.findings] == ["sexual/undressing"]
    assert screen_prompt(rules, "clothes on a rack", tenant="acme").allowed


def test_an_unknown_field_is_screened_as_a_prompt(rules: Rules) -> None:
    verdict = screen_prompt(rules, "naked man", tenant="acme", field="headline")
    assert verdict.decision is Decision.HOLD
    assert verdict.findings[0].detail.startswith("headline ")


def test_an_exception_opens_one_term_for_one_tenant(rules: Rules) -> None:
    exceptions = {
        ("acme", "brands/names"): (Exemption(None, EVERYWHERE, "ours"),),
        ("globex", "brands/artists"): (Exemption(frozenset({"no such term"}), EVERYWHERE, "ours"),),
    }
    eased = dataclasses.replace(rules, exceptions=exceptions)
    assert screen_prompt(eased, "runner in Nike shoes", tenant="acme").allowed
    assert not screen_prompt(eased, "runner in Nike shoes", tenant="globex").allowed
    assert not screen_prompt(eased, "a mural by Banksy", tenant="globex").allowed
    assert not screen_prompt(eased, "Mickey Mouse in Nike shoes", tenant="acme").allowed


def test_near_means_near_and_an_excuse_excuses_neighbours_too(tmp_path) -> None:
    rules = Rules.load(
        written(
            tmp_path,
            rule={
                "id": "sexual/test",
                "decision": "refuse",
                "terms": {"en": ["child"]},
                "near": ["nude"],
                "near_words": 3,
                "unless": ["nude pumps"],
            },
        )
    )
    assert not screen_prompt(rules, "a child one two nude", tenant="t").allowed
    assert not screen_prompt(rules, "nude one two child", tenant="t").allowed
    assert screen_prompt(rules, "a child one two three nude", tenant="t").allowed
    assert screen_prompt(rules, "a child with nude pumps", tenant="t").allowed
    assert not screen_prompt(rules, "a nude child with nude pumps", tenant="t").allowed


def test_a_prompt_beyond_the_limit_is_refused_unread(rules: Rules) -> None:
    verdict = screen_prompt(rules, "a" * (rules.max_chars + 1), tenant="acme")
    assert [(finding.rule, finding.decision) for finding in verdict.findings] == [("text/too-long", Decision.REFUSE)]
    assert screen_prompt(rules, "lorem ipsum " * (rules.max_chars // 12), tenant="acme").allowed


@pytest.mark.parametrize("text", ["", " ", "\n", "...", "!!!", "\u200b", "🚗", "\ufeffa car", "a car\r\non a road"])
def test_empty_and_odd_but_harmless_prompts_pass(rules: Rules, text: str) -> None:
    assert screen_prompt(rules, text, tenant="acme").allowed


@given(text=st.text(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_text_whatever_gets_a_verdict(rules: Rules, text: str) -> None:
    assert screen_prompt(rules, text, tenant="acme").policy_version == rules.version


@pytest.mark.parametrize(
    "pattern",
    ["a", "a ", "aab ", "a.", "a_", "n u d e ", "nude child ", "nude a b c d e f g h i ", "!", "1a", "QUJD", "é", "а"],
)
def test_no_shape_of_prompt_multiplies_the_work(rules: Rules, pattern: str) -> None:
    """Work is counted, not timed: words looked up, and hits, grow with the length and not with its square."""

    def work(size: int) -> int:
        text = (pattern * size)[:size]
        return sum(len(position) + 1 for copy in normalised_variants(text) for position in copy.positions)

    assert work(8_000) <= 2.5 * work(4_000) + 2_000


def test_folding_takes_off_what_the_eye_does_not_see() -> None:
    assert fold("Ｎaкеd\u200b Ñude ℌello") == "naked nude hello"
    assert fold("plain ASCII 123") == "plain ascii 123"


def test_a_word_in_another_script_is_compared_in_its_own_script(tmp_path) -> None:
    """Cyrillic 'сор' (litter) looks like the English 'cop': neither must find the other."""
    litter = {"id": "sexual/test", "decision": "hold", "terms": {"ru": ["сор"]}}
    rules = Rules.load(written(tmp_path, rule=litter))
    assert not screen_prompt(rules, "сор", tenant="t").allowed
    assert screen_prompt(rules, "cop", tenant="t").allowed

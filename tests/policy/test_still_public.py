"""Still-public report, asked of a real ledger: what is public although the rules of today would not release it."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from policy import events
from policy.events import Private
from policy.rules import Rules
from policy.still_public import find_still_public, still_public_page
from tests.policy.ledger.test_questions import released
from tests.support.ledger import Ledger
from tests.support.rule_files import written

OLD = "sha256:" + "a" * 64


def allowed(number, prompt="a red kettle", score=0.1, findings=(), **changes):
    verdict = {
        "decision": "hold" if findings else "allow", "policy_version": OLD, "findings": list(findings),
        "scores": {"test/bad": score},
    }  # fmt: skip
    return released(number, prompt=Private(prompt), negative_prompt=Private(""), verdict=verdict, **changes)


HELD = {
    "decision": "hold",
    "stage": "prompt",
    "category": "sexual",
    "rule": "sexual/nudity",
    "score": None,
    "detail": "",
}


@pytest.fixture
def rules(tmp_path):
    """Holds 'nude' in a prompt, and a picture with test/bad of 0.5 or more."""
    return Rules.load(written(tmp_path))


@pytest.fixture
def ledger(database):
    ledger = Ledger(database)
    ledger.append(
        allowed(0),
        allowed(1, "a nude woman"),
        allowed(2, score=0.7),
        allowed(3, "a nude man"),
        allowed(4, "a nude statue", findings=[HELD], review={"reviewer": "ann"}),
    )
    ledger.append(allowed(5, "a nude rival"), tenant="rival")
    ledger.append(events.AssetRecalled("c1", "r1", "i3", "a3", "policy", ("c" * 64,)))
    return ledger


def found(ledger, rules, **asked):
    with ledger.auditor.connect() as conn:
        return list(find_still_public(lambda: nullcontext(conn), rules, **asked))


def test_what_a_rule_would_hold_now_is_named_with_the_rule_and_the_rest_is_not(ledger, rules):
    (looked,) = found(ledger, rules)
    assert {one.asset_id: (one.decision, one.rules, one.released_under) for one in looked.found} == {
        "a1": ("hold", ("sexual/nudity",), OLD),
        "a2": ("hold", ("sexual/picture",), OLD),
        "a5": ("hold", ("sexual/nudity",), OLD),
    }
    assert (looked.judged, looked.not_judged) == (5, 0)


def test_a_recalled_picture_is_public_no_more_and_a_person_s_release_stands(ledger, rules):
    (looked,) = found(ledger, rules)
    assert {"a3", "a4"}.isdisjoint(one.asset_id for one in looked.found)


def test_a_tenant_sees_its_own(ledger, rules):
    (looked,) = found(ledger, rules, tenant="rival")
    assert [one.asset_id for one in looked.found] == ["a5"]


def test_pages_meet_without_a_gap(ledger, rules):
    seen, after = [], 0
    with ledger.auditor.connect() as conn:
        while after is not None:
            looked = still_public_page(conn, rules, tenant=None, after=after, limit=2)
            seen += [one.asset_id for one in looked.found]
            after = looked.last
    assert seen == ["a1", "a2", "a5"]


def test_a_score_that_was_never_recorded_hides_nothing_that_the_words_alone_decide(ledger, rules):
    for number, prompt in ((6, "a nude queen"), (7, "a red kettle")):
        verdict = {"decision": "allow", "policy_version": OLD, "findings": [], "scores": {}}
        ledger.append(released(number, prompt=Private(prompt), negative_prompt=Private(""), verdict=verdict))
    (looked,) = found(ledger, rules)
    assert {one.asset_id for one in looked.found} == {"a1", "a2", "a5", "a6"}
    assert (looked.judged, looked.not_judged) == (6, 1)


def test_erased_text_is_counted_and_not_guessed(ledger, rules):
    ledger.tamper("delete from audit.private where value = 'a nude woman'")
    (looked,) = found(ledger, rules)
    assert "a1" not in {one.asset_id for one in looked.found}
    assert (looked.judged, looked.not_judged) == (4, 1)

"""Policy time machine: other rules change what they should, and what history does not hold is not guessed."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace

import pytest
from click.testing import CliRunner

from deploy.cli import main
from policy.events import ItemHeld, Private
from policy.ledger.reading.events import Recorded
from policy.rules import Rules
from policy.simulate import REQUESTS, simulate
from policy.verdict import Decision, Finding, Stage, Verdict
from tests.policy.ledger.test_questions import ACCEPTED, judged, released
from tests.support.ledger import Ledger, refused
from tests.support.rule_files import DEFAULT_RULES, written

UNAVAILABLE = Finding(Decision.HOLD, Stage.IMAGE, "screening", "classifier_unavailable")
UNMARKED = Finding(Decision.HOLD, Stage.MARK, "marks", "MarkUnreadable")
NUDE = Finding(Decision.HOLD, Stage.PROMPT, "sexual", "sexual/nudity")
KINDS = {Decision.ALLOW: "item.released", Decision.HOLD: "item.held", Decision.REFUSE: "item.refused"}


def settled(prompt="a red kettle", *findings, scores=(("test/bad", 0.1),), batch="b1", negative="", **changes):
    """An item that was settled under older rules with these findings and scores."""
    verdict = Verdict("sha256:old", findings, dict(scores))
    values = {
        "entry_id": 1,
        "index": 0,
        "event_id": "e1",
        "at": "2026-11-21T00:00:00.000000Z",
        "tenant": "acme",
        "kind": KINDS[verdict.decision],
        "actor": "worker:1",
        "subjects": (),
        "event": {"request_id": "r1", "item_id": "i1", "batch_id": batch, "verdict": verdict.to_json()},
        "private": {"prompt": prompt, "negative_prompt": negative},
    }
    return Recorded(**values | changes)


@pytest.fixture
def rules(tmp_path):
    """Holds 'nude' in a prompt, and a picture with test/bad of 0.5 or more."""
    return Rules.load(written(tmp_path))


@pytest.mark.parametrize(
    ("item", "before", "after"),
    [
        (settled(), "allow", "allow"),
        (settled("a nude woman"), "allow", "hold"),
        (settled("a nude woman", NUDE), "hold", "hold"),
        (settled("a red kettle", NUDE), "hold", "allow"),
        (settled("a kettle", negative="nude"), "allow", "allow"),
        (settled(scores=[("test/bad", 0.5)]), "allow", "hold"),
        (settled("a kettle", replace(NUDE, decision=Decision.REFUSE), scores=(), batch=None), "refuse", "allow"),
        (settled("a nude", replace(NUDE, decision=Decision.REFUSE), scores=(), batch=None), "refuse", "hold"),
        (settled("a kettle", UNAVAILABLE, scores=()), "hold", "hold"),
        (settled("a kettle", UNMARKED), "hold", "hold"),
    ],
    ids=[
        "nothing speaks", "prompt now held", "prompt still held", "prompt now allowed",
        "a negative prompt is no prompt", "score over the threshold",
        "refused at submission, now allowed", "refused at submission, now held",
        "a classifier that did not answer still holds", "a mark that failed still holds",
    ],
)  # fmt: skip
def test_an_item_is_judged_as_if_it_came_today(rules, item, before, after):
    report = simulate(rules, [item])
    assert report.table[before][after] == report.judged == 1
    assert report.unchanged == (before == after)


@pytest.mark.parametrize(("syntax", "after"), [({}, "allow"), ({"prompt_syntax": "weights"}, "hold")])
def test_weighed_words_are_judged_without_their_brackets(rules, syntax, after):
    item = settled("a n(u:1.2)de woman")
    item = replace(item, event=item.event | {"recipe": syntax})
    assert simulate(rules, [item]).table["allow"][after] == 1


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (settled(private={"negative_prompt": ""}), "prompt_erased"),
        (settled(private={"prompt": "a red kettle"}), "prompt_erased"),
        (settled(scores=()), "score_not_recorded"),
        (settled(scores=[("test/other", 0.9)]), "score_not_recorded"),
        (settled(event={"request_id": "r1", "item_id": "i1", "verdict": {"decision": "allow"}}), "verdict_unreadable"),
        (settled(event={}), "verdict_unreadable"),
    ],
)
def test_what_history_does_not_hold_is_counted_and_not_guessed(rules, item, reason):
    report = simulate(rules, [item])
    assert (report.judged, report.not_judged[reason], sum(report.not_judged.values())) == (0, 1, 1)


def test_changes_are_told_by_category_request_and_first_examples(rules):
    strict = [settled("a nude", event=_event("r1", f"i{n}")) for n in range(3)]
    mild = [settled("a kettle", NUDE, event=_event("r2", "i9", NUDE))]
    report = simulate(rules, strict + mild, examples=2)
    held, allowed = report.changes["newly_held"], report.changes["newly_allowed"]
    assert (held.items, held.by_category, held.by_request) == (3, {"sexual": 3}, {"r1": 3})
    assert [(e.item_id, e.before, e.after, e.rules) for e in held.examples] == [
        ("i0", "allow", "hold", ("sexual/nudity",)), ("i1", "allow", "hold", ("sexual/nudity",))
    ]  # fmt: skip
    assert (allowed.items, allowed.by_category) == (1, {"sexual": 1}), "by what was said then"
    assert report.changes["newly_refused"].items == 0


def test_an_item_that_was_never_made_is_not_said_to_be_clean(rules):
    never_made = settled("a kettle", replace(NUDE, decision=Decision.REFUSE), scores=(), batch=None)
    assert simulate(rules, [never_made]).unpictured == 1
    assert simulate(rules, [settled("a kettle", NUDE)]).unpictured == 0


def test_an_exception_holds_for_its_tenant_only(tmp_path):
    exceptions = [{"tenant": "acme", "rules": ["sexual/nudity"], "reason": "a museum"}]
    rules = Rules.load(written(tmp_path, exceptions=exceptions))
    report = simulate(rules, [settled("a nude"), settled("a nude", tenant="rival")])
    assert report.table["allow"] == {"allow": 1, "hold": 1, "refuse": 0}


def test_what_people_decided_of_held_items_is_set_against_the_rules(rules):
    """An item that was held and then reviewed is one item: judged as it was held, and asked of people once."""
    nude, kettle = settled("a nude woman", NUDE), settled("a red kettle", NUDE)

    def reviewed(item, kind):
        return replace(item, kind=kind, event={**item.event, "review": {"reviewer": "ann"}})

    report = simulate(
        rules,
        [
            nude, kettle, kettle,
            reviewed(nude, "item.refused"), reviewed(nude, "item.released"),
            reviewed(kettle, "item.released"), reviewed(kettle, "item.refused"),
        ],
    )  # fmt: skip
    assert report.judged == 3
    assert report.table["hold"] == {"allow": 2, "hold": 1, "refuse": 0}
    assert report.reviews == {
        "release": {"allow": 1, "hold": 1, "refuse": 0},
        "refuse": {"allow": 1, "hold": 1, "refuse": 0},
    }


def test_memory_does_not_grow_with_history(rules):
    def history(items):
        return (settled("a nude", event=_event(f"r{n}", f"i{n}")) for n in range(items))

    simulate(rules, history(REQUESTS))
    tracemalloc.start()
    report = simulate(rules, history(3 * REQUESTS))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    held = report.changes["newly_held"]
    assert (held.items, len(held.by_request), held.other_requests) == (3 * REQUESTS, REQUESTS, 2 * REQUESTS)
    assert most < 2_000_000


@pytest.fixture
def call(database):
    def call(*words):
        address = {"PRESSWORK_DATABASE_URL": database.url("auditor")}
        return CliRunner().invoke(main, ["policy", "simulate", *words], env=address)

    return call


@pytest.fixture
def ledger(database):
    ledger = Ledger(database)
    held = {"decision": "hold", "policy_version": "sha256:old", "findings": [], "scores": {"test/bad": 0.9}}
    seen = {"decision": "allow", "policy_version": "sha256:old", "findings": [], "scores": {"test/bad": 0.1}}
    ledger.append(
        released(1, verdict=seen),
        released(2, verdict=seen, prompt=Private("a nude")),
        ItemHeld("r1", "i3", "b1", 1, Private("a vase"), Private(""), {}, "7", held, "c" * 64),
    )
    ledger.append(released(4, verdict=seen, prompt=Private("nude art")), tenant="rival")
    return ledger


def test_a_candidate_is_run_over_the_ledger(ledger, call, tmp_path):
    path = str(written(tmp_path))
    report = json.loads(call(path, "--json").stdout)
    assert (report["judged"], report["unchanged"], report["changes"]["newly_held"]["items"]) == (4, 2, 2)
    assert json.loads(call(path, "--json", "--tenant", "rival").stdout)["judged"] == 1
    assert json.loads(call(path, "--json", "--since", "2100-01-01").stdout)["judged"] == 0
    shown = call(path).output
    assert "newly held: 2" in shown
    assert "allow -> hold  item i2  sexual/nudity" in shown


def test_text_that_was_erased_is_said_to_be_missing(ledger, call, tmp_path):
    ledger.tamper("delete from audit.private where value = 'a nude'")
    assert "1 not judged: prompt erased" in call(str(written(tmp_path))).output


CAMPAIGNS = {"id": "sexual/nudity", "decision": "hold", "terms": {"en": ["nude"]}, "scope": {"campaigns": ["spring*"]}}


def test_rules_for_a_campaign_are_replayed_for_that_campaign_only(database, call, tmp_path):
    ledger = Ledger(database)
    seen = {"decision": "allow", "policy_version": "sha256:old", "findings": [], "scores": {"test/bad": 0.1}}
    for request, name in (("r1", "Spring sale"), ("r2", "autumn")):
        ledger.append(replace(ACCEPTED, request_id=request, name=Private(name)))
        ledger.append(released(request, request_id=request, verdict=seen, prompt=Private("a nude")))
    path = str(written(tmp_path, rule=CAMPAIGNS))
    report = json.loads(call(path, "--json").stdout)
    assert report["changes"]["newly_held"]["by_request"] == {"r1": 1}
    assert report["request_names"] == {"r1": "Spring sale"}
    assert "r1  Spring sale  1" in call(path).output, "a campaign is told by its id and its name"
    ledger.tamper("delete from audit.private where value = 'autumn'")
    assert "1 not judged: campaign name erased" in call(path).output
    assert json.loads(call(str(written(tmp_path)), "--json").stdout)["judged"] == 2, "other rules need no name"


def test_a_refusal_of_the_shipped_rules_is_found_again(database, call):
    ledger = Ledger(database)
    ledger.append(judged(refused(1), "sha256:old", prompt=Private("hardcore porn")))
    report = json.loads(call(str(DEFAULT_RULES), "--json").stdout)
    assert (report["judged"], report["unchanged"]) == (1, 1)


def test_a_broken_candidate_names_its_mistake_before_anything_is_read(call, tmp_path):
    result = call(str(written(tmp_path, colour=1)))
    assert result.exit_code == 2
    assert "colour: no such key here" in result.output


def _event(request_id, item_id, *findings):
    verdict = Verdict("sha256:old", findings, {"test/bad": 0.1}).to_json()
    return {"request_id": request_id, "item_id": item_id, "batch_id": "b1", "verdict": verdict}


EXAMPLES = [f"a bad thing number {number}" for number in range(5)]
MEANING = {
    "ordinary": [f"a mug number {number}" for number in range(20)],
    "rules": [{"id": "sexual/meaning", "hold": 0.5, "examples": EXAMPLES}],
}


def test_kept_scores_of_meaning_are_judged_by_the_candidates_threshold(tmp_path):
    rules = Rules.load(written(tmp_path, meaning=MEANING))
    (name,) = rules.meaning.rules[0].scores
    near, far = ([("test/bad", 0.1), (f"minilm/{name}", score)] for score in (0.6, 0.4))
    report = simulate(rules, [settled(scores=near), settled(scores=far)])
    assert (report.table["allow"]["hold"], report.table["allow"]["allow"]) == (1, 1)


def test_scores_of_other_examples_are_not_taken_for_these_but_scored_anew_where_that_can_be_done(tmp_path):
    rules = Rules.load(written(tmp_path, meaning=MEANING))
    (name,) = rules.meaning.rules[0].scores
    item = settled(scores=[("test/bad", 0.1), ("minilm/sexual-meaning@0123456789ab", 0.9)])
    assert simulate(rules, [item]).not_judged["score_not_recorded"] == 1
    anew = simulate(rules, [item], meaning=lambda text: {f"minilm/{name}": 0.7 if text == "a red kettle" else 0.0})
    assert anew.table["allow"]["hold"] == anew.judged == 1
    assert simulate(rules, [item], meaning=lambda text: {}).not_judged["score_not_recorded"] == 1


def test_what_was_never_made_and_what_could_not_be_screened_needs_no_score_of_meaning(tmp_path):
    rules = Rules.load(written(tmp_path, meaning=MEANING))
    never_made = settled("a kettle", replace(NUDE, decision=Decision.REFUSE), scores=(), batch=None)
    report = simulate(rules, [never_made, settled("a kettle", UNAVAILABLE, scores=())])
    assert (report.table["refuse"]["allow"], report.table["hold"]["hold"]) == (1, 1)


def test_a_rule_for_a_model_speaks_of_items_of_that_model(tmp_path):
    rule = {"id": "sexual/kettle", "decision": "hold", "terms": {"en": ["kettle"]}, "scope": {"models": ["studio"]}}
    rules = Rules.load(written(tmp_path, rule=rule))
    item = settled()
    theirs = replace(item, event={**item.event, "recipe": {"model": "studio"}})
    report = simulate(rules, [item, theirs])
    assert (report.table["allow"]["allow"], report.table["allow"]["hold"]) == (1, 1)

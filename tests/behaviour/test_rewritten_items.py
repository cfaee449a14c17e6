"""Rewritten prompts on their way: the answer, the item, the ledger, the second look, the claim."""

from __future__ import annotations

from pathlib import Path

import pytest

from policy.ledger.reading.events import events_about
from policy.verdict import Decision, Finding, Stage, Verdict
from tests.support.client import ApiTenant, campaign
from tests.support.fakes import FakeSampler
from tests.support.line import new_item
from tests.support.rule_files import written
from tests.support.worker import Works
from workers.states import ItemState

SWAP = {"id": "sexual/polite", "decision": "rewrite", "terms": {"en": ["naughty"]}, "with": "cheerful"}


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    image = {"rules": [{"id": "broken/blank", "classifier": "blank", "scores": ["blank"], "hold": 0.999}]}
    return written(tmp_path, SWAP, image=image)


def test_the_tenant_is_told_what_was_rewritten_and_why_and_the_ledger_keeps_both_texts(
    api: ApiTenant, rules: Path
) -> None:
    caller = api.caller(policy_rules=rules)
    asked = {"prompt": "a naughty cat", "negative_prompt": "dogs", "variants": 2}
    accepted = caller.post("/v1/requests", json=asked).json()
    assert accepted["rewritten_items"] == 2
    (told,) = accepted["rewritten"]
    assert told["rules"] == ["sexual/polite"]
    assert "'cheerful' stands there now" in told["message"]
    for item in caller.get(accepted["links"]["items"]).json()["data"]:
        assert item["prompt"] == "a cheerful cat"
        assert [finding["rule"] for finding in item["rewritten"]] == ["sexual/polite"]
    recorded = api.events("item.rewritten")
    assert len(recorded) == 2
    for event in recorded:
        assert "naughty" not in str(event.event)
        with api.server.line.auditor.connect() as conn:
            line = events_about(conn, event.event["item_id"], tenant=api.tenant)
        (told,) = (recorded for recorded in line if recorded.kind == "item.rewritten")
        assert told.private == {
            "sent_prompt": "a naughty cat",
            "prompt": "a cheerful cat",
            "sent_negative_prompt": "dogs",
            "negative_prompt": "dogs",
        }


def test_rows_of_a_campaign_are_rewritten_one_by_one(api: ApiTenant, rules: Path) -> None:
    caller = api.caller(policy_rules=rules)
    table = "object,colour\nnaughty cat,red\ndog,green\nnaughty nude,blue\n"
    accepted = campaign(caller, table).json()
    assert [row["row"] for row in accepted["rewritten"]] == [1, 3]
    assert accepted["held_items"] == 1, "the rewritten text is screened again"
    assert [row.rewrites is not None for row in api.items()] == [True, False, True]
    assert campaign(caller, table, dry_run=True).json()["rewritten_items"] == 2


def test_the_verdict_of_a_released_item_says_that_its_prompt_was_rewritten(line, settings_for, s3, rules: Path) -> None:
    works = Works(line, settings_for, s3)
    finding = Finding(Decision.REWRITE, Stage.PROMPT, "sexual", "sexual/polite", detail="prompt was rewritten")
    verdict = Verdict("sha256:test", (finding,))
    item = new_item(1, prompt="a cheerful cat", sent={"prompt": "a naughty cat"}, verdict=verdict)
    (item_id,) = works.line.submit("acme", 1, new_items=[item])
    works.executor(FakeSampler()).run(works.line.dispatch([item_id]))
    assert works.line.item(item_id).state == ItemState.RELEASED
    (released,) = works.line.events("item.released")
    assert released.event["verdict"]["decision"] == "allow"
    assert finding in Verdict.from_json(released.event["verdict"]).findings


def test_the_campaigns_name_reaches_the_second_look(line, settings_for, s3, tmp_path: Path) -> None:
    works = Works(line, settings_for, s3)
    spring = {
        "id": "sexual/spring",
        "decision": "hold",
        "terms": {"en": ["kettle"]},
        "scope": {"campaigns": ["SPRING*"]},
    }
    image = {"rules": [{"id": "broken/blank", "classifier": "blank", "scores": ["blank"], "hold": 0.999}]}
    rules = written(tmp_path, spring, image=image)
    ids = [works.line.submit("acme", 1, name=name)[0] for name in ("spring sale", "autumn sale")]
    works.executor(FakeSampler(), policy_rules=rules).run(works.line.dispatch(ids))
    assert [works.line.item(item_id).state for item_id in ids] == [ItemState.HELD, ItemState.RELEASED]

"""Auditor's questions as SQL, asked as the auditor: answers come from the ledger alone, and soon enough."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from policy import events
from policy.events import Private
from tests.support.ledger import Ledger, refused

POLICY, NEWER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
REVISION, OTHER = "sha256:" + "1" * 64, "sha256:" + "2" * 64
FINDING = {
    "decision": "refuse", "stage": "prompt", "category": "weapons", "rule": "weapons/threat",
    "score": None, "detail": "",
}  # fmt: skip
ACCEPTED = events.RequestAccepted(
    "r1", "campaign", "spring", Private("a {x}"), "studio", REVISION, "bulk", 3, 1, POLICY
)


def recipe(model="studio", revision=REVISION, loras=()):
    return {"model": model, "model_revision": revision, "loras": [[name, 0.5] for name in loras]}


def released(number, **changes):
    values = {
        "request_id": "r1",
        "item_id": f"i{number}",
        "asset_id": f"a{number}",
        "batch_id": "b1",
        "attempt": 2,
        "prompt": Private(f"prompt {number}"),
        "negative_prompt": Private("blur"),
        "recipe": recipe(),
        "seed": "7",
        "batch_size": 2,
        "batch_position": number,
        "device": "cpu",
        "verdict": {
            "decision": "allow", "policy_version": POLICY, "findings": [], "scores": {"nsfw/porn": 0.25}
        },
        "marks": {"watermark": {"bit_errors": 0}},
        "renditions": ({"name": "original", "sha256": "c" * 64},),
    }  # fmt: skip
    return events.ItemReleased(**values | changes)


def judged(event, policy=POLICY, **changes):
    verdict = {"decision": "refuse", "policy_version": policy, "findings": [FINDING], "scores": {}}
    return replace(event, verdict=verdict, **changes)


@pytest.fixture
def ledger(database):
    ledger = Ledger(database)
    ledger.append(ACCEPTED, judged(refused(9), request_id="r1", item_id="i9", recipe=recipe()))
    ledger.append(events.BatchClaimed("b1", 1, "worker-1"), events.BatchClaimed("b1", 2, "worker-2"), tenant="house")
    ledger.append(released(0), released(1, recipe=recipe(loras=["ink", "gold"])))
    ledger.append(released(2, recipe=recipe("other", OTHER)), tenant="rival")
    ledger.append(judged(refused(3), NEWER, item_id="i3"), tenant="rival")
    ledger.append(events.AssetLinked("a1", "i1", "original", "k1", 60), events.AssetLinked("a1", "i1", "web", "k2", 90))
    ledger.seal()
    return ledger


def ask(ledger, query, **values):
    with ledger.auditor.connect() as conn:
        return conn.execute(text(query), values).all()


def test_an_asset_is_told_from_its_request_to_its_links(ledger):
    (found,) = ask(ledger, "select * from audit.lineage where asset_id = 'a1'")
    assert (found.item_id, found.request_id, found.request_name, found.template) == ("i1", "r1", "spring", "a {x}")
    assert (found.prompt, found.negative_prompt, found.seed) == ("prompt 1", "blur", "7")
    assert (found.model, found.model_revision) == ("studio", REVISION)
    assert found.loras == [["ink", 0.5], ["gold", 0.5]]
    assert (found.batch_size, found.batch_position, found.device, found.attempt) == (2, 1, "cpu", 2)
    assert found.worker == "worker-2", "the claim that made it, not the one before"
    assert (found.policy_version, found.decision, found.scores) == (POLICY, "allow", {"nsfw/porn": 0.25})
    assert found.marks == {"watermark": {"bit_errors": 0}}
    assert [(link["key_id"], link["rendition"], link["seconds"]) for link in found.links] == [
        ("k1", "original", 60), ("k2", "web", 90)
    ]  # fmt: skip
    assert found.index == 5


def test_an_asset_nobody_fetched_has_an_empty_list_of_links(ledger):
    assert ask(ledger, "select links from audit.lineage where asset_id = 'a0'") == [([],)]


def test_the_row_and_what_became_of_text_and_drawings_on_the_way_are_told_without_the_job(ledger):
    finding = {**FINDING, "decision": "rewrite"}
    ledger.append(
        events.ItemRewritten(
            "r1", "i5", Private("a nude 5"), Private(""), Private("a 5"), Private(""), POLICY, (finding,)
        ),
        events.PictureDiscarded("r1", "i5", "b1", 1, 1, "7", None, "nothing came out"),
        released(5, row=29, variant=3),
    )
    (found,) = ask(ledger, "select * from audit.lineage where asset_id = 'a5'")
    assert (found.row, found.variant) == (29, 3)
    (rewrite,) = found.rewrites
    assert (rewrite["sent_prompt"], rewrite["policy_version"], rewrite["findings"]) == ("a nude 5", POLICY, [finding])
    (drawing,) = found.discarded
    assert (drawing["drawing"], drawing["seed"], drawing["fault"]) == (1, "7", "nothing came out")
    (older,) = ask(ledger, "select row, rewrites, discarded from audit.lineage where asset_id = 'a1'")
    assert tuple(older) == (None, [], [])


def test_erased_text_is_missing_and_the_rest_stays(ledger):
    ledger.tamper("delete from audit.private where value = 'prompt 1'")
    (found,) = ask(ledger, "select prompt, negative_prompt, seed from audit.lineage where asset_id = 'a1'")
    assert tuple(found) == (None, "blur", "7")


def test_what_a_model_a_revision_or_a_lora_made(ledger):
    query = "select item_id from audit.made where makers @> array[:maker] order by entry_id"
    for maker, made in (
        ("model:studio", ["i0", "i1"]),
        (f"revision:{OTHER}", ["i2"]),
        ("lora:gold", ["i1"]),
        ("lora:studio", []),
    ):
        assert [row.item_id for row in ask(ledger, query, maker=maker)] == made


def test_what_a_policy_version_refused_and_why(ledger):
    (found,) = ask(ledger, "select * from audit.refusals where policy_version = :version", version=POLICY)
    assert (found.item_id, found.outcome, found.categories, found.rules, found.prompt) == (
        "i9", "refused", ["weapons"], ["weapons/threat"], "a secret plan, number 9"
    )  # fmt: skip
    assert found.findings == [FINDING]


def test_items_are_counted_by_day_tenant_and_decision(ledger):
    found = ask(ledger, "select tenant, decision, sum(items)::int from audit.counts group by 1, 2 order by 1, 2")
    assert [tuple(row) for row in found] == [
        ("acme", "refused", 1), ("acme", "released", 2), ("rival", "refused", 1), ("rival", "released", 1)
    ]  # fmt: skip


def test_a_request_that_was_cancelled_as_a_whole_counts_by_its_items(ledger):
    ledger.append(events.ItemCancelled("r1", "i7"), events.RequestCancelled("r1", 40), events.RequestCancelled("r1", 0))
    counted = ask(ledger, "select items from audit.counts where decision = 'cancelled' and tenant = 'acme'")
    assert [tuple(row) for row in counted] == [(41,)]
    ledger.tamper("update audit.entries set body = 'nonsense' where kind = 'request.cancelled'")
    assert ask(ledger, "select items from audit.counts where decision = 'cancelled'") == [(1,)]


def test_every_event_is_readable_with_its_private_text(ledger):
    (found,) = ask(ledger, "select event, index from audit.events where kind = 'request.accepted'")
    assert (found.event["template"], found.event["items"], found.index) == ("a {x}", 3, 0)


def test_a_body_made_unreadable_spoils_no_other_answer(ledger):
    for body in (r"'\xff00'::bytea", "'not json'::bytea", "'5'::bytea", "'{}'::bytea"):
        ledger.tamper(f"update audit.entries set body = {body} where kind = 'item.released' and tenant = 'rival'")
        assert len(ask(ledger, "select * from audit.lineage")) == 3
        assert ask(ledger, "select model from audit.made where item_id = 'i2'") == [(None,)]
        for view in ("events", "refusals", "counts"):
            assert ask(ledger, f"select * from audit.{view}")
        assert ledger.verify().problems


@pytest.mark.parametrize("role", ["api", "worker", "sealer"])
def test_nobody_but_the_auditor_gets_an_answer(ledger, role):
    for view in ("events", "made", "refusals", "lineage", "counts"):
        with ledger.database.engine(role).connect() as conn, pytest.raises(ProgrammingError, match="permission denied"):
            conn.execute(text(f"select * from audit.{view}"))


def test_point_questions_are_answered_by_their_indexes(ledger):
    ledger.append(*(released(n) for n in range(100, 2100)))
    with ledger.database.engine("superuser").begin() as conn:
        conn.execute(text("analyze audit.entries"))
    for question, index in (
        ("select * from audit.lineage where asset_id = 'a77'", "entries_by_asset"),
        ("select * from audit.lineage where asset_id = 'a77'", "entries_by_accepted"),
        ("select * from audit.made where makers @> array['lora:rare']", "entries_by_makers"),
        ("select * from audit.refusals where policy_version = 'sha256:rare'", "entries_by_policy"),
        ("select * from audit.counts where tenant = 'rival'", "entries_by_tenant"),
    ):
        plan = "\n".join(row[0] for row in ask(ledger, f"explain {question}"))
        assert index in plan, question
        assert "Seq Scan on entries" not in plan, question

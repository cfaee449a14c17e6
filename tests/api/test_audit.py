"""/v1/audit: an auditor's questions over HTTP, for one tenant, page by page."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from policy import events
from policy.events import Private
from policy.ledger.append import append
from policy.rules import Rules
from tests.policy.ledger.test_questions import POLICY, REVISION, judged, recipe, released
from tests.support.client import problem
from tests.support.ledger import refused
from tests.support.rule_files import DEFAULT_RULES

FOUND = {
    "decision": "hold",
    "stage": "prompt",
    "category": "brands",
    "rule": "brands/sports",
    "score": None,
    "detail": "",
}
SCORES = {f"nsfw/{name}": 0.0 for name in ("drawings", "hentai", "neutral", "porn", "sexy")}
SCORES |= {"blank/blank": 0.0}
SCORES |= {f"{r.scorer}/{name}": 0.0 for r in Rules.load(DEFAULT_RULES).meaning.rules for name in r.scores}
ALLOWED = {"decision": "allow", "policy_version": POLICY, "findings": [], "scores": SCORES}
ASSETS = [str(uuid4()) for _ in range(3)]


@pytest.fixture
def told(api):
    """The tenant's ledger: two public pictures, one recalled, one refused, one reviewed. And a rival's."""
    made = [
        replace(released(n, recipe=recipe(loras=["ink"])), asset_id=asset_id, item_id=f"i{n}", verdict=ALLOWED)
        for n, asset_id in enumerate(ASSETS)
    ]
    made[1] = replace(made[1], prompt=Private("a mickey mouse lunch box"))
    review = events.ItemReviewed(
        "r1", "i0", "k1", "ann", "release", True, "d" * 64, Private("our own brand"), POLICY, (FOUND,)
    )
    with api.server.line.worker.begin() as conn:
        append(conn, tenant=api.tenant, actor="test", events=[
            *made, judged(refused(9), item_id="i9", recipe=recipe()), review,
            events.AssetRecalled("c1", "r1", "i2", ASSETS[2], "policy", ("c" * 64,)),
        ])  # fmt: skip
        append(conn, tenant="another-tenant", actor="test", events=[
            replace(made[0], asset_id=str(uuid4())), judged(refused(8), item_id="i8"),
        ])  # fmt: skip
    return api


def test_an_asset_is_told_from_its_recipe_to_its_reviews_and_its_recall(told):
    caller = told.caller(["audit"])
    first = caller.get(f"/v1/audit/assets/{ASSETS[0]}").json()
    assert (first["model_revision"], first["seed"], first["prompt"]) == (REVISION, "7", "prompt 0")
    assert first["recalled_at"] is None
    (review,) = first["reviews"]
    assert (review["reviewer"], review["decision"], review["comment"]) == ("ann", "release", "our own brand")
    assert first["decided"].startswith("Released by ann, who reviewed it after it was held under rule set sha256:")
    last = caller.get(f"/v1/audit/assets/{ASSETS[2]}").json()
    assert last["decided"].startswith("Released automatically under rule set sha256:")
    assert (last["recall_id"], last["recall_reason"]) == ("c1", "policy")
    assert last["recalled_at"]


def test_a_report_is_a_file_to_read_with_the_events_of_the_tenant_alone(told):
    report = told.caller(["audit"]).get(f"/v1/audit/assets/{ASSETS[0]}/report")
    assert report.headers["content-disposition"] == f'attachment; filename="report-{ASSETS[0]}.html"'
    assert "sandbox" in report.headers["content-security-policy"]
    for said in ("What happened", "ann", "our own brand", "Who looked at it", "presswork audit prove"):
        assert said in report.text
    assert "<script" not in report.text
    problem(
        told.server.caller("another-tenant", ["audit"]).get(f"/v1/audit/assets/{ASSETS[0]}/report"), 404, "not_found"
    )


def test_another_tenants_asset_is_unknown(told):
    rival = told.server.caller("somebody-else", ["audit"])
    problem(rival.get(f"/v1/audit/assets/{ASSETS[0]}"), 404, "not_found")
    problem(told.caller(["audit"]).get("/v1/audit/assets/not-an-id"), 404, "not_found")


def test_what_a_lora_made_in_pages_that_meet(told):
    caller = told.caller(["audit"])
    first = caller.get("/v1/audit/made-by", params={"lora": "ink", "revision": REVISION, "limit": 2}).json()
    rest = caller.get("/v1/audit/made-by", params={"lora": "ink", "limit": 2, "cursor": first["next_cursor"]}).json()
    assert [row["asset_id"] for row in first["data"] + rest["data"]] == ASSETS
    assert rest["next_cursor"] is None
    assert {row["tenant"] for row in first["data"]} == {told.tenant}
    document = problem(caller.get("/v1/audit/made-by"), 422, "invalid_parameters")
    assert "name a model" in document["detail"]


def test_what_a_policy_version_refused_and_why(told):
    (row,) = told.caller(["audit"]).get("/v1/audit/refusals", params={"policy": POLICY}).json()["data"]
    assert (row["item_id"], row["rules"], row["outcome"]) == ("i9", ["weapons/threat"], "refused")


def test_who_reviewed_what(told):
    caller = told.caller(["audit"])
    (row,) = caller.get("/v1/audit/reviews", params={"reviewer": "ann"}).json()["data"]
    assert (row["item_id"], row["decision"], row["final"], row["rules"]) == ("i0", "release", True, ["brands/sports"])
    assert caller.get("/v1/audit/reviews", params={"reviewer": "k1"}).json()["data"] == [row]
    assert caller.get("/v1/audit/reviews", params={"decision": "refuse"}).json()["data"] == []


@pytest.mark.parametrize("question", ["made-by", "refusals", "reviews", "still-public", "counts"])
def test_every_question_is_narrowed_alike(told, question):
    caller = told.caller(["audit"])

    def rows(**narrowed):
        return caller.get(f"/v1/audit/{question}", params={"model": "studio", **narrowed}).json()["data"]

    every = rows()
    assert rows(**{"from": "2020-01-01", "to": "2199-01-01"}) == every
    assert every, "the question has an answer at all"
    for nothing in (
        {"to": "2020-01-01"},
        {"from": "2199-01-01"},
        {"campaign": "another"},
        {"lora": "none-such"},
        {"revision": "sha256:" + "f" * 64},
        {"policy": "sha256:" + "f" * 64},
        {"rule": "none/such"},
        {"category": "none-such"},
    ):
        assert rows(**nothing) == [], nothing
    problem(caller.get(f"/v1/audit/{question}?model=x&from=2026-02-01&to=2026-01-01"), 422, "invalid_parameters")


def test_what_is_public_although_the_rules_of_today_would_hold_it(told):
    told_now = told.caller(["audit"]).get("/v1/audit/still-public").json()
    assert [row["asset_id"] for row in told_now["data"]] == [ASSETS[1]]
    assert (told_now["judged"], told_now["not_judged"], told_now["next_cursor"]) == (2, 0, None)
    assert told_now["policy_version"].startswith("sha256:")


def test_counts_by_what_was_asked(told):
    caller = told.caller(["audit"])
    by_decision = {row["decision"]: row["items"] for row in caller.get("/v1/audit/counts?by=decision").json()["data"]}
    assert by_decision == {"released": 3, "refused": 1}
    first = caller.get("/v1/audit/counts?by=decision&limit=1").json()
    rest = caller.get("/v1/audit/counts", params={"by": "decision", "cursor": first["next_cursor"]}).json()
    assert {row["decision"] for row in first["data"] + rest["data"]} == {"released", "refused"}
    assert rest["next_cursor"] is None
    problem(caller.get("/v1/audit/counts?by=moon"), 422, "invalid_parameters")


@pytest.mark.parametrize(
    "path",
    [f"assets/{ASSETS[0]}", "made-by?model=x", f"refusals?policy={POLICY}", "reviews", "still-public", "counts"],
    ids=["asset", "made-by", "refusals", "reviews", "still-public", "counts"],  # two runners must see the same names
)
def test_the_questions_need_the_scope(told, path):
    problem(told.caller(["read", "submit", "review", "admin"]).get(f"/v1/audit/{path}"), 403, "forbidden")


def test_a_made_up_cursor_is_told_so(told):
    problem(told.caller(["audit"]).get("/v1/audit/reviews?cursor=abc"), 422, "invalid_parameters")

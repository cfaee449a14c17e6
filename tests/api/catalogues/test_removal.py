"""Rows that are marked to be removed: their pictures leave at the apply, and come back with a rollback or their row."""

from __future__ import annotations

import pytest

from tests.support.catalogues import ROWS, Catalogue, feed
from tests.support.client import ApiTenant, problem

HEADER = "sku,title,colour,gone"


def _marked(**marks: str) -> str:
    rows = [f"c-{n:02},chair {n},red,{marks.get(f'c{n}', '')}" for n in range(1, 5)]
    return feed([row for row in rows if not row.endswith(",absent")], HEADER)


@pytest.fixture
def chairs(api: ApiTenant) -> Catalogue:
    chairs = Catalogue(api)
    chairs.spec["remove"] = "gone"
    chairs.run(_marked())
    return chairs


def test_a_marked_row_leaves_at_the_apply_and_a_missing_one_never_does(chairs: Catalogue) -> None:
    before = chairs.live()
    sent = _marked(c1="yes", c2="absent", c3="No").replace("chair 4", "armchair")
    plan = chairs.plan(sent)
    assert plan["counts"] == {"change": 1, "keep": 1, "missing": 1, "retire": 1}
    assert chairs.changes(plan, "retire") == [("c-01", 1, "retire", "remove")]
    assert chairs.live() == before, "a plan takes nothing out"
    begun = chairs.applied(plan, confirm=True)  # fewer rows
    assert (begun["retired"], begun["slots"]) == (1, 1)
    assert chairs.live() == {key: asset for key, asset in before.items() if key != "c-01"}
    chairs.make(begun["request_id"])
    assert list(chairs.live()) == ["c-02", "c-03", "c-04"]
    assert [event.event["slots"] for event in chairs.api.events("slots.retired")] == [1]
    assert chairs.plan(sent)["counts"] == {"keep": 2, "missing": 1}
    assert chairs.changes(chairs.plan(_marked()), "create") == [("c-01", 1, "create", "back")]
    assert chairs.client.post(f"{chairs.url}/rollback", json={"to_run": 1}).json()["flipped"] == 2
    assert chairs.live() == before


def test_a_plan_that_only_removes_is_carried_out_without_a_request(chairs: Catalogue) -> None:
    plan = chairs.plan(_marked(c1="x", c2="x"))
    problem(chairs.apply(plan, only=["c-03"]), 422, "invalid_body")
    begun = chairs.applied(plan, only=["c-02"])
    assert (begun["request_id"], begun["retired"], begun["pilot"]) == (None, 1, None)
    assert list(chairs.live()) == ["c-01", "c-03", "c-04"]
    (run, _) = chairs.client.get(f"{chairs.url}/runs").json()["data"]
    assert (run["kind"], run["state"], run["request_id"], run["slots"]) == ("apply", "finished", None, 0)
    assert chairs.client.get(f"{chairs.url}/files/run.json").json()["number"] == 2
    problem(chairs.apply(plan), 409, "conflict")


def test_a_feed_that_marks_much_asks_a_person_and_a_wrong_column_fails(chairs: Catalogue) -> None:
    plan = chairs.plan(_marked(c1="x"), limits={"changed_percent": 20})
    assert [safeguard["code"] for safeguard in plan["safeguards"]] == ["changed"]
    failed = chairs.plan(_marked(), remove="obsolete")
    assert (failed["state"], failed["errors"][0]["field"]) == ("failed", "remove")
    named = chairs.plan(feed(ROWS[:4]), remove="price=1.90|2.90")
    assert [key for key, *_ in chairs.changes(named, "retire")] == ["c-01", "c-02"]

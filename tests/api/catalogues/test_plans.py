"""Plans and applies of a catalogue: exactly what changed is made, once, and what is live stays until it is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.catalogues import ROWS, Catalogue, feed
from tests.support.client import ApiTenant, problem
from workers.clerk import catalogues as clerk
from workers.clerk.context import ClerkContext
from workers.crash import no_probe
from workers.store import ObjectStore


@pytest.fixture
def chairs(api: ApiTenant) -> Catalogue:
    return Catalogue(api)


def test_a_first_plan_creates_every_row_and_its_run_makes_them_live(chairs: Catalogue) -> None:
    plan = chairs.plan(feed(ROWS))
    assert (plan["state"], plan["counts"], plan["rows"], plan["safeguards"]) == (
        "ready",
        {"create": 8, "keep": 0},
        8,
        [],
    ), plan
    begun = chairs.applied(plan)
    assert (begun["run"], begun["slots"]) == (1, 8)
    assert begun["pilot"]["sampled"] == 2
    assert chairs.live() == {}
    chairs.make(begun["request_id"])
    assert list(chairs.live()) == [f"c-{n:02}" for n in range(1, 9)]
    assert chairs.plan(feed(ROWS))["counts"] == {"keep": 8}
    assert [event.event["slots"] for event in chairs.api.events("catalogue.flipped")] == [8]


def test_only_what_decides_pixels_is_a_change_and_its_first_part_is_named(chairs: Catalogue) -> None:
    chairs.run(feed(ROWS))
    before = chairs.live()
    moved = [
        "9.99,red,<b>chair 1</b>,c-01",  # a price, markup, and other columns first
        "2.90,  red ,chair 2,c-02",  # white space
        "3.90,blue,chair 3,c-03",
        "4.90,red,armchair 4,c-04",
        *(f"{n}.90,red,chair {n},c-{n:02}" for n in range(5, 8)),
        "1.00,red,stool,s-01",
    ]
    plan = chairs.plan(feed(moved, "price,colour,title,sku"))
    assert plan["counts"] == {"create": 1, "change": 2, "missing": 1, "keep": 5}
    assert chairs.changes(plan) == [
        ("c-03", 1, "change", "column colour"),
        ("c-04", 1, "change", "column title"),
        ("c-08", 1, "missing", "no_row"),
        ("s-01", 1, "create", "new"),
    ]
    begun = chairs.applied(plan)
    chairs.make(begun["request_id"])
    after = chairs.live()
    assert {key for key in after if after[key] != before.get(key)} == {"c-03", "c-04", "s-01"}
    assert after["c-08"] == before["c-08"]


def test_another_template_is_one_cause_and_another_file_name_is_a_matter_of_delivery(chairs: Catalogue) -> None:
    chairs.run(feed(ROWS))
    drawn = chairs.plan(feed(ROWS), make={"template": "one {colour} {title}"})
    assert drawn["causes"] == {"change": {"template": 8}}
    named = chairs.plan(feed(ROWS), make={**chairs.spec["make"], "file": "{sku}-x.{ext}"})
    assert named["causes"] == {"change": {"delivery": 8}}


def test_a_held_or_failed_picture_leaves_the_old_one_live_and_is_not_made_again_by_itself(chairs: Catalogue) -> None:
    chairs.run(feed(ROWS))
    before = chairs.live()
    changed = feed([row.replace("red", "blue") for row in ROWS[:3]] + ROWS[3:])
    begun = chairs.applied(chairs.plan(changed))
    chairs.make(begun["request_id"], held=["c-01"], failed=["c-02"])
    after = chairs.live()
    assert {key for key in after if after[key] != before[key]} == {"c-03"}
    plan = chairs.plan(changed)
    assert plan["counts"] == {"blocked": 2, "keep": 6}
    assert chairs.changes(plan) == [("c-01", 1, "blocked", "held"), ("c-02", 1, "blocked", "failed")]
    assert problem(chairs.apply(plan), 409, "conflict")["detail"].startswith(f"plan {plan['id']} makes no picture")
    again = chairs.applied(plan, again=True)
    assert again["slots"] == 1
    chairs.make(again["request_id"])
    assert chairs.live()["c-02"] != before["c-02"]


def test_a_plan_is_applied_once_by_two_people_at_once(chairs: Catalogue) -> None:
    plan = chairs.plan(feed(ROWS))
    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda _: chairs.apply(plan).status_code, range(2)))
    assert sorted(answers) == [202, 409]
    assert len(chairs.api.items()) == 8


def test_a_plan_of_a_catalogue_that_moved_is_refused(chairs: Catalogue) -> None:
    first, second = chairs.plan(feed(ROWS)), chairs.plan(feed(ROWS))
    problem(chairs.apply({**first, "digest": "0" * 64}), 409, "conflict")
    begun = chairs.applied(first)
    assert "had run 1" in problem(chairs.apply(second), 409, "stale")["detail"]
    third = chairs.plan(feed([*ROWS, "s-01,stool,red,1"]))
    assert "is being made" in problem(chairs.apply(third), 409, "conflict")["detail"]
    chairs.make(begun["request_id"])
    chairs.plan(feed(ROWS), make={"template": "another {title}"})
    assert "has another file" in problem(chairs.apply(third), 409, "stale")["detail"]
    with chairs.api.server.line.owner.begin() as conn:
        conn.exec_driver_sql("update catalogue_plans set expires_at = now() where tenant = %s", (chairs.api.tenant,))
    last = chairs.plan(feed([*ROWS, "s-01,stool,red,1"]))
    with chairs.api.server.line.owner.begin() as conn:
        conn.exec_driver_sql("update catalogue_plans set expires_at = now() where id = %s", (last["id"],))
    assert "expired" in problem(chairs.apply(last), 409, "stale")["detail"]


def test_an_apply_of_some_makes_these_and_leaves_the_rest_to_the_next_plan(chairs: Catalogue) -> None:
    plan = chairs.plan(feed(ROWS))
    problem(chairs.apply(plan, only=["c-01", "nobody"]), 422, "invalid_body")
    begun = chairs.applied(plan, only=["c-01", "c-02", "c-03"], limit=2)
    assert begun["slots"] == 2
    chairs.make(begun["request_id"])
    assert list(chairs.live()) == ["c-01", "c-02"]
    assert chairs.plan(feed(ROWS))["counts"] == {"create": 6, "keep": 2}


def test_a_rollback_is_a_flip_that_pauses_and_the_next_plan_sees_what_is_live(chairs: Catalogue) -> None:
    chairs.run(feed(ROWS))
    before = chairs.live()
    chairs.run(feed([row.replace("red", "blue") for row in ROWS]))
    back = chairs.client.post(f"{chairs.url}/rollback", json={"to_run": 1})
    assert back.json() == {"run": 3, "to_run": 1, "flipped": 8}
    assert chairs.live() == before
    assert chairs.client.get(chairs.url).json()["paused_for"] == "rollback"
    assert chairs.plan(feed(ROWS))["counts"] == {"keep": 8}
    problem(chairs.client.post(f"{chairs.url}/rollback", json={"to_run": 9}), 404, "not_found")
    assert chairs.client.post(f"{chairs.url}/rollback", json={"to_run": 0}).json()["flipped"] == 8
    assert chairs.live() == {}
    history = chairs.client.get(f"{chairs.url}/runs").json()["data"]
    assert [(run["run"], run["kind"], run["flipped"]) for run in history] == [
        (4, "rollback", 8),
        (3, "rollback", 8),
        (2, "apply", 8),
        (1, "apply", 8),
    ]


def test_safeguards_pause_until_a_person_confirms(chairs: Catalogue) -> None:
    strict = {"changed_percent": 20, "rows_percent": 90, "blank_percent": 5, "images": 3}
    chairs.run(feed(ROWS))
    broken = [row.replace("red", "").replace("chair", "seat") for row in ROWS[:4]] + [ROWS[0]]
    spec = {"make": {"template": "a {colour?} {title}"}, "limits": strict}
    plan = chairs.plan(feed(broken), **spec)
    assert [safeguard["code"] for safeguard in plan["safeguards"]] == [
        "changed",
        "rows",
        "duplicate_keys",
        "blanks",
        "images",
    ]
    assert chairs.client.get(chairs.url).json()["paused_for"] == "safeguards"
    assert len(chairs.api.events("catalogue.paused")) == 1
    assert "asks for a person" in problem(chairs.apply(plan), 409, "conflict")["detail"]
    chairs.applied(plan, confirm=True)
    assert chairs.client.get(chairs.url).json()["paused_for"] is None
    (applied,) = [e.event for e in chairs.api.events("catalogue.applied") if e.event["run"] == 2]
    assert applied["confirmed"] == ["changed", "rows", "duplicate_keys", "blanks", "images"]


def test_rows_that_cannot_be_used_are_blocked_and_stop_no_other(chairs: Catalogue) -> None:
    rows = [*ROWS[:2], ",nameless,red,1", "c-01,twice,red,1", "../../etc,chair,red,1", "C-01,chair,red,1", "n,,red,1"]
    plan = chairs.plan(feed([*rows, "p-01,porn,red,1"]))
    assert chairs.changes(plan, "blocked") == [
        ("n", 1, "blocked", "empty_value"),
        ("p-01", 1, "blocked", "refused_by_policy"),
        ("row 3", 1, "blocked", "empty_key"),
        ("row 4", 1, "blocked", "duplicate_key"),
    ]
    assert [key for key, _, _, _ in chairs.changes(plan, "create")] == ["../../etc", "C-01", "c-01", "c-02"]


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ("", "no_header"),
        ("sku,title,colour\n", "no_rows"),
        ("sku,colour\nc-01,red\n", "unknown_placeholder"),
        ("id,title,colour\nc-01,x,red\n", "unknown_column"),
    ],
)
def test_a_feed_that_no_plan_can_be_made_of_fails_with_the_reason(chairs: Catalogue, rows: str, code: str) -> None:
    plan = chairs.plan(rows)
    assert (plan["state"], [error["code"] for error in plan["errors"]]) == ("failed", [code])


def test_a_catalogue_has_one_feed_one_name_and_belongs_to_one_tenant(chairs: Catalogue, api: ApiTenant) -> None:
    problem(chairs.send(None), 422, "invalid_body")
    problem(chairs.send(feed(ROWS), source={"url": "https://shop.example/feed"}), 422, "invalid_body")
    problem(chairs.send(feed(ROWS), name="tables"), 422, "invalid_body")
    problem(chairs.send(feed(ROWS), speed=1), 422, "invalid_body")
    plan = chairs.plan(feed(ROWS))
    other = api.server.caller("somebody-else")
    for path in ("", "/runs", "/manifest", f"/plans/{plan['id']}", f"/plans/{plan['id']}/changes"):
        problem(other.get(chairs.url + path), 404, "not_found")
    problem(other.post(f"{chairs.url}/plans/{plan['id']}/apply", json={"digest": plan["digest"]}), 404, "not_found")


def test_the_feed_and_the_changes_of_a_plan_go_once_it_is_over(chairs: Catalogue) -> None:
    plan = chairs.plan(feed(ROWS))
    server = chairs.api.server
    context = ClerkContext(
        server.database.engine("clerk"),
        ObjectStore(server.settings_for("clerk")),
        server.settings_for("clerk"),
        no_probe,
    )
    clerk.run_once(context)
    assert len(chairs.changes(plan)) == 8
    with server.line.owner.begin() as conn:
        conn.exec_driver_sql("update catalogue_plans set expires_at = now() where id = %s", (plan["id"],))
    assert clerk.run_once(context) == 1
    assert chairs.changes(plan) == []
    assert "expired" in problem(chairs.apply(plan), 409, "stale")["detail"]


def test_retired_goods_are_listed_no_longer_until_their_row_is_there_again(chairs: Catalogue) -> None:
    chairs.run(feed(ROWS))
    assert chairs.client.post(f"{chairs.url}/retire", json={"keys": ["c-01", "x"]}).json() == {"retired": 1}
    assert "c-01" not in chairs.live()
    assert chairs.plan(feed(ROWS[1:]))["counts"] == {"keep": 7}
    assert chairs.changes(chairs.plan(feed(ROWS))) == [("c-01", 1, "create", "back")]


def test_each_variant_is_a_view_of_its_own(chairs: Catalogue) -> None:
    make = {**chairs.spec["make"], "variants": 2}
    begun = chairs.applied(chairs.plan(feed(ROWS[:2]), make=make))
    chairs.make(begun["request_id"])
    assert chairs.plan(feed(ROWS[:2]), make=make)["counts"] == {"keep": 4}
    plan = chairs.plan(feed(ROWS[:2]))
    assert plan["counts"] == {"missing": 2, "keep": 2}

"""Pilots over HTTP: asked for with the campaign, shown with a digest, decided by a person's key alone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.client import ApiTenant, campaign, places, problem
from tests.support.pilots import a_person, make_sample

ROWS = "object,colour,country\n" + "".join(f"car,red,{'DE' if n % 4 else 'AT'}\n" for n in range(1, 13))
PILOT: dict[str, Any] = {"images": 3, "stratify_by": ["country"]}


def test_a_pilot_is_planned_shown_and_accepted(api: ApiTenant) -> None:
    robot, person = api.caller(), a_person(api)
    reply = campaign(robot, ROWS, pilot=PILOT).json()
    plan = reply["pilot"]
    assert (plan["images"], plan["sampled"], plan["strata"], plan["max_rejected"]) == (3, 4, 2, 1)
    assert plan["proves"] == "Accepted with 1 rejected: At most 86.5 % of the images are bad, with 95 % confidence."
    assert "country" not in str(reply["warnings"]), "the column is used"
    here = f"{reply['links']['request']}/pilot"
    assert robot.get(here).json()["ready"] is False
    make_sample(api)
    shown = robot.get(here).json()
    assert (shown["phase"], shown["ready"], shown["acceptable"], shown["stratify_by"]) == (
        *("awaiting_acceptance", True, True, ["country"]),
    )
    assert [len(item["sha256"]) for item in shown["items"]] == [1] * 4
    decision = {"digest": shown["digest"], "rejected": [shown["items"][0]["item_id"]]}
    problem(robot.post(f"{here}/accept", json=decision), 403, "person_required")
    once = {"Idempotency-Key": "accept-1"}
    first, again = (person.post(f"{here}/accept", json=decision, headers=once) for _ in range(2))
    assert (first.status_code, first.json()["phase"]) == (200, "running")
    assert (again.headers["Idempotency-Replayed"], again.json()) == ("true", first.json())
    problem(person.post(f"{here}/accept", json=decision), 409, "conflict")
    for verb in ("accept", "reject"):
        problem(a_person(api, "bob").post(f"{here}/{verb}", json=decision), 409, "conflict")
    (made,) = first.json()["decisions"]
    assert (made["decision"], made["by"], made["bad"]) == ("accept", "ann", 1)
    (told,) = api.events("pilot.accepted")
    assert told.event["rejected"] == decision["rejected"]


def test_a_wrong_decision_changes_nothing(api: ApiTenant) -> None:
    person = a_person(api)
    here = f"{campaign(person, ROWS, pilot=PILOT | {'max_rejected': 0}).json()['links']['request']}/pilot"
    make_sample(api)
    shown = person.get(here).json()
    digest, ids = shown["digest"], [item["item_id"] for item in shown["items"]]
    stale = {"digest": "sha256:" + "0" * 64}
    problem(person.post(f"{here}/accept", json=stale), 409, "stale")
    failed = problem(person.post(f"{here}/accept", json={"digest": digest, "rejected": ids[:1]}), 409, "pilot_failed")
    assert "1 of 4 sampled images" in failed["detail"]
    slip = {"digest": digest, "rejected": [here.split("/")[3]]}
    assert places(problem(person.post(f"{here}/reject", json=slip), 422, "invalid_body")) == [
        ("not_in_pilot", None, "rejected.0")
    ]
    for body in ({}, {"digest": "sha256:x"}, {"digest": digest, "rejected": ["1"]}, {"digest": digest, "why": "x"}):
        problem(person.post(f"{here}/accept", json=body), 422, "invalid_body")
    reader = a_person(api, "ann", ("read",))
    problem(reader.post(f"{here}/accept", json={"digest": digest}), 403, "forbidden")
    problem(person.get(here.replace(here.split("/")[3], ids[0])), 404, "not_found")
    assert person.get(here).json()["phase"] == "awaiting_acceptance"
    rejected = person.post(f"{here}/reject", json={"digest": digest}).json()
    assert (rejected["phase"], [one["decision"] for one in rejected["decisions"]]) == ("paused", ["reject"])


def test_where_four_eyes_are_asked_the_submitter_does_not_accept(api: ApiTenant) -> None:
    ann, bob = a_person(api), a_person(api, "bob")
    here = f"{campaign(ann, ROWS, pilot=PILOT | {'four_eyes': True}).json()['links']['request']}/pilot"
    make_sample(api)
    decision = {"digest": ann.get(here).json()["digest"]}
    for same in (ann, a_person(api)):
        problem(same.post(f"{here}/accept", json=decision), 403, "own_campaign")
    assert bob.post(f"{here}/accept", json=decision).json()["phase"] == "running"


@pytest.mark.parametrize(
    ("pilot", "place"),
    [
        ({"stratify_by": ["contry"]}, ("unknown_column", None, "pilot.stratify_by")),
        ({"images": 1, "max_rejected": 0, "stratify_by": ["country"]}, ("pilot_strata", None, "pilot.stratify_by")),
    ],
)
def test_a_pilot_that_the_file_cannot_have_is_refused(api: ApiTenant, pilot: dict[str, Any], place: Any) -> None:
    assert places(problem(campaign(api.caller(), ROWS, pilot=pilot), 422, "invalid_campaign")) == [place]
    assert api.stored() == 0


@pytest.mark.parametrize(
    "pilot",
    [
        *({"images": images} for images in (0, 1001, "50", None, 2.5)),
        *({"max_rejected": rejected} for rejected in (-1, 50)),
        {"stratify_by": ["country"] * 5},
        {"sample": 3},
        [],
    ],
)
def test_a_pilot_outside_its_bounds_is_refused(api: ApiTenant, pilot: Any) -> None:
    problem(campaign(api.caller(), ROWS, pilot=pilot), 422, "invalid_body")
    assert api.stored() == 0


def test_a_pilot_that_would_hold_everything_is_none(api: ApiTenant) -> None:
    caller = api.caller()
    reply = campaign(caller, ROWS, pilot={}).json()
    assert (reply["pilot"], "pilot_holds_all" in [one["code"] for one in reply["warnings"]]) == (None, True)
    assert caller.get(reply["links"]["request"]).json()["phase"] == "running"
    problem(caller.get(f"{reply['links']['request']}/pilot"), 404, "not_found")

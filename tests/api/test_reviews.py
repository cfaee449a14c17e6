"""/v1/reviews: the queue, a look at a picture, and decisions, over HTTP with real keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.request import urlopen

import pytest
from fastapi.testclient import TestClient

from policy.rules import Rules
from tests.support.client import ApiServer, ApiTenant, places, problem
from tests.support.databases import Database
from tests.support.reviews import SHA256, Reviewing, clerk
from tests.support.rule_files import DEFAULT_RULES
from tests.support.worker import Works
from workers.clerk.releases import run_once
from workers.jobs.types import new_id

RULES = Rules.load(DEFAULT_RULES)
SAY = {"decision": "release", "comment": "licence is on file", "sha256": SHA256}
NO = {**SAY, "decision": "refuse", "comment": "no licence"}


@pytest.fixture
def people(api: ApiTenant) -> Reviewing:
    return Reviewing(api.server.line, api.tenant)


@pytest.fixture
def reviewer(api: ApiTenant) -> TestClient:
    return api.caller(scopes=["review"])


def queue(client: TestClient, **query: Any) -> list[str]:
    answer = client.get("/v1/reviews", params=query)
    assert answer.status_code == 200, answer.text
    return [entry["item_id"] for entry in answer.json()["data"]]


def test_the_queue_says_what_waits_and_why(people: Reviewing, reviewer: TestClient):
    (item_id,) = people.hold("brands")
    (entry,) = reviewer.get("/v1/reviews").json()["data"]
    assert (entry["item_id"], entry["state"], entry["sha256"]) == (item_id, "held", SHA256)
    assert (entry["prompt"], entry["request_name"], entry["custom_id"]) == ("a red kettle number 1", "spring", "row-1")
    assert entry["categories"] == ["brands"]
    assert (entry["findings"][0]["rule"], entry["findings"][0]["score"]) == ("brands/rule", 0.7)
    assert (entry["releasable"], entry["why_not_releasable"]) == (True, None)
    assert (entry["people_needed"], entry["people_agreed"], entry["reviews"]) == (1, 0, [])


def test_pages_of_the_queue_meet_without_gap_or_repeat(people: Reviewing, reviewer: TestClient):
    ids = people.hold(*["brands"] * 5)
    seen, cursor = [], ""
    while cursor is not None:
        page = reviewer.get("/v1/reviews", params={"limit": 2, "cursor": cursor}).json()
        seen += [entry["item_id"] for entry in page["data"]]
        cursor = page["next_cursor"]
    assert seen == ids


def test_the_queue_is_filtered_by_category_request_age_and_decision(people: Reviewing, reviewer: TestClient):
    brands, sexual = people.hold("brands", "sexual")
    (other,) = people.hold("brands")
    request_id = people.line.item(other).request_id
    assert queue(reviewer, category="sexual") == [sexual]
    assert queue(reviewer, category="brands") == [brands, other]
    assert queue(reviewer, request_id=request_id) == [other]
    soon = datetime.now(UTC) + timedelta(hours=1)
    assert queue(reviewer, held_before=(soon - timedelta(days=1)).isoformat()) == []
    assert queue(reviewer, held_before=soon.isoformat()) == [brands, sexual, other]
    assert reviewer.post(f"/v1/reviews/{other}", json=NO).status_code == 200
    assert queue(reviewer) == [brands, sexual]
    assert queue(reviewer, decided="yes") == [other]
    assert queue(reviewer, decided="any") == [brands, sexual, other]


@pytest.mark.parametrize("query", [{"decided": "maybe"}, {"request_id": "x"}, {"held_before": "later"}, {"page": "2"}])
def test_a_filter_that_means_nothing_is_named(reviewer: TestClient, query: dict[str, str]):
    document = problem(reviewer.get("/v1/reviews", params=query), 422, "invalid_parameters")
    assert next(iter(query)) in document["detail"]


def test_looking_gives_a_link_and_is_an_event(api: ApiTenant, people: Reviewing, reviewer: TestClient):
    (item_id,) = people.hold("brands")
    seen = reviewer.get(f"/v1/reviews/{item_id}").json()
    assert f"/quarantine/{api.tenant}/{item_id}/1/original.png?" in seen["picture"]["url"]
    assert seen["scores"] == {"nsfw/porn": 0.7}
    assert (seen["recipe"]["model"], seen["seed"], seen["negative_prompt"]) == ("studio", 1001, "")
    assert [file["sha256"] for file in seen["picture"]["renditions"]] == [SHA256]
    assert "quarantine" not in str(seen["picture"]["renditions"])
    (viewed,) = api.events("hold.viewed")
    assert viewed.subjects[1] == f"item:{item_id}"
    assert viewed.event["seconds"] == 900
    assert viewed.actor == f"key:{viewed.event['key_id']}"


def test_no_look_is_recorded_for_head_and_none_is_left_out_as_unchanged(
    api: ApiTenant, people: Reviewing, reviewer: TestClient
):
    """HEAD and a 304 wrote that a reviewer had a link, though neither has a body."""
    (item_id,) = people.hold("brands")
    assert reviewer.head(f"/v1/reviews/{item_id}").status_code == 200
    assert api.events("hold.viewed") == []
    whole = reviewer.get(f"/v1/reviews/{item_id}", headers={"If-None-Match": "*"})
    assert (whole.status_code, whole.json()["item_id"]) == (200, item_id)
    assert len(api.events("hold.viewed")) == 1


def test_a_decided_hold_shows_who_said_what_and_gives_no_link(api: ApiTenant, people: Reviewing, reviewer: TestClient):
    (item_id,) = people.hold("brands")
    done = reviewer.post(f"/v1/reviews/{item_id}", json=NO)
    assert done.json() == {
        "item_id": item_id, "decision": "refuse", "final": True, "people_needed": 1, "people_agreed": 0,
    }  # fmt: skip
    seen = reviewer.get(f"/v1/reviews/{item_id}").json()
    assert (seen["state"], seen["picture"]["url"], seen["asset_id"]) == ("refused", None, None)
    (said,) = seen["reviews"]
    assert (said["reviewer"], said["comment"], said["final"]) == ("test", "no licence", True)
    assert said["policy_version"] == RULES.version
    assert "person" not in said
    assert api.events("hold.viewed") == []
    (told,) = api.events("item.reviewed")
    assert told.event["policy_version"] == RULES.version


def test_the_rules_that_ship_want_two_people_for_sexual_and_nobody_for_minors(api: ApiTenant, people: Reviewing):
    sexual, minors = people.hold("sexual", "minors")
    alice, bob = (api.caller(scopes=["review"]) for _ in range(2))
    first = alice.post(f"/v1/reviews/{sexual}", json=SAY).json()
    assert (first["final"], first["people_needed"], first["people_agreed"]) == (False, 2, 1)
    again = problem(alice.post(f"/v1/reviews/{sexual}", json=SAY), 409, "conflict")
    assert "another person must agree" in again["detail"]
    assert bob.post(f"/v1/reviews/{sexual}", json=SAY).json()["final"]
    nobody = problem(bob.post(f"/v1/reviews/{minors}", json=SAY), 409, "not_releasable")
    assert "minors" in nobody["detail"]
    (entry,) = alice.get("/v1/reviews").json()["data"]
    assert (entry["item_id"], entry["releasable"]) == (minors, False)
    assert "minors" in entry["why_not_releasable"]


def test_nobody_releases_pictures_of_their_own_request(api: ApiTenant, people: Reviewing):
    stored, key = api.server.key(api.tenant)
    people.key_ids["me"] = stored.id
    (item_id,) = people.hold("brands", submitted_by="me")
    me = api.server.anonymous()
    me.headers["Authorization"] = f"Bearer {key}"
    problem(me.post(f"/v1/reviews/{item_id}", json=SAY), 403, "own_campaign")
    assert me.post(f"/v1/reviews/{item_id}", json=NO).status_code == 200


def test_two_keys_made_for_one_person_are_one_person(api: ApiTenant, people: Reviewing):
    admin = api.caller()
    clients = []
    for name in ("laptop", "phone"):
        made = admin.post("/v1/keys", json={"name": name, "scopes": ["review"], "person": "alice@example.com"}).json()
        assert made["person"] == "alice@example.com"
        client = api.server.anonymous()
        client.headers["Authorization"] = f"Bearer {made['key']}"
        clients.append(client)
    (item_id,) = people.hold("sexual")
    assert clients[0].post(f"/v1/reviews/{item_id}", json=SAY).status_code == 200
    problem(clients[1].post(f"/v1/reviews/{item_id}", json=SAY), 409, "conflict")
    created = [event.event for event in api.events("key.created") if event.event["person"]]
    assert len(created) == 2
    assert "alice@example.com" not in str(created), "a name in the ledger can be erased"


def test_a_page_that_is_not_up_to_date_is_answered_409(people: Reviewing, reviewer: TestClient):
    (item_id,) = people.hold("brands")
    problem(reviewer.post(f"/v1/reviews/{item_id}", json={**SAY, "sha256": "c" * 64}), 409, "stale")
    assert queue(reviewer) == [item_id]


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"decision": "approve"}, "decision"),
        ({"comment": ""}, "comment"),
        ({"comment": "  \n "}, "comment"),
        ({"comment": "x" * 2001}, "comment"),
        ({"sha256": "B" * 64}, "sha256"),
        ({"sha256": None}, "sha256"),
        ({"reviewer": "somebody else"}, "reviewer"),
    ],
)
def test_a_decision_that_breaks_the_schema_decides_nothing(
    people: Reviewing, reviewer: TestClient, wrong: dict[str, Any], place: str
):
    (item_id,) = people.hold("brands")
    document = problem(reviewer.post(f"/v1/reviews/{item_id}", json={**SAY, **wrong}), 422, "invalid_body")
    assert places(document)[0][2] == place
    assert queue(reviewer) == [item_id]


@pytest.mark.parametrize("verb", ["get", "post"])
def test_foreign_unknown_and_never_held_items_are_the_same_404(
    api: ApiTenant, people: Reviewing, reviewer: TestClient, verb: str
):
    foreign = Reviewing(api.server.line, f"{api.tenant}-other").hold("brands")[0]
    (pending,) = people.submit(1)
    body = {"json": SAY} if verb == "post" else {}
    for item_id in (foreign, pending, new_id(), "x", "..%2f"):
        problem(getattr(reviewer, verb)(f"/v1/reviews/{item_id}", **body), 404, "not_found")


def test_only_the_scope_review_opens_the_queue(api: ApiTenant, people: Reviewing):
    (item_id,) = people.hold("brands")
    others = api.caller(scopes=["submit", "read", "audit", "admin"])
    problem(others.get("/v1/reviews"), 403, "forbidden")
    problem(others.get(f"/v1/reviews/{item_id}"), 403, "forbidden")
    problem(others.post(f"/v1/reviews/{item_id}", json=SAY), 403, "forbidden")
    problem(others.post("/v1/reviews", json={"decisions": []}), 403, "forbidden")
    reviewer = api.caller(scopes=["review"])
    problem(reviewer.get("/v1/requests"), 403, "forbidden")


def test_several_decisions_stand_each_for_itself(api: ApiTenant, people: Reviewing, reviewer: TestClient):
    one, two, three = people.hold("brands", "minors", "brands")
    asked = [
        {"item_id": one, **SAY},
        {"item_id": two, **SAY},
        {"item_id": new_id(), **SAY},
        {"item_id": three, **SAY, "sha256": "c" * 64},
        {"item_id": one, **NO},
    ]
    answer = reviewer.post("/v1/reviews", json={"decisions": asked})
    results = answer.json()["results"]
    assert [(r["status"], r["code"]) for r in results] == [
        (200, None), (409, "not_releasable"), (404, "not_found"), (409, "stale"), (409, "conflict"),
    ]  # fmt: skip
    assert results[0]["result"]["final"]
    assert [event.event["item_id"] for event in api.events("item.reviewed")] == [one]


@pytest.mark.parametrize("many", [0, 101])
def test_several_decisions_are_one_to_a_hundred(reviewer: TestClient, many: int):
    body = {"decisions": [{"item_id": new_id(), **SAY} for _ in range(many)]}
    problem(reviewer.post("/v1/reviews", json=body), 422, "invalid_body")


def test_from_quarantine_to_a_link_by_http_and_clerk(
    own_api: ApiServer, database: Database, settings_for: Any, s3: Any
):
    """Two real pictures are held; one is released and one refused; then everybody sees what became of them."""
    works, people = Works(own_api.line, settings_for, s3), Reviewing(own_api.line)
    good, bad = people.made_and_held(works, 2)
    alice, reader = own_api.caller(scopes=["review"]), own_api.caller(scopes=["read"])
    seen = {item_id: alice.get(f"/v1/reviews/{item_id}").json() for item_id in (good, bad)}
    with urlopen(seen[good]["picture"]["url"]) as answer:
        looked_at = answer.read()
    for item_id, decision in ((good, "release"), (bad, "refuse")):
        sent = {"decision": decision, "comment": "looked", "sha256": seen[item_id]["sha256"]}
        assert alice.post(f"/v1/reviews/{item_id}", json=sent).status_code == 200
    assert run_once(clerk(database, works)) == 2
    counts = reader.get("/v1/requests").json()["data"][0]["counts"]
    assert (counts["released"], counts["refused"], counts["held"]) == (1, 1, 0)
    asset_id = reader.get(f"/v1/items/{good}").json()["asset_id"]
    asset = reader.get(f"/v1/assets/{asset_id}").json()
    with urlopen(asset["renditions"][0]["url"]) as answer:
        assert answer.read() == looked_at
    assert alice.get(f"/v1/reviews/{good}").json()["asset_id"] == asset_id
    assert s3.keys("quarantine/") == []

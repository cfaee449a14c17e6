"""Too much of everything: requests of a key, images that wait. Answered at once, and nothing is stored."""

from __future__ import annotations

import re

from fastapi.testclient import TestClient

from tests.support.client import campaign, problem


def test_a_key_that_asks_too_often_is_told_when_to_come_back_and_another_is_not(api):
    hasty, calm = api.caller(max_requests_per_minute=3), api.caller(max_requests_per_minute=3)
    for _ in range(3):
        assert hasty.get("/v1/requests").status_code == 200
    refused = hasty.get("/v1/requests")
    assert "3 requests within a minute" in problem(refused, 429, "rate_limited")["detail"]
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert calm.get("/v1/requests").status_code == 200


def test_every_answer_says_what_is_left_in_the_fields_of_the_draft(api):
    caller = api.caller(max_requests_per_minute=3)
    answers = [caller.get("/v1/requests") for _ in range(2)]
    answers += [caller.get("/v1/requests/none"), caller.get("/v1/requests")]
    assert [answer.status_code for answer in answers] == [200, 200, 404, 429]
    assert {answer.headers["RateLimit-Policy"] for answer in answers} == {'"key";q=3;w=60'}
    left = [re.fullmatch(r'"key";r=(\d+);t=(\d+)', answer.headers["RateLimit"]) for answer in answers]
    assert [found and found.group(1) for found in left] == ["2", "1", "0", "0"]
    assert left[-1].group(2) == answers[-1].headers["Retry-After"]


def test_a_limit_holds_over_several_api_processes(api):
    """Two applications on one Redis. The limit was counted by each process: two allowed twice as much."""
    key = api.server.key(api.tenant)[1]
    two = [
        TestClient(
            api.server.app(max_requests_per_minute=4, link_seconds=seconds), headers={"Authorization": f"Bearer {key}"}
        )
        for seconds in (300, 301)
    ]
    assert [two[n % 2].get("/v1/requests").status_code for n in range(6)] == [200] * 4 + [429] * 2


def test_without_redis_the_api_answers_and_each_process_counts_alone(api):
    key = api.server.key(api.tenant)[1]
    two = [
        TestClient(
            api.server.app(max_requests_per_minute=2, redis_url="redis://127.0.0.1:1/0", link_seconds=seconds),
            headers={"Authorization": f"Bearer {key}"},
        )
        for seconds in (300, 301)
    ]
    assert [one.get("/v1/requests").status_code for one in two for _ in range(3)] == [200, 200, 429] * 2
    assert [entry["event"] for entry in api.logs].count("rate_limits_local") == 2


def test_a_caller_without_a_key_is_told_nothing_of_rates(api):
    anonymous = api.server.anonymous(max_requests_per_minute=1)
    for _ in range(3):
        refused = anonymous.get("/v1/requests")
        problem(refused, 401, "unauthorized")
        assert "RateLimit" not in refused.headers


def test_a_full_queue_takes_nothing_more_until_it_is_cancelled_or_made(api):
    caller = api.caller(max_open_items=3)
    first = campaign(caller)
    assert first.status_code == 202
    before = api.stored()
    refused = campaign(caller)
    document = problem(refused, 429, "too_many_open_items")
    assert "2 images of yours wait, this request has 2, and 3 may wait" in document["detail"]
    assert refused.headers["Retry-After"] == "60"
    assert api.stored() == before
    assert caller.post(f"/v1/requests/{first.json()['id']}/cancel").status_code == 200
    assert campaign(caller).status_code == 202


def test_one_tenants_queue_is_no_other_tenants_matter(api):
    full, other = api.caller(max_open_items=2), api.server.caller(f"{api.tenant}-two", max_open_items=2)
    assert campaign(full).status_code == 202
    assert campaign(other).status_code == 202

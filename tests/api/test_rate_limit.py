"""Too much of everything: requests of a key, images that wait. Answered at once, and nothing is stored."""

from __future__ import annotations

from tests.support.client import campaign, problem


def test_a_key_that_asks_too_often_is_told_when_to_come_back_and_another_is_not(api):
    hasty, calm = api.caller(max_requests_per_minute=3), api.caller(max_requests_per_minute=3)
    for _ in range(3):
        assert hasty.get("/v1/requests").status_code == 200
    refused = hasty.get("/v1/requests")
    assert "3 requests within a minute" in problem(refused, 429, "rate_limited")["detail"]
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert calm.get("/v1/requests").status_code == 200


def test_a_stranger_is_told_nothing_of_rates(api):
    stranger = api.server.anonymous(max_requests_per_minute=1)
    for _ in range(3):
        problem(stranger.get("/v1/requests"), 401, "unauthorized")


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

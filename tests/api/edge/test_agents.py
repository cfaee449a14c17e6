"""Agents' keys: what they may send, within what bounds, and what is left to people."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.support.client import ApiTenant, campaign, places, problem

ROWS = "object,colour\nbackpack,red\ncar,green\n"


def agent(api: ApiTenant, daily_images: int = 100, scopes: tuple[str, ...] = ("agent", "read", "audit")) -> TestClient:
    made = api.caller().post("/v1/keys", json={"name": "bot", "scopes": scopes, "daily_images": daily_images})
    client = api.server.anonymous()
    client.headers["Authorization"] = f"Bearer {made.raise_for_status().json()['key']}"
    return client


def sent(client: TestClient, key: str = "once", **more: Any) -> Any:
    return campaign(client, ROWS, headers={"Idempotency-Key": key}, **{"max_images": 10, **more})


def test_an_agent_sends_pauses_and_cancels_its_own_request(api: ApiTenant) -> None:
    client = agent(api)
    request_id = sent(client).json()["id"]
    assert client.post(f"/v1/requests/{request_id}/pause").json()["phase"] == "paused"
    assert client.post(f"/v1/requests/{request_id}/cancel").json() == {"cancelled": 2}
    assert client.get(f"/v1/requests/{request_id}").json()["phase"] == "cancelled"
    theirs = campaign(api.caller(), ROWS).json()["id"]
    for act in ("pause", "cancel"):
        problem(client.post(f"/v1/requests/{theirs}/{act}"), 404, "not_found")
    assert api.caller().get(f"/v1/requests/{theirs}").json()["phase"] == "running"


@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("POST", "/v1/requests"),
        ("POST", "/v1/images/generations"),
        ("POST", "/v1/files"),
        ("POST", "/v1/batches"),
        ("PATCH", "/v1/requests/0199c0de-7b1a-7c53-9d0f-3f0f6a3f8c11"),
        ("POST", "/v1/requests/0199c0de-7b1a-7c53-9d0f-3f0f6a3f8c11/resume"),
        ("POST", "/v1/requests/0199c0de-7b1a-7c53-9d0f-3f0f6a3f8c11/pilot/accept"),
        ("POST", "/v1/items/0199c0de-7b1a-7c53-9d0f-3f0f6a3f8c11/cancel"),
        ("POST", "/v1/reviews"),
        ("GET", "/v1/reviews"),
        ("POST", "/v1/recalls"),
        ("POST", "/v1/erasures"),
        ("POST", "/v1/legal-holds"),
        ("POST", "/v1/keys"),
        ("PUT", "/v1/budgets"),
        ("POST", "/v1/webhooks"),
    ],
)
def test_everything_else_that_changes_something_is_left_to_people(api: ApiTenant, method: str, address: str) -> None:
    document = problem(agent(api).request(method, address), 403, "forbidden")
    assert "A person does this" in document["detail"]


def test_a_campaign_of_an_agent_says_how_many_images_and_names_the_call(api: ApiTenant) -> None:
    client = agent(api)
    document = problem(campaign(client, ROWS), 422, "invalid_body")
    assert places(document) == [
        ("missing", None, "max_images"),
        ("missing", None, "header.Idempotency-Key"),
    ]
    assert campaign(client, ROWS, dry_run=True).status_code == 200
    assert api.stored() == 0


@pytest.mark.parametrize("table", ["object,colour,variants\ncar,red,16\n", "object,colour\n" + "car,red\n" * 16])
def test_no_row_makes_more_images_than_were_allowed(api: ApiTenant, table: str) -> None:
    client, once = agent(api), {"Idempotency-Key": "once"}
    document = problem(campaign(client, table, headers=once, max_images=15), 422, "invalid_body")
    assert places(document) == [("too_many_items", None, "max_images")]
    assert api.stored() == 0
    assert campaign(client, table, headers=once, max_images=16).json()["items"] == 16


def test_a_day_has_so_many_images_whatever_becomes_of_them(api: ApiTenant) -> None:
    client = agent(api, daily_images=4)
    first = sent(client, "one").json()["id"]
    client.post(f"/v1/requests/{first}/cancel")
    assert sent(client, "two").status_code == 202
    document = problem(sent(client, "three"), 402, "budget_exceeded")
    assert "0 are left today" in document["detail"]
    assert sent(client, "two").headers["Idempotency-Replayed"] == "true"
    assert sent(agent(api, daily_images=4), "another").status_code == 202


def test_of_many_submissions_at_once_those_that_fit_are_accepted(api: ApiTenant) -> None:
    client = agent(api, daily_images=6)
    with ThreadPoolExecutor(8) as pool:
        answers = [answer.status_code for answer in pool.map(lambda n: sent(client, f"call-{n}"), range(8))]
    assert sorted(answers) == [202] * 3 + [402] * 5


@pytest.mark.parametrize(
    "body",
    [
        {"scopes": ["agent"]},
        {"scopes": ["agent", "submit"], "daily_images": 1},
        {"scopes": ["agent", "admin"], "daily_images": 1},
        {"scopes": ["agent"], "daily_images": 1, "person": "alice"},
        {"scopes": ["agent"], "daily_images": 0},
        {"scopes": ["submit"], "daily_images": 1},
    ],
)
def test_a_key_that_would_be_more_than_an_agents_is_refused(api: ApiTenant, body: dict[str, Any]) -> None:
    problem(api.caller().post("/v1/keys", json={"name": "bot", **body}), 422, "invalid_body")


def test_the_key_of_an_agent_is_listed_and_recorded_with_its_bound(api: ApiTenant) -> None:
    agent(api, daily_images=7)
    key = api.caller().get("/v1/keys").json()["data"][-2]
    assert (key["scopes"], key["daily_images"]) == (["read", "audit", "agent"], 7)
    assert [told.event["daily_images"] for told in api.events("key.created") if told.event["daily_images"]] == [7]

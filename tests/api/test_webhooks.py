"""Webhooks over HTTP: a secret is shown once, addresses are checked, and nobody sees another's."""

from __future__ import annotations

import socket

import pytest

from tests.support.client import ApiTenant, problem
from workers.jobs.types import new_id
from workers.jobs.webhooks.endpoints import MAX_WEBHOOKS
from workers.outbound import urls

NEW = {"url": "https://example.com/hook", "events": ["asset.recalled"]}


def test_a_webhook_is_created_listed_rotated_and_deleted(api: ApiTenant) -> None:
    caller = api.caller()
    made = caller.post("/v1/webhooks", json=NEW)
    assert made.status_code == 201, made.text
    created = made.json()
    assert created["secret"].startswith("whsec_")
    (listed,) = caller.get("/v1/webhooks").json()["data"]
    assert (listed["id"], listed["url"], listed["events"]) == (created["id"], NEW["url"], NEW["events"])
    assert "secret" not in listed
    rotated = caller.post(f"/v1/webhooks/{created['id']}/secret")
    assert rotated.status_code == 201
    assert rotated.json()["secret"] not in ("", created["secret"])
    assert caller.post(f"/v1/webhooks/{created['id']}/enable").json()["disabled_at"] is None
    assert caller.get(f"/v1/webhooks/{created['id']}/deliveries").json()["data"] == []
    assert caller.delete(f"/v1/webhooks/{created['id']}").status_code == 204
    problem(caller.delete(f"/v1/webhooks/{created['id']}"), 404, "not_found")
    assert caller.get("/v1/webhooks").json()["data"] == []
    changes = [event.event["change"] for event in api.events("webhook.changed")]
    assert changes == ["created", "rotated", "deleted"]
    assert created["secret"] not in str(api.logs)


@pytest.mark.parametrize(
    "url",
    [
        *("http://example.com/", "https://10.0.0.1/", "https://0x7f.1/", "https://[::1]/", "https://a@b.example/", "x"),
        *("https://[fec0::1]/", "https://192.0.0.8/"),
    ],
)
def test_an_address_inside_is_refused_with_its_reason(api: ApiTenant, url: str) -> None:
    document = problem(api.caller().post("/v1/webhooks", json={**NEW, "url": url}), 422, "invalid_body")
    assert document["errors"][0]["field"] == "url"
    assert api.events("webhook.changed") == []


def test_a_name_that_resolves_to_a_private_address_is_refused(api: ApiTenant, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 443))]
    monkeypatch.setattr(urls.socket, "getaddrinfo", lambda *_, **__: inside)
    document = problem(api.caller().post("/v1/webhooks", json=NEW), 422, "invalid_body")
    assert document["errors"][0]["message"] == "example.com has an address that is not public"
    assert api.events("webhook.changed") == []


def test_the_setting_for_tests_lets_this_machine_pass(api: ApiTenant) -> None:
    caller = api.caller(webhook_loopback=True)
    assert caller.post("/v1/webhooks", json={**NEW, "url": "http://127.0.0.1:9/hook"}).status_code == 201
    problem(caller.post("/v1/webhooks", json={**NEW, "url": "http://10.0.0.1/"}), 422, "invalid_body")


@pytest.mark.parametrize("events", [[], ["asset.exploded"], "asset.recalled", None])
def test_other_events_than_there_are_cannot_be_asked_for(api: ApiTenant, events: object) -> None:
    problem(api.caller().post("/v1/webhooks", json={**NEW, "events": events}), 422, "invalid_body")


def test_another_tenants_webhook_is_not_there(api: ApiTenant) -> None:
    created = api.caller().post("/v1/webhooks", json=NEW).json()
    foreigner = api.server.caller(f"{api.tenant}-other")
    assert foreigner.get("/v1/webhooks").json()["data"] == []
    for id in (created["id"], new_id(), "no-id"):
        problem(foreigner.delete(f"/v1/webhooks/{id}"), 404, "not_found")
        problem(foreigner.post(f"/v1/webhooks/{id}/secret"), 404, "not_found")
        problem(foreigner.post(f"/v1/webhooks/{id}/enable"), 404, "not_found")
        problem(foreigner.get(f"/v1/webhooks/{id}/deliveries"), 404, "not_found")


def test_one_more_than_the_limit_is_refused(api: ApiTenant) -> None:
    caller = api.caller()
    made = [caller.post("/v1/webhooks", json=NEW).status_code for _ in range(MAX_WEBHOOKS)]
    assert set(made) == {201}
    problem(caller.post("/v1/webhooks", json=NEW), 422, "limit_exceeded")

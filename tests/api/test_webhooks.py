"""Webhooks over HTTP: a secret is shown once, addresses are checked, and nobody sees another's."""

from __future__ import annotations

import socket

import pytest
from sqlalchemy import text

from tests.support.client import ApiTenant, problem
from workers.jobs.types import new_id
from workers.jobs.webhooks.endpoints import MAX_SECRETS, MAX_WEBHOOKS
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


def test_a_rotation_too_many_is_429_and_says_when_there_is_room_again(api: ApiTenant) -> None:
    """It was 422, as a mistake of the caller is, though it passes without him."""
    caller = api.caller()
    address = f"/v1/webhooks/{caller.post('/v1/webhooks', json=NEW).json()['id']}/secret"
    assert [caller.post(address).status_code for _ in range(MAX_SECRETS - 1)] == [201] * (MAX_SECRETS - 1)
    answer = caller.post(address)
    problem(answer, 429, "too_many_secrets")
    assert 86_000 < int(answer.headers["retry-after"]) <= 86_400


def test_the_list_comes_in_pages(api: ApiTenant) -> None:
    caller = api.caller()
    made = [caller.post("/v1/webhooks", json=NEW).json()["id"] for _ in range(3)]
    first = caller.get("/v1/webhooks?limit=2").json()
    second = caller.get("/v1/webhooks", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [one["id"] for page in (first, second) for one in page["data"]] == made
    assert second["next_cursor"] is None


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


def test_a_tenant_with_all_its_webhooks_has_no_name_looked_up(api: ApiTenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each refused call held a thread for the second that a hanging resolver may take."""
    caller = api.caller()
    for number in range(MAX_WEBHOOKS):
        address = {**NEW, "url": f"https://8.8.8.8/{number}"}
        assert caller.post("/v1/webhooks", json=address).status_code == 201
    asked: list[object] = []
    monkeypatch.setattr(urls.socket, "getaddrinfo", lambda *name, **_: asked.append(name) or [])
    problem(caller.post("/v1/webhooks", json=NEW), 422, "limit_exceeded")
    unknown = caller.patch(f"/v1/webhooks/{new_id()}", json={"url": NEW["url"]})
    problem(unknown, 404, "not_found")
    assert asked == []


def test_slow_names_of_one_tenant_take_only_its_own_lookups(api: ApiTenant) -> None:
    caller = api.caller()
    foreigner = api.server.caller("somebody-else")
    lookups = caller.app.state.parts.lookups  # type: ignore[attr-defined]
    with lookups.take(api.tenant), lookups.take(api.tenant):
        refused = caller.post("/v1/webhooks", json={**NEW, "url": "https://8.8.8.8/"})
        problem(refused, 429, "too_many_running")
        assert refused.headers["Retry-After"]
        made = foreigner.post("/v1/webhooks", json={**NEW, "url": "https://8.8.8.8/"})
        assert made.status_code == 201
        foreigner.delete(f"/v1/webhooks/{made.json()['id']}")
    assert caller.post("/v1/webhooks", json={**NEW, "url": "https://8.8.8.8/"}).status_code == 201


def test_another_tenants_webhook_is_not_there(api: ApiTenant) -> None:
    created = api.caller().post("/v1/webhooks", json=NEW).json()
    foreigner = api.server.caller(f"{api.tenant}-other")
    assert foreigner.get("/v1/webhooks").json()["data"] == []
    for id in (created["id"], new_id(), "no-id"):
        problem(foreigner.delete(f"/v1/webhooks/{id}"), 404, "not_found")
        problem(foreigner.post(f"/v1/webhooks/{id}/secret"), 404, "not_found")
        problem(foreigner.post(f"/v1/webhooks/{id}/enable"), 404, "not_found")
        problem(foreigner.get(f"/v1/webhooks/{id}/deliveries"), 404, "not_found")
        problem(foreigner.get(f"/v1/webhooks/{id}"), 404, "not_found")
        problem(foreigner.patch(f"/v1/webhooks/{id}", json={"enabled": False}), 404, "not_found")
        problem(foreigner.post(f"/v1/webhooks/{id}/test"), 404, "not_found")
        problem(foreigner.get(f"/v1/webhooks/{id}/deliveries/msg_x"), 404, "not_found")
        problem(foreigner.post(f"/v1/webhooks/{id}/deliveries/msg_x/resend"), 404, "not_found")


def test_one_more_than_the_limit_is_refused(api: ApiTenant) -> None:
    caller = api.caller()
    made = [caller.post("/v1/webhooks", json=NEW).status_code for _ in range(MAX_WEBHOOKS)]
    assert set(made) == {201}
    problem(caller.post("/v1/webhooks", json=NEW), 422, "limit_exceeded")


@pytest.mark.parametrize("message", ["%00", "msg_%00", "msg_%0A", "msg_", "msg_" + "x" * 101])
def test_a_message_id_that_cannot_be_one_is_unknown_not_a_fault_of_ours(api: ApiTenant, message: str) -> None:
    """NUL in the id of a message reached the database, and the answer was 500."""
    caller = api.caller()
    at = f"{caller.post('/v1/webhooks', json=NEW).headers['Location']}/deliveries/{message}"
    problem(caller.get(at), 404, "not_found")
    problem(caller.post(f"{at}/resend"), 404, "not_found")


def test_a_webhook_is_read_changed_tested_and_sent_to_again(api: ApiTenant) -> None:
    """A15: GET and PATCH were 405, a test message 404, a resend 405."""
    caller = api.caller()
    created = caller.post("/v1/webhooks", json=NEW)
    at = created.headers["Location"]
    assert at == f"/v1/webhooks/{created.json()['id']}"
    read = caller.get(at).json()
    assert read == {name: value for name, value in created.json().items() if name != "secret"}
    other = {"url": "https://example.com/other", "events": ["asset.recalled", "asset.released"], "enabled": False}
    changed = caller.patch(at, json=other)
    assert changed.status_code == 200, changed.text
    assert (changed.json()["url"], changed.json()["disabled_for"]) == (other["url"], "manual")
    assert changed.json()["events"] == ["asset.released", "asset.recalled"]
    problem(caller.post(f"{at}/test"), 409, "conflict")
    assert caller.patch(at, json={"enabled": True}).json()["disabled_at"] is None
    sent = caller.post(f"{at}/test")
    assert (sent.status_code, sent.json()["event"], sent.json()["state"]) == (202, "webhook.test", "pending")
    message = f"{at}/deliveries/{sent.json()['message_id']}"
    assert caller.get(message).json() == sent.json()
    again = caller.post(f"{message}/resend")
    assert (again.status_code, again.json()["message_id"]) == (202, sent.json()["message_id"])
    changes = [event.event["change"] for event in api.events("webhook.changed")]
    assert changes == ["created", "updated", "disabled", "enabled", "tested"]


def test_deliveries_come_in_pages_the_newest_first(api: ApiTenant) -> None:
    caller = api.caller()
    id = caller.post("/v1/webhooks", json=NEW).json()["id"]
    with api.server.line.owner.begin() as conn:
        conn.execute(
            text(
                "insert into webhook_deliveries (webhook_id, tenant, message_id, event, body, state, settled_at) "
                "select :id, :tenant, 'msg_' || n, 'asset.released', '{}', 'delivered', now() "
                "from generate_series(1, 5) n"
            ),
            {"id": id, "tenant": api.tenant},
        )
    seen, cursor = [], ""
    while cursor is not None:
        page = caller.get(f"/v1/webhooks/{id}/deliveries", params={"limit": 2, "cursor": cursor}).json()
        seen += [one["message_id"] for one in page["data"]]
        cursor = page["next_cursor"]
    assert seen == [f"msg_{n}" for n in (5, 4, 3, 2, 1)]
    problem(caller.get(f"/v1/webhooks/{id}/deliveries", params={"cursor": "x"}), 422, "invalid_parameters")


@pytest.mark.parametrize(
    "body",
    [
        *({"url": "https://10.0.0.1/"}, {"url": ""}, {"events": []}, {"events": ["webhook.test"]}, {"enabled": "yes"}),
        *({"secret": "whsec_x"}, {"url": 7}, []),
    ],
)
def test_a_change_that_is_no_change_of_a_webhook_is_refused(api: ApiTenant, body: object) -> None:
    caller = api.caller()
    at = caller.post("/v1/webhooks", json=NEW).headers["Location"]
    problem(caller.patch(at, json=body), 422, "invalid_body")
    assert caller.get(at).json()["url"] == NEW["url"]


def test_every_call_with_an_idempotency_key_is_done_once(api: ApiTenant) -> None:
    """A11: two calls with one key made two webhooks."""
    caller = api.caller()
    created = [caller.post("/v1/webhooks", json=NEW, headers={"Idempotency-Key": "one"}) for _ in range(2)]
    assert created[0].json() == created[1].json(), "the secret too"
    assert created[1].headers["Idempotency-Replayed"] == "true"
    assert len(caller.get("/v1/webhooks").json()["data"]) == 1
    problem(
        caller.post("/v1/webhooks", json={**NEW, "url": "https://example.com/b"}, headers={"Idempotency-Key": "one"}),
        422,
        "idempotency_key_reused",
    )
    at = created[0].headers["Location"]
    message = f"{at}/deliveries/{caller.post(f'{at}/test').json()['message_id']}"
    calls = {
        "rotate": ("POST", f"{at}/secret", None),
        "change": ("PATCH", at, {"enabled": False}),
        "enable": ("POST", f"{at}/enable", None),
        "test": ("POST", f"{at}/test", None),
        "resend": ("POST", f"{message}/resend", None),
        "delete": ("DELETE", at, None),
    }
    for name, (method, url, body) in calls.items():
        first, second = (caller.request(method, url, json=body, headers={"Idempotency-Key": name}) for _ in range(2))
        assert first.is_success, (name, first.text)
        assert (second.status_code, second.content and second.json()) == (
            first.status_code,
            first.content and first.json(),
        )
        assert second.headers["Idempotency-Replayed"] == "true"
    changes = [event.event["change"] for event in api.events("webhook.changed")]
    assert changes == ["created", "tested", "rotated", "disabled", "enabled", "deleted"]


def test_the_secret_of_a_replay_is_stored_encrypted(api: ApiTenant) -> None:
    secret = api.caller().post("/v1/webhooks", json=NEW, headers={"Idempotency-Key": "k"}).json()["secret"]
    with api.server.line.owner.begin() as conn:
        stored = conn.scalar(text("select body::text from idempotency_keys where tenant = :t"), {"t": api.tenant})
    assert stored
    assert secret not in stored

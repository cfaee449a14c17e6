"""Keys and walls: one answer for every bad key, scopes, and tenants that cannot see each other."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from tests.support.client import ApiServer, ApiTenant, campaign, problem
from workers.jobs.keys import find_key
from workers.jobs.tables import api_keys, requests
from workers.jobs.types import new_id

# (method, address, scope it needs)
ADDRESSES = [
    ("POST", "/v1/requests", "submit"),
    ("POST", "/v1/campaigns", "submit"),
    ("GET", "/v1/campaigns", "read"),
    ("GET", "/v1/campaigns/{campaign_id}", "read"),
    ("POST", "/v1/campaigns/{campaign_id}/cancel", "submit"),
    ("GET", "/v1/requests", "read"),
    ("GET", "/v1/requests/{request_id}", "read"),
    ("GET", "/v1/requests/{request_id}/items", "read"),
    ("GET", "/v1/requests/{request_id}/results", "read"),
    ("GET", "/v1/requests/{request_id}/assets", "read"),
    ("PATCH", "/v1/requests/{request_id}", "submit"),
    ("POST", "/v1/requests/{request_id}/pause", "submit"),
    ("POST", "/v1/requests/{request_id}/resume", "submit"),
    *(("POST", f"/v1/requests/{{request_id}}/{verb}", "submit") for verb in ("cancel", "channels", "retry")),
    ("GET", "/v1/requests/{request_id}/pilot", "read"),
    ("POST", "/v1/requests/{request_id}/pilot/accept", "submit"),
    ("POST", "/v1/requests/{request_id}/pilot/reject", "submit"),
    ("POST", "/v1/images/generations", "submit"),
    ("POST", "/v1/images/edits", "submit"),
    ("GET", "/v1/events", "read"),
    ("GET", "/v1/requests/{request_id}/events", "read"),
    ("POST", "/v1/files", "submit"),
    ("GET", "/v1/files", "read"),
    ("GET", "/v1/files/{file_id}", "read"),
    ("GET", "/v1/files/{file_id}/content", "read"),
    ("DELETE", "/v1/files/{file_id}", "submit"),
    ("POST", "/v1/batches", "submit"),
    ("GET", "/v1/batches", "read"),
    ("GET", "/v1/batches/{batch_id}", "read"),
    ("POST", "/v1/batches/{batch_id}/cancel", "submit"),
    ("GET", "/v1/budgets", "read"),
    ("PUT", "/v1/budgets", "admin"),
    ("GET", "/v1/usage", "read"),
    ("GET", "/v1/items/{item_id}", "read"),
    ("POST", "/v1/items/{item_id}/cancel", "submit"),
    ("GET", "/v1/assets/{asset_id}", "read"),
    ("GET", "/v1/assets/{asset_id}/thumbnail", "read"),
    ("GET", "/v1/assets/{asset_id}/events", "audit"),
    ("POST", "/v1/identify", "read"),
    ("GET", "/v1/identify/{identification_id}", "read"),
    ("GET", "/v1/audit/assets/{asset_id}", "audit"),
    ("GET", "/v1/audit/assets/{asset_id}/report", "audit"),
    ("GET", "/v1/audit/made-by", "audit"),
    ("GET", "/v1/audit/refusals", "audit"),
    ("GET", "/v1/audit/reviews", "audit"),
    ("GET", "/v1/audit/still-public", "audit"),
    ("GET", "/v1/audit/counts", "audit"),
    ("GET", "/v1/audit/events", "audit"),
    ("GET", "/v1/audit/checkpoint", "audit"),
    ("GET", "/v1/audit/consistency", "audit"),
    ("GET", "/v1/audit/proofs/events/{event_id}", "audit"),
    ("GET", "/v1/audit/proofs/assets/{asset_id}", "audit"),
    ("GET", "/v1/audit/packs", "audit"),
    ("GET", "/v1/reviews", "review"),
    ("GET", "/v1/reviews/{item_id}", "review"),
    ("POST", "/v1/reviews/claims", "review"),
    ("POST", "/v1/reviews/{item_id}", "review"),
    ("POST", "/v1/reviews", "review"),
    ("POST", "/v1/recalls", "admin"),
    ("GET", "/v1/recalls", "admin"),
    ("GET", "/v1/recalls/{recall_id}", "admin"),
    ("POST", "/v1/webhooks", "admin"),
    ("GET", "/v1/webhooks", "admin"),
    ("GET", "/v1/webhooks/{webhook_id}", "admin"),
    ("PATCH", "/v1/webhooks/{webhook_id}", "admin"),
    ("DELETE", "/v1/webhooks/{webhook_id}", "admin"),
    ("POST", "/v1/webhooks/{webhook_id}/test", "admin"),
    ("POST", "/v1/webhooks/{webhook_id}/secret", "admin"),
    ("POST", "/v1/webhooks/{webhook_id}/enable", "admin"),
    ("GET", "/v1/webhooks/{webhook_id}/deliveries", "admin"),
    ("GET", "/v1/webhooks/{webhook_id}/deliveries/{message_id}", "admin"),
    ("POST", "/v1/webhooks/{webhook_id}/deliveries/{message_id}/resend", "admin"),
    ("POST", "/v1/erasures", "admin"),
    ("GET", "/v1/erasures", "admin"),
    ("GET", "/v1/erasures/{erasure_id}", "admin"),
    ("POST", "/v1/legal-holds", "admin"),
    ("GET", "/v1/legal-holds", "admin"),
    ("GET", "/v1/legal-holds/{hold_id}", "admin"),
    ("DELETE", "/v1/legal-holds/{hold_id}", "admin"),
    ("GET", "/v1/models", "read"),
    ("GET", "/v1/models/unusable", "read"),
    ("GET", "/v1/models/{model}", "read"),
    ("PUT", "/v1/models/{model}/decision", "admin"),
    ("GET", "/v1/channels", "read"),
    ("GET", "/v1/catalogues/{name}/plans", "read"),
    ("POST", "/v1/catalogues/{name}/plans", "submit"),
    ("GET", "/v1/catalogues", "read"),
    ("GET", "/v1/catalogues/{name}", "read"),
    ("GET", "/v1/catalogues/{name}/plans/{plan_id}", "read"),
    ("GET", "/v1/catalogues/{name}/plans/{plan_id}/changes", "read"),
    ("POST", "/v1/catalogues/{name}/plans/{plan_id}/apply", "submit"),
    ("GET", "/v1/catalogues/{name}/runs", "read"),
    ("POST", "/v1/catalogues/{name}/rollback", "submit"),
    ("POST", "/v1/catalogues/{name}/retire", "submit"),
    ("GET", "/v1/catalogues/{name}/manifest", "read"),
    ("GET", "/v1/catalogues/{name}/files/{file}", "read"),
    ("PUT", "/v1/catalogues/{name}/schedule", "submit"),
    ("GET", "/v1/catalogues/{name}/schedule", "read"),
    ("DELETE", "/v1/catalogues/{name}/schedule", "submit"),
    ("POST", "/v1/inputs", "submit"),
    ("GET", "/v1/inputs", "read"),
    ("GET", "/v1/inputs/{input_id}", "read"),
    ("DELETE", "/v1/inputs/{input_id}", "submit"),
    ("POST", "/v1/marks", "submit"),
    ("GET", "/v1/sources", "read"),
    ("POST", "/v1/sources", "admin"),
    ("DELETE", "/v1/sources/{source_id}", "admin"),
    ("GET", "/v1/targets", "read"),
    ("POST", "/v1/targets", "admin"),
    ("GET", "/v1/targets/{target_id}", "read"),
    ("DELETE", "/v1/targets/{target_id}", "admin"),
    ("POST", "/v1/targets/{target_id}/check", "admin"),
    ("GET", "/v1/requests/{request_id}/course", "read"),
    ("GET", "/v1/requests/{request_id}/delivery", "read"),
    ("POST", "/v1/assets/{asset_id}/reproductions", "submit"),
    ("GET", "/v1/assets/{asset_id}/reproductions/{request_id}", "read"),
    ("POST", "/v1/keys", "admin"),
    ("GET", "/v1/keys", "admin"),
    ("GET", "/v1/keys/{key_id}", "admin"),
    ("DELETE", "/v1/keys/{key_id}", "admin"),
]
# They tell what was recalled, and of the key that asks.
ANY_KEY = {("GET", "/v1/revocations"), ("GET", "/v1/keys/own")}
NO_KEY = {("POST", "/v1/detect"), ("GET", "/v1/detect/{identification_id}")}  # tests/api/test_detect.py
BINDINGS = {("POST", "matches/byBinding"), ("GET", "matches/byBinding"), ("GET", "manifests/{manifestId}")}
NO_KEY |= {(method, f"/v1/soft-bindings/{path}") for method, path in BINDINGS}
NO_KEY.add(("GET", "/v1/soft-bindings/services/supportedAlgorithms"))


def test_every_address_below_v1_is_in_the_table_above(api: ApiTenant) -> None:
    paths = api.server.app().openapi()["paths"]
    documented = {(method.upper(), path) for path, operations in paths.items() for method in operations}
    named = {(method, path) for method, path, _ in ADDRESSES} | ANY_KEY | NO_KEY
    assert {(method, path) for method, path in documented if path.startswith("/v1")} == named


@pytest.mark.parametrize(("method", "address", "scope"), ADDRESSES)
def test_no_key_is_401_and_a_key_without_the_scope_is_403(
    api: ApiTenant, method: str, address: str, scope: str
) -> None:
    address = re.sub(r"{\w+}", new_id(), address)
    nobody = problem(api.server.anonymous().request(method, address), 401, "unauthorized")
    assert "pw_" in nobody["detail"]
    others = api.caller([other for other in ("submit", "read", "review", "audit", "admin") if other != scope])
    refused = others.request(method, address)
    assert scope in problem(refused, 403, "forbidden")["detail"]
    assert f'scope="{scope}"' in refused.headers["www-authenticate"]


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer pw_",
        "Bearer pw_" + "A" * 43,
        "Bearer pw_" + "A" * 100_000,
        "Bearer pw_é",
        "Bearer nonsense",
        "Basic cHdfOng=",
        "pw_naked",
    ],
)
def test_every_bad_key_gets_the_same_answer(api: ApiTenant, sent: str) -> None:
    answer = api.server.anonymous().get("/v1/requests", headers={"Authorization": sent.encode()})
    document = problem(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"] == 'Bearer realm="presswork"'
    assert document["detail"] == "Send a valid key as 'Authorization: Bearer pw_...'."


def test_an_expired_and_a_revoked_key_are_answered_like_an_unknown_one(api: ApiTenant) -> None:
    client = api.server.anonymous()
    _, expired = api.server.key(api.tenant, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    bodies = []
    revoked, revoked_key = api.server.key(api.tenant)
    assert api.caller().delete(f"/v1/keys/{revoked.id}").status_code == 204
    for key in (expired, revoked_key, "pw_" + "A" * 43):
        answer = client.get("/v1/requests", headers={"Authorization": f"Bearer {key}"})
        bodies.append(problem(answer, 401, "unauthorized") | {"instance": ""})
    assert bodies[0] == bodies[1] == bodies[2]


def test_a_key_that_expires_later_works_until_then(api: ApiTenant) -> None:
    _, key = api.server.key(api.tenant, expires_at=datetime.now(UTC) + timedelta(hours=1))
    answer = api.server.anonymous().get("/v1/requests", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 200


@pytest.mark.parametrize("query", ["api_key=x", "key=x", "ACCESS_TOKEN=x", "limit=5&foo=pw_abc", "token="])
def test_a_key_in_the_url_is_refused_and_not_logged(api: ApiTenant, query: str) -> None:
    document = problem(api.caller().get(f"/v1/requests?{query}"), 400, "key_in_query")
    assert "revoke" in document["detail"]
    assert "pw_abc" not in str(api.logs)


def test_only_the_digest_of_a_key_is_stored_and_it_is_shown_once(api: ApiTenant) -> None:
    admin = api.caller()
    created = admin.post("/v1/keys", json={"name": "shop", "scopes": ["read", "submit"], "expires_in_days": 30})
    body = created.json()
    assert created.status_code == 201
    assert body["key"].startswith("pw_")
    assert len(body["key"]) == 46
    assert body["scopes"] == ["submit", "read"]
    listed = admin.get("/v1/keys").json()["data"]
    assert body["id"] in [key["id"] for key in listed]
    assert body["key"] not in str(listed) + str(api.logs)
    with api.server.line.owner.connect() as conn:
        stored = conn.execute(select(api_keys).where(api_keys.c.id == body["id"])).one()
        assert body["key"] not in str(stored)
        found = find_key(conn, body["key"])
    assert found is not None
    assert found.expires_at is not None
    assert [event.event["key_id"] for event in api.events("key.created")][-1] == body["id"]
    assert body["key"] not in str(api.events("key.created"))


def test_a_new_key_has_the_scopes_it_was_given_and_no_more(api: ApiTenant) -> None:
    key = api.caller().post("/v1/keys", json={"name": "reader", "scopes": ["read"]}).json()["key"]
    reader = api.server.anonymous()
    reader.headers["Authorization"] = f"Bearer {key}"
    assert reader.get("/v1/requests").status_code == 200
    problem(reader.post("/v1/requests", json={"prompt": "a car"}), 403, "forbidden")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "x", "scopes": []}, "scopes"),
        ({"name": "x", "scopes": ["root"]}, "scopes.0"),
        ({"name": "", "scopes": ["read"]}, "name"),
        ({"name": "a\nb", "scopes": ["read"]}, "name"),
        ({"name": "x", "scopes": ["read"], "tenant": "other"}, "tenant"),
        ({"name": "x", "scopes": ["read"], "expires_in_days": 0}, "expires_in_days"),
    ],
)
def test_a_wrong_key_request_names_the_field(api: ApiTenant, body: dict[str, Any], field: str) -> None:
    document = problem(api.caller().post("/v1/keys", json=body), 422, "invalid_body")
    assert [error["field"] for error in document["errors"]] == [field]


def test_revoking_again_is_harmless_and_recorded_once(api: ApiTenant) -> None:
    stored, _ = api.server.key(api.tenant)
    admin = api.caller()
    assert [admin.delete(f"/v1/keys/{stored.id}").status_code for _ in range(2)] == [204, 204]
    assert [event.event["key_id"] for event in api.events("key.revoked")] == [stored.id]


@pytest.mark.parametrize("id_of", [lambda mine: mine, lambda _: new_id(), lambda _: "../../etc/passwd", lambda _: "x"])
def test_foreign_unknown_and_impossible_ids_are_the_same_404(api: ApiTenant, id_of: Callable[[str], str]) -> None:
    owner = api.caller()
    request_id = campaign(owner).json()["id"]
    item_id = owner.get(f"/v1/requests/{request_id}/items").json()["data"][0]["id"]
    key_id = owner.get("/v1/keys").json()["data"][0]["id"]
    foreigner = api.server.caller(f"{api.tenant}-other")
    for method, address, mine in [
        ("GET", "/v1/requests/{}", request_id),
        ("GET", "/v1/requests/{}/items", request_id),
        ("GET", "/v1/requests/{}/assets", request_id),
        ("POST", "/v1/requests/{}/cancel", request_id),
        ("GET", "/v1/items/{}", item_id),
        ("POST", "/v1/items/{}/cancel", item_id),
        ("GET", "/v1/assets/{}", item_id),
        ("GET", "/v1/assets/{}/events", item_id),
        ("GET", "/v1/keys/{}", key_id),
        ("DELETE", "/v1/keys/{}", key_id),
    ]:
        answer = foreigner.request(method, address.format(id_of(mine)))
        document = problem(answer, 404, "not_found")
        assert document["detail"] in (
            "There is no such thing for this key.",
            "There is nothing at this address; /docs lists the addresses there are.",
        )
    assert owner.get(f"/v1/requests/{request_id}").json()["counts"]["pending"] == 2
    assert owner.get("/v1/requests").status_code == 200


def test_lists_hold_only_the_tenants_own(api: ApiTenant) -> None:
    foreigner = api.server.caller(f"{api.tenant}-other")
    campaign(api.caller())
    assert foreigner.get("/v1/requests").json() == {"data": [], "next_cursor": None}
    assert len(foreigner.get("/v1/keys").json()["data"]) == 1


def test_a_database_error_that_quotes_the_row_does_not_reach_log_or_answer(own_api: ApiServer) -> None:
    caller = own_api.caller()
    with own_api.database.engine("superuser").begin() as conn:
        conn.execute(text("alter table items add check (prompt = '')"))
    with capture_logs() as logs:
        answer = caller.post("/v1/requests", json={"prompt": "a very private car"})
    problem(answer, 500, "internal_error")
    assert "private" not in answer.text + str(logs)
    (failed,) = [entry for entry in logs if entry["event"] == "request_failed"]
    assert (failed["error"], failed["cause"], failed["sqlstate"]) == ("IntegrityError", "CheckViolation", "23514")
    assert "submit" in failed["stack"]


def test_row_level_security_holds_where_the_code_forgets_the_tenant(own_api: ApiServer) -> None:
    campaign(own_api.caller("acme"))
    parts = own_api.app().state.parts
    with parts.transaction("other") as conn:
        assert conn.execute(select(requests)).all() == []
    with parts.engine.begin() as conn:
        assert conn.execute(select(requests)).all() == []
    with pytest.raises(DBAPIError, match="row-level security"), parts.transaction("other") as conn:
        conn.execute(text("insert into idempotency_keys values ('acme', 'k', sha256(''), 202, '{}')"))
    with parts.transaction("acme") as conn:
        assert len(conn.execute(select(requests)).all()) == 1


def test_the_tenant_of_one_transaction_does_not_leak_into_the_next(own_api: ApiServer) -> None:
    parts = own_api.app(api_pool_size=1).state.parts
    campaign(own_api.caller("acme"))
    with parts.transaction("acme") as conn:
        assert len(conn.execute(select(requests)).all()) == 1
    with parts.engine.begin() as conn:
        assert conn.execute(select(requests)).all() == []


def test_keys_and_prompts_never_reach_the_log(api: ApiTenant) -> None:
    caller = api.caller()
    caller.post("/v1/requests", json={"prompt": "a very private car"})
    problem(caller.post("/v1/requests", json={"prompt": "a very private car", "width": 1}), 422, "invalid_body")
    written = str(api.logs)
    assert "private" not in written
    assert "pw_" not in written
    lines = [entry for entry in api.logs if entry["event"] == "http_request"]
    assert {(line["route"], line["status"], line["tenant"]) for line in lines} == {
        ("/v1/requests", 202, api.tenant),
        ("/v1/requests", 422, api.tenant),
    }

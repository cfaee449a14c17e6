"""Idempotency-Key: the work is done once, whoever repeats the request, and whenever."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from tests.support.client import GOOD, SPEC, ApiServer, ApiTenant, campaign, problem
from tests.support.reviews import SHA256, Reviewing

KEY = {"Idempotency-Key": "spring-2027"}
NEW_WEBHOOK = {"url": "https://example.com/hook", "events": ["asset.recalled"]}
NEW_KEY = {"name": "catalogue", "scopes": ["read"]}


def test_a_repeat_is_answered_with_the_first_answer(api: ApiTenant) -> None:
    caller = api.caller()
    first = caller.post("/v1/requests", json={"prompt": "a red car", "variants": 2}, headers=KEY)
    again = caller.post("/v1/requests", json={"variants": 2, "prompt": "a red car"}, headers=KEY)
    assert first.status_code == again.status_code == 202
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert len(api.items()) == 2


def test_a_repeated_upload_has_another_boundary_and_is_still_the_same(api: ApiTenant) -> None:
    caller = api.caller()
    first, again = (
        caller.post(
            "/v1/campaigns",
            content=_multipart(boundary),
            headers={**KEY, "Content-Type": f"multipart/form-data; boundary={boundary}"},
        )
        for boundary in ("first", "second")
    )
    assert first.status_code == 202, first.text
    assert again.json() == first.json()
    assert len(api.items()) == 2


def test_a_repeated_spec_with_its_members_in_another_order_is_still_the_same(api: ApiTenant) -> None:
    """The bytes of the spec were compared, so that another order was 422 idempotency_key_reused."""
    caller = api.caller()
    first = campaign(caller, spec=json.dumps({**SPEC, "variants": 2}), headers=KEY)
    again = campaign(caller, spec=json.dumps({"variants": 2, **SPEC}), headers=KEY)
    assert (first.status_code, again.status_code) == (202, 202), again.text
    assert again.json() == first.json()


def test_a_repeat_with_the_id_in_capitals_is_still_the_same(api: ApiTenant) -> None:
    caller = api.caller()
    id = caller.post("/v1/requests", json={"prompt": "a red car"}).json()["id"]
    first, again = (caller.post(f"/v1/requests/{spelt}/cancel", headers=KEY) for spelt in (id, id.upper()))
    assert (first.status_code, again.status_code) == (200, 200), again.text
    assert again.headers["idempotency-replayed"] == "true"


def test_of_two_idempotency_keys_neither_is_taken(api: ApiTenant) -> None:
    """The second was ignored without a word."""
    body = {"prompt": "a red car"}
    two = [("Idempotency-Key", "one"), ("Idempotency-Key", "two")]
    document = problem(api.caller().post("/v1/requests", json=body, headers=two), 422, "invalid_parameters")
    assert document["errors"][0]["field"] == "header.Idempotency-Key"
    assert api.stored() == 0


@pytest.mark.parametrize(
    ("table", "spec"), [(GOOD + "car,blue\n", SPEC), (GOOD, {**SPEC, "variants": 2}), (GOOD, {**SPEC, "name": "x"})]
)
def test_the_same_key_with_another_body_is_refused(api: ApiTenant, table: str, spec: dict[str, Any]) -> None:
    caller = api.caller()
    assert campaign(caller, headers=KEY).status_code == 202
    stored = api.stored()
    problem(campaign(caller, table, spec, headers=KEY), 422, "idempotency_key_reused")
    problem(caller.post("/v1/requests", json={"prompt": "a car"}, headers=KEY), 422, "idempotency_key_reused")
    assert api.stored() == stored


def test_keys_of_two_tenants_do_not_meet(api: ApiTenant) -> None:
    body = {"prompt": "a red car"}
    first = api.caller().post("/v1/requests", json=body, headers=KEY)
    other = api.server.caller(f"{api.tenant}-other").post("/v1/requests", json=body, headers=KEY)
    assert (first.status_code, other.status_code) == (202, 202)
    assert first.json()["id"] != other.json()["id"]


def test_five_retries_at_once_make_one_request(api: ApiTenant) -> None:
    caller = api.caller()
    at_once = threading.Barrier(5)

    def send(_: int) -> Any:
        at_once.wait()
        return campaign(caller, headers=KEY)

    with ThreadPoolExecutor(5) as threads:
        answers = list(threads.map(send, range(5)))
    accepted = [answer for answer in answers if answer.status_code == 202]
    for late in [answer for answer in answers if answer.status_code != 202]:
        problem(late, 409, "idempotency_in_flight")
        assert late.headers["retry-after"] == "1"
    assert len({answer.json()["id"] for answer in accepted}) == 1
    assert len(api.items()) == 2


def test_while_the_first_is_under_way_a_repeat_is_told_to_wait(api: ApiTenant) -> None:
    caller = api.caller()
    with api.server.line.owner.begin() as conn:
        conn.execute(
            text("select pg_advisory_xact_lock(hashtextextended(:name, 0))"),
            {"name": f"{api.tenant}\n{KEY['Idempotency-Key']}"},
        )
        problem(campaign(caller, headers=KEY), 409, "idempotency_in_flight")
    assert campaign(caller, headers=KEY).status_code == 202


def test_a_request_that_failed_leaves_its_key_free(api: ApiTenant) -> None:
    caller = api.caller()
    problem(campaign(caller, "object\ncar\n", headers=KEY), 422, "invalid_campaign")
    assert campaign(caller, headers=KEY).status_code == 202


def test_work_that_cannot_commit_leaves_neither_rows_nor_a_reply(own_api: ApiServer) -> None:
    caller = own_api.caller()
    superuser = own_api.database.engine("superuser")
    with superuser.begin() as conn:
        conn.execute(text("revoke insert on idempotency_keys from presswork_api"))
    problem(campaign(caller, headers=KEY), 500, "internal_error")
    assert caller.get("/v1/requests").json()["data"] == []
    with superuser.begin() as conn:
        conn.execute(text("grant insert on idempotency_keys to presswork_api"))
    assert campaign(caller, headers=KEY).status_code == 202


@pytest.mark.parametrize("key", ["x" * 256, "with space", "ünïcode"])
def test_a_key_that_cannot_be_one_is_named(api: ApiTenant, key: str) -> None:
    answer = campaign(api.caller(), headers={"Idempotency-Key": key.encode()})  # type: ignore[dict-item]
    document = problem(answer, 422, "invalid_parameters")
    assert document["errors"][0]["field"] == "header.Idempotency-Key"
    assert api.stored() == 0


def test_the_answer_with_a_new_key_is_given_again_to_the_key_that_asked(api: ApiTenant) -> None:
    caller = api.caller()
    first, again = (caller.post("/v1/keys", json=NEW_KEY, headers=KEY) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.json()["key"].startswith("pw_")
    assert again.headers["idempotency-replayed"] == "true"
    assert [key["id"] for key in _named(caller)] == [first.json()["id"]]


def test_another_key_of_the_tenant_is_not_shown_the_secret(api: ApiTenant) -> None:
    made = api.caller().post("/v1/keys", json=NEW_KEY, headers=KEY).json()
    other = api.caller()
    said = problem(other.post("/v1/keys", json=NEW_KEY, headers=KEY), 409, "conflict")
    assert made["key"] not in str(said)
    assert [key["id"] for key in _named(other)] == [made["id"]]


def test_no_stored_reply_holds_a_secret_that_the_database_alone_reveals(api: ApiTenant) -> None:
    made = api.caller().post("/v1/keys", json=NEW_KEY, headers=KEY).json()
    with api.server.line.owner.begin() as conn:
        stored = conn.execute(
            text("select body::text from idempotency_keys where tenant = :tenant"), {"tenant": api.tenant}
        ).scalar_one()
    assert made["id"] in stored
    assert made["key"] not in stored
    assert made["key"].removeprefix("pw_") not in stored


def test_a_repeated_cancel_is_answered_with_the_first_count(api: ApiTenant) -> None:
    caller = api.caller()
    made = caller.post("/v1/requests", json={"prompt": "a red car", "variants": 2}).json()
    first, again = (caller.post(f"/v1/requests/{made['id']}/cancel", headers=KEY) for _ in range(2))
    assert first.json() == again.json() == {"cancelled": 2}
    problem(caller.post(f"/v1/items/{api.items()[0].id}/cancel", headers=KEY), 422, "idempotency_key_reused")


def test_a_repeated_review_is_one_decision(api: ApiTenant) -> None:
    people = Reviewing(api.server.line, api.tenant)
    one, other = people.hold("brands", "brands")
    reviewer = api.caller(scopes=["review"])
    said = {"decision": "refuse", "comment": "no licence", "sha256": SHA256}
    first, again = (reviewer.post(f"/v1/reviews/{one}", json=said, headers=KEY) for _ in range(2))
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    several = {"decisions": [{**said, "item_id": other}, {**said, "item_id": one}]}
    both = [reviewer.post("/v1/reviews", json=several, headers={"Idempotency-Key": "two"}) for _ in range(2)]
    assert both[0].json() == both[1].json()
    assert [result["status"] for result in both[0].json()["results"]] == [200, 409]
    assert len(api.events("item.reviewed")) == 2


def test_a_repeated_legal_hold_is_one_hold_and_its_end_can_be_repeated(api: ApiTenant) -> None:
    caller = api.caller()
    first, again = (caller.post("/v1/legal-holds", json={"reason": "claim"}, headers=KEY) for _ in range(2))
    assert first.json() == again.json()
    assert len(caller.get("/v1/legal-holds").json()["data"]) == 1
    lifted = [caller.delete(f"/v1/legal-holds/{first.json()['id']}", headers={"Idempotency-Key": "l"}) for _ in "ab"]
    assert [answer.status_code for answer in lifted] == [204, 204]
    assert [answer.headers.get("idempotency-replayed") for answer in lifted] == [None, "true"]
    assert [answer.content for answer in lifted] == [b"", b""]


def test_a_repeated_upload_of_a_picture_is_one_question(api: ApiTenant) -> None:
    caller = api.caller()
    headers = {**KEY, "Content-Type": "application/octet-stream"}
    first, again = (caller.post("/v1/identify", content=b"a picture", headers=headers) for _ in range(2))
    assert first.status_code == 202, first.text
    assert first.json() == again.json()
    assert again.headers["location"] == f"/v1/identify/{first.json()['id']}"
    problem(caller.post("/v1/identify", content=b"another", headers=headers), 422, "idempotency_key_reused")


def test_every_changing_operation_takes_an_idempotency_key(api: ApiTenant) -> None:
    document = api.server.app().openapi()
    without = [
        (method, path)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if method in ("post", "put", "patch", "delete")
        and "Idempotency-Key" not in [parameter["name"] for parameter in operation.get("parameters", [])]
    ]
    asks = ("post", "/v1/soft-bindings/matches/byBinding")  # a question whose standard sends it by POST
    assert without == [asks]


def test_a_repeat_behaves_the_same_way_at_every_address(api: ApiTenant) -> None:
    """Status, body and header of the first answer; and refused where the key was used at another address."""
    caller = api.caller()
    here = f"/v1/requests/{caller.post('/v1/requests', json={'prompt': 'a red car', 'variants': 2}).json()['id']}"
    hook = f"/v1/webhooks/{caller.post('/v1/webhooks', json=NEW_WEBHOOK).json()['id']}"
    calls = [
        ("/v1/requests", {"prompt": "a red car"}),
        ("/v1/webhooks", NEW_WEBHOOK),
        (f"{hook}/secret", None),
        (f"{hook}/test", None),
        *((f"{here}/{verb}", None) for verb in ("pause", "resume", "retry")),
        (f"/v1/items/{api.items()[0].id}/cancel", None),
        (f"{here}/cancel", {"variants": [1]}),
        ("/v1/keys", NEW_KEY),
        ("/v1/budgets", {"images": 10}),
        ("/v1/legal-holds", {"reason": "claim"}),
    ]
    for n, (address, body) in enumerate(calls):
        key = {"Idempotency-Key": f"call-{n}"}
        call = caller.put if address == "/v1/budgets" else caller.post
        first, again = (call(address, json=body, headers=key) for _ in range(2))
        assert first.is_success, (address, first.text)
        assert (again.status_code, again.json()) == (first.status_code, first.json()), address
        assert [answer.headers.get("idempotency-replayed") for answer in (first, again)] == [None, "true"], address
        problem(caller.post(f"{here}/cancel", json={"variants": [15]}, headers=key), 422, "idempotency_key_reused")


def _named(caller: Any) -> list[dict[str, Any]]:
    return [key for key in caller.get("/v1/keys").json()["data"] if key["name"] == NEW_KEY["name"]]


def _multipart(boundary: str) -> bytes:
    return (
        f'--{boundary}\r\nContent-Disposition: form-data; name="spec"\r\n\r\n{json.dumps(SPEC)}\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="rows.csv"\r\n\r\n{GOOD}\r\n'
        f"--{boundary}--\r\n"
    ).encode()

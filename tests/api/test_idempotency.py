"""Idempotency-Key: the work is done once, whoever repeats the request, and whenever."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from tests.support.client import GOOD, SPEC, ApiServer, ApiTenant, campaign, problem

KEY = {"Idempotency-Key": "spring-2027"}


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


def _multipart(boundary: str) -> bytes:
    return (
        f'--{boundary}\r\nContent-Disposition: form-data; name="spec"\r\n\r\n{json.dumps(SPEC)}\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="rows.csv"\r\n\r\n{GOOD}\r\n'
        f"--{boundary}--\r\n"
    ).encode()

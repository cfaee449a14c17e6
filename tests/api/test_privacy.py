"""/v1/erasures and /v1/legal-holds: who may order, what is refused and why, and what everybody sees afterwards."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from api.edge.idempotency import Once
from api.schemas.privacy import ErasureBody
from tests.support.campaign_checks import begun, ended, left
from tests.support.client import SPEC, ApiTenant, campaign, problem
from tests.support.privacy import Privacy

TABLE = "object,colour\nbackpack,red\ncar,green\n"
UNKNOWN = "01a1fe00-0000-7000-8000-00000000000f"


@pytest.fixture
def clerk(api: ApiTenant, s3) -> Privacy:
    """The clerk of the same installation."""
    server = api.server
    return Privacy(server.line, server.database.engine("clerk"), server.settings_for, s3)


def cancelled(client, **more) -> str:
    """The id of a request of two items that nobody will make."""
    accepted = campaign(client, TABLE, **more).json()
    client.post(f"/v1/requests/{accepted['id']}/cancel")
    return accepted["id"]


def erase(client, **order):
    return client.post("/v1/erasures", json=order)


def test_a_dry_run_counts_and_an_order_is_carried_out_and_everybody_sees_it(api: ApiTenant, clerk: Privacy):
    client = api.caller()
    request_id = cancelled(client, name="for Jane Roe", metadata={"who": "Jane Roe"})
    counted = erase(client, text="jane roe", dry_run=True)
    assert counted.status_code == 200
    assert (counted.json()["requests"], counted.json()["request_ids"]) == (1, [request_id])
    ordered = erase(client, request=request_id)
    assert ordered.status_code == 202
    assert ordered.json()["state"] == "ordered"
    clerk.work()
    done = client.get(ordered.headers["Location"]).json()
    assert (done["state"], done["left"], done["erased"]["items"]) == ("finished", {}, 2)
    request = client.get(f"/v1/requests/{request_id}").json()
    assert (request["template"], request["name"], request["metadata"]) == (None, "", {})
    assert request["erased_at"]
    (item, _) = client.get(f"/v1/requests/{request_id}/items").json()["data"]
    assert (item["prompt"], item["negative_prompt"]) == (None, None)
    assert item["erased_at"]
    assert item["custom_id"] == f"erased-{item['id']}"
    assert client.get("/v1/erasures").json()["data"][0]["id"] == done["id"]
    exported = client.get("/v1/audit/events", params={"kind": "request.accepted"}).text
    assert SPEC["template"] not in exported
    assert '"erased"' in exported


def test_the_text_that_was_sought_is_never_repeated(api: ApiTenant):
    client = api.caller()
    ordered = erase(client, text="jane@example.com").json()
    assert ordered["scope"] == {"text": True}
    assert "jane@example.com" not in client.get("/v1/erasures").text
    assert "jane@example.com" not in str(api.logs)


def test_what_a_check_of_a_large_campaign_quotes_is_found_and_erased(
    api: ApiTenant, clerk: Privacy, monkeypatch: pytest.MonkeyPatch
):
    client = api.caller()
    quoted = ended(client, begun(client, "object,colour\ncar,\n", name="for Jane Roe")["id"])
    other = ended(client, begun(client, "object,colour\ncar,\n")["id"])
    assert (quoted["state"], quoted["name"]) == ("failed", "for Jane Roe")
    waiting = left(client, monkeypatch)
    problem(erase(client, text="jane roe"), 409, "conflict")  # nobody knows yet what is in that file
    client.post(f"/v1/campaigns/{waiting}/cancel")
    counted = erase(client, text="jane roe", dry_run=True).json()
    assert (counted["checks"], counted["open_checks"]) == (1, 0)
    assert erase(client, text="jane roe").status_code == 202
    clerk.work()
    problem(client.get(f"/v1/campaigns/{quoted['id']}"), 404, "not_found")
    assert client.get(f"/v1/campaigns/{other['id']}").json()["state"] == "failed"
    erase(client, tenant=True)
    clerk.work()
    assert client.get("/v1/campaigns").json()["data"] == []


@pytest.mark.parametrize(
    "order",
    [
        {},
        {"item": UNKNOWN, "request": UNKNOWN},
        {"item": "no id"},
        {"text": "ab"},
        {"text": "x" * 201},
        {"text": "two\nlines"},
        {"tenant": "acme"},
        {"request": UNKNOWN, "reason": "none"},
    ],
)
def test_an_order_names_exactly_one_thing(api: ApiTenant, order: dict[str, object]):
    problem(api.caller().post("/v1/erasures", json=order), 422, "invalid_body")


def test_only_an_admin_orders_holds_and_looks(api: ApiTenant):
    client = api.caller(scopes=("submit", "read", "review", "audit"))
    for answer in (
        erase(client, tenant=True),
        client.get("/v1/erasures"),
        client.post("/v1/legal-holds", json={"reason": "claim"}),
        client.get("/v1/legal-holds"),
        client.delete(f"/v1/legal-holds/{UNKNOWN}"),
    ):
        problem(answer, 403, "forbidden")


def test_what_is_not_there_or_anothers_is_not_found(api: ApiTenant):
    client = api.caller()
    theirs = cancelled(api.server.caller("bolt"))
    for noun in ("item", "asset", "request", "key"):
        for value in (UNKNOWN, theirs):
            problem(erase(client, **{noun: value}), 404, "not_found")
    for address in (f"/v1/erasures/{UNKNOWN}", "/v1/erasures/nonsense", f"/v1/legal-holds/{UNKNOWN}"):
        problem(client.get(address), 404, "not_found")
    problem(client.delete(f"/v1/legal-holds/{UNKNOWN}"), 404, "not_found")
    problem(client.post("/v1/legal-holds", json={"request": theirs, "reason": "claim"}), 404, "not_found")


def test_open_items_are_a_conflict_that_says_what_to_do(api: ApiTenant):
    client = api.caller()
    request_id = campaign(client, TABLE).json()["id"]
    detail = problem(erase(client, request=request_id), 409, "conflict")["detail"]
    assert "2 of the items still need their prompt" in detail
    assert "Cancel what is pending" in detail
    client.post(f"/v1/requests/{request_id}/cancel")
    assert erase(client, request=request_id).status_code == 202


def test_a_legal_hold_is_a_conflict_of_its_own_that_names_the_hold_and_not_the_reason(api: ApiTenant, clerk: Privacy):
    client = api.caller()
    request_id = cancelled(client)
    placed = client.post("/v1/legal-holds", json={"request": request_id, "reason": "claim 4711"})
    assert placed.status_code == 201
    hold = placed.json()
    said = problem(erase(client, request=request_id), 409, "legal_hold")
    assert hold["id"] in said["detail"]
    assert "4711" not in str(said)
    assert erase(client, request=request_id, dry_run=True).json()["legal_holds"] == [hold["id"]]
    assert client.get("/v1/legal-holds").json()["data"] == [hold]
    assert [client.delete(f"/v1/legal-holds/{hold['id']}").status_code for _ in range(2)] == [204, 204]
    assert client.get(f"/v1/legal-holds/{hold['id']}").json()["lifted_at"]
    assert erase(client, request=request_id).status_code == 202
    clerk.work()


@pytest.mark.parametrize(
    "order",
    [
        {"request": UNKNOWN, "item": UNKNOWN, "reason": "claim"},
        {"request": UNKNOWN},
        {"reason": ""},
        {"reason": "claim", "since": "2026-11-02", "until": "2026-11-01"},
        {"reason": "claim", "since": "tomorrow"},
    ],
)
def test_a_hold_has_one_scope_a_range_that_runs_forward_and_a_reason(api: ApiTenant, order: dict[str, object]):
    problem(api.caller().post("/v1/legal-holds", json=order), 422, "invalid_body")


def test_a_repeated_order_to_erase_is_one_order(api: ApiTenant):
    client = api.caller()
    first, again = (
        client.post("/v1/erasures", json={"text": "jane@example.com"}, headers={"Idempotency-Key": "k"})
        for _ in range(2)
    )
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"] == f"/v1/erasures/{first.json()['id']}"
    assert len(client.get("/v1/erasures").json()["data"]) == 1


def test_the_stored_fingerprint_of_an_order_confirms_no_guess_at_its_text(api: ApiTenant):
    client = api.caller()
    body = {"text": "jane@example.com"}
    assert client.post("/v1/erasures", json=body, headers={"Idempotency-Key": "k"}).status_code == 202
    with api.server.line.owner.begin() as conn:
        stored = conn.execute(
            text("select fingerprint from idempotency_keys where tenant = :tenant"), {"tenant": api.tenant}
        ).scalar_one()
    guess = Once(api.server.app().state.parts, "k", "POST", "/v1/erasures", b"")
    assert bytes(stored) != guess.fingerprint(ErasureBody.model_validate(body))


def test_a_repeated_submission_whose_reply_was_erased_is_refused_and_makes_nothing(api: ApiTenant, clerk: Privacy):
    client = api.caller()
    headers = {"Idempotency-Key": "once"}
    request_id = campaign(client, TABLE, headers=headers).json()["id"]
    client.post(f"/v1/requests/{request_id}/cancel")
    erase(client, request=request_id)
    clerk.work()
    before = api.stored()
    said = problem(campaign(client, TABLE, headers=headers), 409, "conflict")
    assert "use another key" in said["detail"]
    assert api.stored() == before


def test_without_a_view_of_the_ledger_nothing_can_be_ordered(api: ApiTenant):
    problem(erase(api.caller(auditor_database_url=None), tenant=True), 501, "audit_not_configured")

"""Recalls over HTTP: look, order, follow; and how every later look-up answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from policy.ledger.tree.revocations import issue, open_list
from tests.support.client import ApiServer, ApiTenant, problem
from tests.support.ledger import new_signer
from tests.support.line import RECIPE
from tests.support.recalls import Recalling
from workers.jobs.types import new_id
from workers.revocation_lists import RevocationLists
from workers.store import ObjectStore

ORDER = {"model": "studio", "reason_code": "licence", "reason": "withdrawn"}


@pytest.fixture
def shop(own_api: ApiServer, settings_for: Any, s3: Any) -> tuple[Recalling, TestClient]:
    """Pictures of acme that are really there, and acme's administrator."""
    own_api.key("acme")
    return Recalling(own_api.line, settings_for, s3), own_api.caller("acme")


def test_look_order_follow_and_every_later_look_up_answers_so(shop: tuple[Recalling, TestClient]) -> None:
    recalling, caller = shop
    made = recalling.release(2, name="spring")
    request_id, asset_id = made[0].item.request_id, made[0].asset_id
    url = caller.get(f"/v1/assets/{asset_id}").json()["renditions"][0]["url"]
    assert httpx.get(url).status_code == 200

    seen = caller.post("/v1/recalls", json=ORDER, params={"dry_run": True})
    assert seen.status_code == 200
    looked = seen.json()
    assert (looked["dry_run"], looked["assets"], looked["recalled"]) == (True, 2, 0)
    assert looked["by_campaign"] == [{"request_id": request_id, "name": "spring", "assets": 2}]
    assert looked["by_model"] == [{"model": "studio", "model_revision": RECIPE.model_revision, "assets": 2}]
    assert set(looked["sample"]) == {outcome.asset_id for outcome in made}
    assert recalling.line.events("recall.ordered") == []

    ordered = caller.post("/v1/recalls", json={**ORDER, "expected_assets": looked["assets"]})
    assert ordered.status_code == 202, ordered.text
    recall = ordered.json()
    assert ordered.headers["location"] == f"/v1/recalls/{recall['id']}"
    assert (recall["state"], recall["assets"], recall["ordered"]) == ("open", 2, 2)
    # The clerk has not even looked, and nobody gets a link any more.
    gone = problem(caller.get(f"/v1/assets/{asset_id}"), 410, "recalled")
    assert (gone["state"], gone["recall"]["recall_id"], gone["recall"]["recalled_at"]) == (
        "recalled",
        recall["id"],
        None,
    )

    recalling.carry_out()
    done = caller.get(f"/v1/recalls/{recall['id']}").json()
    assert (done["state"], done["moved"], done["ordered"], done["missing"], done["matching_now"]) == (
        *("finished", 2, 0, 0, 0),
    )
    assert httpx.get(url).status_code == 404
    gone = problem(caller.get(f"/v1/assets/{asset_id}"), 410, "recalled")
    assert gone["recall"]["reason_code"] == "licence"
    assert gone["recall"]["recalled_at"] is not None
    assert gone["sha256"] == [made[0].renditions[0].sha256]
    listed = caller.get(f"/v1/requests/{request_id}/assets").json()["data"]
    assert [one["state"] for one in listed] == ["recalled"] * 2
    assert all(one["recall"]["recall_id"] == recall["id"] for one in listed)
    assert all(file["url"] is None for one in listed for file in one["renditions"])
    status = caller.get(f"/v1/requests/{request_id}").json()
    assert (status["state"], status["counts"]["recalled"], status["counts"]["released"]) == ("finished", 2, 0)
    assert caller.get(f"/v1/items/{made[0].item.id}").json()["state"] == "recalled"
    assert [event.event["asset_id"] for event in recalling.line.events("asset.linked")] == [asset_id], "before only"
    story = [event["kind"] for event in caller.get(f"/v1/assets/{asset_id}/events").json()["data"]]
    assert story == ["request.accepted", "item.released", "request.finished", "asset.linked", "asset.recalled"]


def test_a_repeated_order_with_one_key_is_one_order(shop: tuple[Recalling, TestClient]) -> None:
    recalling, caller = shop
    recalling.release(1, stored=False)
    key = {"Idempotency-Key": "recall-1"}
    first, again = (caller.post("/v1/recalls", json=ORDER, headers=key) for _ in range(2))
    assert (first.status_code, again.status_code, first.json()["id"]) == (202, 202, again.json()["id"])
    assert again.headers["idempotency-replayed"] == "true"
    problem(caller.post("/v1/recalls", json=ORDER), 409, "conflict")
    problem(caller.post("/v1/recalls", json={**ORDER, "model": "other"}, headers=key), 422, "idempotency_key_reused")
    assert len(recalling.line.events("recall.ordered")) == 1


def test_another_number_than_the_dry_run_counted_orders_nothing(shop: tuple[Recalling, TestClient]) -> None:
    recalling, caller = shop
    recalling.release(2, stored=False)
    document = problem(caller.post("/v1/recalls", json={**ORDER, "expected_assets": 1}), 409, "conflict")
    assert "2 assets match now, not 1" in document["detail"]
    assert caller.get("/v1/recalls").json()["data"] == []


def test_a_licence_is_read_from_the_cards(shop: tuple[Recalling, TestClient]) -> None:
    recalling, caller = shop
    recalling.release(1, stored=False)
    by_licence = {"licence": "Apache-2.0", "reason_code": "licence"}
    found = caller.post("/v1/recalls", json=by_licence, params={"dry_run": True}).json()
    assert found["assets"] == 0, "the test's pictures are of another revision than the model at hand"
    document = problem(caller.post("/v1/recalls", json={**by_licence, "licence": "GPL"}), 422, "invalid_body")
    assert "Apache-2.0" in document["errors"][0]["message"]


def test_one_tenant_orders_and_sees_its_own_only(shop: tuple[Recalling, TestClient], own_api: ApiServer) -> None:
    recalling, caller = shop
    (mine,), (theirs,) = recalling.release(1), recalling.release(1, tenant="bolt")
    bolt = own_api.caller("bolt")
    problem(bolt.post("/v1/recalls", json={"asset_id": mine.asset_id, "reason_code": "other"}), 409, "conflict")
    recall_id = caller.post("/v1/recalls", json=ORDER).json()["id"]
    recalling.carry_out()
    problem(bolt.get(f"/v1/recalls/{recall_id}"), 404, "not_found")
    assert bolt.get("/v1/recalls").json()["data"] == []
    assert recalling.states()[theirs.asset_id] == "released"
    assert [one["id"] for one in caller.get("/v1/recalls").json()["data"]] == [recall_id]


def test_any_key_gets_the_newest_revocation_list_and_no_key_gets_none(
    shop: tuple[Recalling, TestClient], own_api: ApiServer, settings_for: Any
) -> None:
    reader = own_api.caller("bolt", scopes=["read"])
    assert "sealer" in problem(reader.get("/v1/revocations"), 404, "not_found")["detail"]
    settings = settings_for("sealer")
    shelf, signer = RevocationLists(ObjectStore(settings), settings.ledger_origin), new_signer(settings.ledger_origin)
    for sequence in (1, 2):
        lines = [f"{'a' * 64} {new_id()}"] * (sequence - 1)
        shelf.put(sequence, issue(signer, sequence=sequence, issued_at=datetime.now(UTC), checkpoint=9, lines=lines))
    answer = reader.get("/v1/revocations")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    found = open_list(answer.text, [signer.vkey])
    assert (found.sequence, len(found.lines)) == (2, 1)
    problem(own_api.anonymous().get("/v1/revocations"), 401, "unauthorized")


BAD: list[tuple[dict[str, Any], str]] = [
    ({"reason_code": "licence"}, "body"),
    ({**ORDER, "reason_code": "because"}, "reason_code"),
    ({"model": "studio"}, "reason_code"),
    ({**ORDER, "asset_id": "1"}, "asset_id"),
    ({**ORDER, "asset_id": "'; drop table assets; --"}, "asset_id"),
    ({**ORDER, "reviewer": "../" * 10}, "reviewer"),
    ({**ORDER, "model_revision": "sha256:xyz"}, "model_revision"),
    ({**ORDER, "model": ""}, "model"),
    ({**ORDER, "rule": "a\u202eb"}, "rule"),
    ({**ORDER, "since": "yesterday"}, "since"),
    ({**ORDER, "since": "2026-11-02", "until": "2026-11-01"}, "body"),
    ({**ORDER, "reason": "x" * 2_001}, "reason"),
    ({**ORDER, "expected_assets": 0}, "expected_assets"),
    ({**ORDER, "expected_assets": "1"}, "expected_assets"),
    ({**ORDER, "everything": True}, "everything"),
]


@pytest.mark.parametrize(("body", "field"), BAD, ids=lambda value: str(value)[:50])
def test_a_bad_order_is_told_its_field_and_orders_nothing(api: ApiTenant, body: dict[str, Any], field: str) -> None:
    document = problem(api.caller().post("/v1/recalls", json=body), 422, "invalid_body")
    assert field in {error["field"] for error in document["errors"]}
    assert api.events("recall.ordered") == []


def test_only_administrators_recall(api: ApiTenant) -> None:
    caller = api.caller(scopes=["submit", "read", "review", "audit"])
    for answer in (
        caller.post("/v1/recalls", json=ORDER),
        caller.get("/v1/recalls"),
        caller.get(f"/v1/recalls/{new_id()}"),
        caller.get("/v1/webhooks"),
        caller.post("/v1/webhooks", json={"url": "https://example.com/", "events": ["asset.recalled"]}),
    ):
        problem(answer, 403, "forbidden")


def test_unknown_ids_and_queries_are_problems(api: ApiTenant) -> None:
    caller = api.caller()
    for name in (new_id(), "no-id", "%00"):
        problem(caller.get(f"/v1/recalls/{name}"), 404, "not_found")
    problem(caller.get("/v1/recalls", params={"limit": 0}), 422, "invalid_parameters")
    problem(caller.get("/v1/recalls", params={"cursor": "x"}), 422, "invalid_parameters")
    problem(caller.post("/v1/recalls", json=ORDER, params={"dryrun": 1}), 422, "invalid_parameters")

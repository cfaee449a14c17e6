"""Channels that are added to an earlier request: a linked request of what was released, without a GPU."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.support.campaigns import SPEC, table
from tests.support.client import ApiTenant, campaign, problem
from tests.support.line import LEASE, released
from workers.jobs.claim import claim
from workers.jobs.dispatch import dispatch
from workers.jobs.settle import settle
from workers.jobs.types import KeptDrawing, SamplingPosition, new_id
from workers.jobs.views import get_request
from workers.states import FINISHING

ROWS = [["0042", "backpack", "de", ""], ["0043", "car", "en", ""], ["../../x", "car", "xx", ""]]
SHOP = {"name": "shop", "size": [96, 96], "fit": "pad"}


@pytest.fixture
def sent(api: ApiTenant) -> tuple[TestClient, str]:
    """A finished campaign of three rows; of the last one no drawing is kept."""
    caller, line = api.caller(), api.server.line
    id = campaign(caller, table(ROWS), dict(SPEC)).json()["id"]
    ids = [item.id for item in api.items()]
    with line.worker.begin() as conn:
        batch_id = dispatch(conn, "gpu", api.items()[0].recipe_id, ids, lease=LEASE, claims_allowed=2)
        held = claim(conn, str(batch_id), LEASE, "w", anyway=True)
        assert held is not None
        outcomes = [released(held, item) for item in held.items]
        position = SamplingPosition(3, 0, "cpu")
        kept = [KeptDrawing(o.item.id, f"drawings/{o.item.id}", "a" * 64, 9, position) for o in outcomes[:2]]
        settle(conn, held, [*map(lambda o, k: replace(o, kept=k), outcomes, kept), outcomes[2]])
    return caller, id


def added(caller: TestClient, id: str, **asked: Any) -> Any:
    return caller.post(f"/v1/requests/{id}/channels", json=asked)


def test_what_was_released_is_asked_for_in_other_files_without_a_gpu(api: ApiTenant, sent) -> None:
    caller, id = sent
    answer = added(caller, id, channels=[SHOP], file="{SKU}.{channel}.{ext}")
    reply = answer.json()
    assert answer.status_code == 202
    assert (reply["parent_id"], reply["items"], reply["reencoded_items"]) == (id, 2, 2)
    assert (reply["reused_items"], reply["without_drawing"]) == (0, 1)
    items = caller.get(reply["links"]["items"]).json()["data"]
    before = caller.get(f"/v1/requests/{id}/items").json()["data"]
    assert [one["drawing_item_id"] for one in items] == [one["id"] for one in before[:2]]
    for now, then in zip(items, before, strict=False):
        assert {now[name] == then[name] for name in ("custom_id", "row", "prompt", "seed", "recipe")} == {True}
    status = caller.get(reply["links"]["request"]).json()
    assert [one["name"] for one in status["channels"]] == ["shop"]
    assert {item.queue for item in api.items() if item.request_id == reply["id"]} == {FINISHING}
    told = api.events("request.accepted")[-1]
    assert (told.event["parent_id"], told.event["items"]) == (id, 2)
    like_before = added(caller, id, channels=[SHOP]).json()["id"]
    with api.server.line.as_tenant(api.tenant) as conn:
        templates = get_request(conn, api.tenant, like_before).file_templates
    assert templates == {"": "{SKU}.{channel}.{ext}", "shop": "{SKU}.{channel}.{ext}"}
    same = {"Idempotency-Key": new_id()}
    once = [caller.post(f"/v1/requests/{id}/channels", json={"channels": ["square"]}, headers=same) for _ in range(2)]
    assert once[0].json()["id"] == once[1].json()["id"]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({}, "invalid"),
        ({"channels": ["square", "square"]}, "invalid"),
        ({"channels": [SHOP], "file": "{nothing}.{ext}"}, "unknown_placeholder"),
        ({"channels": [{**SHOP, "label": {"language_column": "Land"}}]}, "unknown_placeholder"),
        ({"channels": [SHOP], "deliver": {"target": "none"}}, "target"),
        ({"channels": [SHOP], "reuse": "never"}, "unknown_field"),
    ],
)
def test_what_cannot_be_had_is_named_and_nothing_is_stored(api: ApiTenant, sent, asked: dict, code: str) -> None:
    caller, id = sent
    answer = added(caller, id, **asked)
    assert answer.status_code == 422
    assert code in {error["code"] for error in answer.json()["errors"]}, answer.text
    assert len(api.items()) == 3


def test_a_cell_that_is_no_language_is_named_by_its_row(api: ApiTenant, sent) -> None:
    caller, id = sent
    answer = added(caller, id, channels=[{**SHOP, "label": {"language_column": "object"}}])
    assert answer.status_code == 422
    assert "row 1" in answer.json()["detail"]
    assert len(api.items()) == 3


def test_a_request_without_drawings_is_told_what_to_do(api: ApiTenant) -> None:
    caller = api.caller()
    id = caller.post("/v1/requests", json={"prompt": "a car"}).json()["id"]
    assert "no released image" in problem(added(caller, id, channels=[SHOP]), 409, "conflict")["detail"]
    assert added(caller, new_id(), channels=[SHOP]).status_code == 404

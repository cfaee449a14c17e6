"""Budget of one request through the API: set with it, changed while it runs, and what cannot be a budget."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import S3
from tests.support.client import ApiTenant, campaign, problem
from tests.support.line import eventually
from tests.support.painter import painting, releasing
from workers.jobs.control import spending
from workers.jobs.types import Claim, ClaimedItem, Failed

_TABLE = "object,colour\ncar,red\nbackpack,blue\n"


def test_a_budget_is_set_with_the_request_changed_and_taken_away(api: ApiTenant) -> None:
    caller = api.caller()
    here = campaign(caller, _TABLE, budget={"images": 1}).json()["links"]["request"]
    shown = caller.get(here).json()["budget"]
    assert (shown["images"], shown["images_reserved"], shown["images_made"]) == (1, 2, 0)
    headers = {"Idempotency-Key": "raise"}
    for _ in range(2):
        changed = caller.patch(here, json={"budget": {"images": 5}, "priority": "bulk"}, headers=headers).json()
        assert (changed["budget"]["images"], changed["priority"]) == (5, "bulk")
    assert caller.patch(here, json={"budget": None}).json()["budget"] is None
    assert [event.event["images"] for event in api.events("budget.changed")] == [5, None]
    assert caller.get("/v1/budgets").json()["data"] == []


@pytest.mark.parametrize(
    ("budget", "field"),
    [
        ({"images": 0}, "budget.images"),
        ({"images": -1}, "budget.images"),
        ({"images": 1.5}, "budget.images"),
        ({"gpu_seconds": 0}, "budget.gpu_seconds"),
        ({"cost": 5}, "budget"),
        ({}, "budget"),
        ({"cost": 5, "currency": "GBP"}, "budget.currency"),
        ({"cost": 5, "currency": "pounds"}, "budget.currency"),
        ({"images": 5, "key_id": "x"}, "budget.key_id"),
    ],
)
def test_what_is_no_budget_is_named_and_changes_nothing(api: ApiTenant, budget: dict, field: str) -> None:
    caller = api.caller()
    refused = problem(campaign(caller, _TABLE, budget=budget), 422, "invalid_body")
    assert refused["errors"][0]["field"] == field
    here = campaign(caller, _TABLE).json()["links"]["request"]
    assert problem(caller.patch(here, json={"budget": budget}), 422, "invalid_body")["errors"][0]["field"] == field
    assert caller.get(here).json()["budget"] is None


def test_a_number_that_is_none_is_no_budget(api: ApiTenant) -> None:
    caller = api.caller()
    here = campaign(caller, _TABLE).json()["links"]["request"]
    for number in ("NaN", "Infinity", "1e999"):
        body = f'{{"budget": {{"gpu_seconds": {number}}}}}'
        answer = caller.patch(here, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (400, 422), answer.text


def test_a_campaign_stops_at_its_budget_goes_on_when_it_is_raised_and_is_made_whole_by_a_retry(
    api: ApiTenant, s3: S3
) -> None:
    caller, line = api.caller(), api.server.line
    table = "id,object,colour\n" + "".join(f"row-{n},car,red\n" for n in range(1, 13))
    here = campaign(caller, table, budget={"images": 8}).json()["links"]["request"]
    seeds = {item.custom_id: item.seed for item in api.items()}
    failing = {"row-2", "row-11"}

    def decide(held: Claim, item: ClaimedItem) -> Any:
        return Failed(item, "black") if item.custom_id in failing else releasing(s3)(held, item)

    def looked() -> dict[str, Any]:
        with line.worker.begin() as conn:
            spending.stop(conn, actor="reconciler")
        return caller.get(here).json()

    with painting(line, s3, api.tenant, decide, most=9):
        eventually(lambda: sum(item.state != "pending" for item in api.items()) == 9)
    paused = looked()
    assert (paused["phase"], paused["paused_for"], paused["budget"]["images_made"]) == ("paused", "budget", 8)
    assert caller.post(f"{here}/resume").json()["phase"] == "running"
    assert looked()["phase"] == "paused", "it is still spent"
    assert caller.patch(here, json={"budget": {"images": 12}}).json()["phase"] == "running"
    with painting(line, s3, api.tenant, decide):
        eventually(lambda: looked()["phase"] == "finished")
        problem(caller.post(f"{here}/pause"), 409, "conflict")
        problem(caller.post(f"{here}/resume"), 409, "conflict")
        assert looked()["counts"] | {"released": 10, "failed": 2} == looked()["counts"]
        failing.clear()
        assert caller.post(f"{here}/retry").json() == {"items": 2, "round": 1}
        eventually(lambda: looked()["phase"] == "finished")
    done = looked()
    assert (done["counts"]["released"], done["budget"]["images_made"]) == (12, 12)
    assert {item.custom_id: item.seed for item in api.items()} == seeds
    (usage,) = caller.get("/v1/usage?by=request").json()["data"]
    assert (usage["made"], usage["failed"]) == (12, 0)


def test_a_request_that_is_over_has_no_budget_to_change(api: ApiTenant) -> None:
    caller = api.caller()
    here = campaign(caller, _TABLE).json()["links"]["request"]
    caller.post(f"{here}/cancel")
    problem(caller.patch(here, json={"budget": {"images": 5}}), 409, "conflict")
    theirs = api.server.caller("another")
    problem(theirs.patch(here, json={"budget": {"images": 5}}), 404, "not_found")

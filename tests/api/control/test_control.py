"""Control over HTTP: pause, resume, change and cancel a part of a request."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.client import ApiTenant, campaign, places, problem
from tests.support.line import LEASE, eventually, released
from workers.cost.prices import Prices
from workers.cost.used import Used
from workers.jobs.dispatch import dispatch
from workers.jobs.settle import settle
from workers.jobs.types import Failed

TOMORROW = (datetime.now(UTC) + timedelta(days=1)).isoformat(timespec="seconds")
TEN = "object,colour\n" + "car,red\n" * 10


def submitted(caller: Any, **spec: Any) -> str:
    return campaign(caller, TEN, **spec).json()["links"]["request"]


def test_a_request_is_paused_changed_and_resumed(api: ApiTenant) -> None:
    caller = api.caller()
    here = submitted(caller, deadline=TOMORROW, at_deadline="expire")
    status = caller.get(here).json()
    assert (status["state"], status["phase"], status["paused_for"]) == ("open", "running", None)
    assert (status["at_deadline"], status["ended_at"]) == ("expire", None)
    paused = caller.post(f"{here}/pause")
    assert (paused.status_code, paused.json()["phase"], paused.json()["paused_for"]) == (200, "paused", "person")
    changed = caller.patch(here, json={"priority": "bulk", "deadline": None}).json()
    assert (changed["priority"], changed["deadline"], changed["at_deadline"]) == ("bulk", None, "expire")
    assert caller.post(f"{here}/resume").json()["phase"] == "running"
    assert [len(api.events(f"request.{verb}")) for verb in ("paused", "changed", "resumed")] == [1, 1, 1]


def test_a_part_is_cancelled_and_a_whole_one_is_over(api: ApiTenant) -> None:
    caller = api.caller()
    here = submitted(caller)
    assert caller.post(f"{here}/cancel", json={"rows": [[2, 3]], "variants": [0]}).json() == {"cancelled": 2}
    assert caller.post(f"{here}/cancel", json={"custom_ids": ["row-2", "row-5"]}).json() == {"cancelled": 1}
    assert caller.get(here).json()["phase"] == "running"
    empty = {"Content-Type": "application/json"}
    assert caller.post(f"{here}/cancel", headers=empty).json() == {"cancelled": 7}
    over = caller.get(here).json()
    assert (over["phase"], over["state"], over["ended_at"] is not None) == ("cancelled", "finished", True)
    for call in (caller.post(f"{here}/pause"), caller.post(f"{here}/resume"), caller.patch(here, json={})):
        problem(call, 409, "conflict")


def test_every_changing_call_is_done_once(api: ApiTenant) -> None:
    caller = api.caller()
    here = submitted(caller)
    once = {"Idempotency-Key": "pause-1"}
    first, again = (caller.post(f"{here}/pause", headers=once) for _ in range(2))
    assert (again.headers["Idempotency-Replayed"], again.json()) == ("true", first.json())
    problem(caller.post(f"{here}/resume", headers=once), 422, "idempotency_key_reused")
    part = {"Idempotency-Key": "part-1"}
    calls = [caller.post(f"{here}/cancel", json={"rows": [[1, n]]}, headers=part) for n in (2, 2, 3)]
    assert [call.status_code for call in calls] == [200, 200, 422]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"deadline": "2001-01-01T00:00:00Z"}, ("deadline_passed", None, "deadline")),
        ({"deadline": "soon"}, ("invalid", None, "deadline")),
        ({"deadline": "2027-03-01T18:00:00"}, ("invalid", None, "deadline")),
        ({"deadline": 1.5}, ("invalid", None, "deadline")),
        ({"at_deadline": "fail"}, ("not_a_choice", None, "at_deadline")),
        ({"priority": None}, ("not_a_choice", None, "priority")),
        ({"phase": "finished"}, ("unknown_field", None, "phase")),
    ],
)
def test_a_wrong_change_is_named_and_nothing_is_changed(api: ApiTenant, body: Any, place: Any) -> None:
    caller = api.caller()
    here = submitted(caller)
    before = caller.get(here).json()
    assert place in places(problem(caller.patch(here, json=body), 422, "invalid_body"))
    assert caller.get(here).json() == before


def test_a_campaign_with_a_deadline_in_the_past_is_refused_whole(api: ApiTenant) -> None:
    caller = api.caller()
    late = campaign(caller, TEN, deadline="2001-01-01")
    assert places(problem(late, 422, "invalid_body")) == [("deadline_passed", None, "deadline")]
    assert api.stored() == 0


@pytest.mark.parametrize(
    "body",
    [
        *({"rows": rows} for rows in ([[3, 2]], [[0, 2]], [[1]], [[1, 2**31]], [[1, 1]] * 1_001)),
        *({"states": ["released"]}, {"variants": [-1]}, {"custom_ids": [""]}, {"channel": "web"}, []),
    ],
)
def test_a_wrong_selection_cancels_nothing(api: ApiTenant, body: Any) -> None:
    caller = api.caller()
    here = submitted(caller)
    problem(caller.post(f"{here}/cancel", json=body), 422, "invalid_body")
    assert caller.get(here).json()["counts"]["pending"] == 10


def test_control_needs_the_right_to_submit_and_foreign_requests_are_unknown(api: ApiTenant) -> None:
    here = submitted(api.caller())
    reader = api.caller(scopes=["read"])
    other = api.server.caller("bolt")
    for verb in ("pause", "resume", "cancel"):
        problem(reader.post(f"{here}/{verb}"), 403, "forbidden")
        problem(other.post(f"{here}/{verb}"), 404, "not_found")
    problem(reader.patch(here, json={}), 403, "forbidden")
    problem(other.patch(here, json={}), 404, "not_found")


def test_the_rows_with_one_value_in_a_column_are_cancelled(api: ApiTenant) -> None:
    caller = api.caller()
    table = "object,colour,country\n" + "car,red,DE\n" * 3 + "car,red,AT\n" * 2 + "car,red,FR\n"
    here = campaign(caller, table).json()["links"]["request"]
    part = {"columns": {"country": ["DE", "FR"], "colour": ["red"]}}
    assert caller.post(f"{here}/cancel", json=part).json() == {"cancelled": 4}
    left = caller.get(f"{here}/items?state=pending").json()["data"]
    assert [item["row"] for item in left] == [4, 5]
    unknown = problem(caller.post(f"{here}/cancel", json={"columns": {"land": ["AT"]}}), 409, "conflict")
    assert "object, colour, country" in unknown["detail"]
    assert caller.get(here).json()["counts"]["pending"] == 2


def test_a_campaign_beyond_the_budget_is_refused_whole_and_usage_says_what_was_settled(api: ApiTenant) -> None:
    caller = api.caller()
    assert caller.put("/v1/budgets", json={"images": 12}).json()["images"] == 12
    here = submitted(caller)
    refused = problem(campaign(caller, TEN), 402, "budget_exceeded")
    assert "has 2 of 12 left" in refused["detail"]
    caller.post(f"{here}/cancel", json={"rows": [[1, 4]]})
    (standing,) = caller.get("/v1/budgets").json()["data"]
    assert (standing["images_reserved"], standing["images_made"]) == (6, 0)
    for by in ("day", "request", "key"):
        (line,) = caller.get("/v1/usage", params={"by": by}).json()["data"]
        assert (line["made"], line["cancelled"]) == (0, 4)
    assert caller.get("/v1/usage", params={"until": "2001-01-01"}).json()["data"] == []
    problem(
        caller.put("/v1/budgets", json={"images": 1, "key_id": "0199c0de-7b1a-7c53-9d0f-3f0f6a3f8c11"}),
        404,
        "not_found",
    )


@pytest.mark.parametrize("images", [-1, 0, 1.5, "10", True, 2**53])
def test_a_budget_that_is_no_number_of_images_is_refused(api: ApiTenant, images: Any) -> None:
    problem(api.caller().put("/v1/budgets", json={"images": images}), 422, "invalid_body")


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ('{"gpu_seconds": 0}', "gpu_seconds"),
        ('{"gpu_seconds": -1}', "gpu_seconds"),
        ('{"gpu_seconds": 100000000}', "gpu_seconds"),
        ('{"cost": 0, "currency": "EUR"}', "cost"),
        ('{"cost": NaN, "currency": "EUR"}', "NaN"),
        ('{"cost": Infinity, "currency": "EUR"}', "Infinity"),
        ('{"cost": "5", "currency": "EUR"}', "cost"),
        ('{"cost": 5}', "name the currency of cost"),
        ('{"cost": 5, "currency": "euro"}', "currency"),
        ('{"cost": 5, "currency": "EUR"}', "this installation has no price list"),
        ("{}", "name a limit"),
    ],
)
def test_a_budget_in_time_or_money_that_cannot_be_kept_is_named(api: ApiTenant, body: str, named: str) -> None:
    reply = api.caller().put("/v1/budgets", content=body, headers={"Content-Type": "application/json"})
    assert (reply.status_code, named in reply.text) == (422, True), reply.text
    assert api.caller().get("/v1/budgets").json()["data"] == []


def test_a_budget_of_gpu_seconds_is_set_and_taken_away_and_needs_no_images(api: ApiTenant) -> None:
    caller = api.caller()
    told = caller.put("/v1/budgets", json={"gpu_seconds": 12.5}).json()
    assert (told["images"], told["gpu_seconds"], told["cost"]) == (None, 12.5, None)
    submitted(caller)  # was never measured: accepted, as something is left
    (standing,) = caller.get("/v1/budgets").json()["data"]
    assert (standing["images_reserved"], standing["gpu_seconds_reserved"]) == (10, 0.0)
    gone = caller.put("/v1/budgets", json={"gpu_seconds": None}).json()
    assert (gone["gpu_seconds"], caller.get("/v1/budgets").json()["data"]) == (None, [])


def test_a_wait_ends_when_nothing_more_is_made(api: ApiTenant) -> None:
    caller = api.caller()
    here = submitted(caller)
    assert caller.get(here, params={"wait": 0.05}).json()["phase"] == "running"
    with ThreadPoolExecutor() as threads:
        told = threads.submit(caller.get, here, params={"wait": 20})
        eventually(lambda: api.server.app().state.parts.room.taken(api.tenant) == 1)
        api.caller().post(f"{here}/pause")
        assert told.result(timeout=15).json()["phase"] == "paused"
    assert caller.get(here, params={"wait": 20}).json()["phase"] == "paused"
    for wait in ("-1", "21", "long", "nan"):
        problem(caller.get(here, params={"wait": wait}), 422, "invalid_parameters")


def test_usage_tells_gpu_seconds_and_money_and_so_do_the_request_and_its_results(api: ApiTenant) -> None:
    """One of two images is released, one failed: the second is told beside it and costs nothing."""
    caller, line = api.caller(), api.server.line
    here = campaign(caller, "object,colour\ncar,red\nbackpack,blue\n").json()["links"]["request"]
    items = api.items()
    with line.worker.begin() as conn:
        ids = [item.id for item in items]
        batch_id = dispatch(conn, "gpu", items[0].recipe_id, ids, lease=LEASE, claims_allowed=2)
    held = line.claim(str(batch_id))
    used = Used(Prices.parse("NVIDIA H200=3.6", "EUR"))
    used.add([item.id for item in held.items], "NVIDIA H200", 20.0, None)
    with line.worker.begin() as conn:
        settle(conn, held, [released(held, held.items[0]), Failed(held.items[1], "black")], used)
    (told,) = caller.get("/v1/usage?by=tenant").json()["data"]
    assert (told["made"], told["failed"], told["gpu_seconds"], told["gpu_seconds_failed"]) == (1, 1, 10.0, 10.0)
    assert (told["cost"], told["cost_not_made"], told["energy_joules"]) == ({"EUR": 0.01}, {"EUR": 0.01}, None)
    assert caller.get(here).json()["used"] == {**told, "group": here.rpartition("/")[2]}
    table = caller.get("/v1/usage?by=tenant&format=csv")
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    assert table.text.splitlines()[1] == f"{api.tenant},1,0,1,0,10.0,0.0,10.0,,EUR,0.01,0.01,0,0"
    results = [json.loads(one) for one in caller.get(f"{here}/results?format=jsonl").text.splitlines()]
    figures = [(one["presswork_gpu_seconds"], one["presswork_cost"], one["presswork_currency"]) for one in results]
    assert figures == [(10.0, 0.01, "EUR"), (10.0, 0.0, "EUR")]
    item = caller.get(f"/v1/items/{held.items[0].id}").json()
    assert (item["gpu_seconds"], item["cost"], item["currency"]) == (10.0, 0.01, "EUR")


def test_failed_images_are_retried_once_for_a_key_and_a_wrong_retry_is_named(api: ApiTenant) -> None:
    caller, line = api.caller(), api.server.line
    here = campaign(caller, "object,colour\ncar,red\nbackpack,blue\n").json()["links"]["request"]
    stored = api.items()
    with line.worker.begin() as conn:
        ids = [item.id for item in stored]
        batch_id = dispatch(conn, "gpu", stored[0].recipe_id, ids, lease=LEASE, claims_allowed=2)
    held = line.claim(str(batch_id))
    with line.worker.begin() as conn:
        settle(conn, held, [released(held, held.items[0]), Failed(held.items[1], "black")])
    for body in ({"new_seed": 1}, {"rows": [[2, 1]]}, {"custom_ids": [""]}, {"states": ["refused"]}):
        problem(caller.post(f"{here}/retry", json=body), 422, "invalid_body")
    once = {"Idempotency-Key": "retry-1"}
    first, again = (caller.post(f"{here}/retry", json={"new_seed": True}, headers=once) for _ in range(2))
    assert (first.json(), again.json()) == ({"items": 1, "round": 1}, first.json())
    assert again.headers["Idempotency-Replayed"] == "true"
    assert caller.get(here).json()["phase"] == "running"
    assert caller.post(f"{here}/retry").json() == {"items": 0, "round": 1}
    problem(api.server.caller("bolt").post(f"{here}/retry"), 404, "not_found")

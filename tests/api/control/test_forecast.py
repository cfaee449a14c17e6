"""Forecast over HTTP: a check says what a request would take, or that nobody knows yet, and stores nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from tests.support.client import ApiTenant, campaign
from workers.jobs.fleet import members
from workers.recipes import Recipe

TABLE = "object,colour\n" + "".join(f"car,{colour}\n" for colour in ("red", "blue", "white", "black", "green")) * 4
_BATCH = """
insert into batches (id, queue, recipe_id, state, size, attempt, given_back, claims_allowed, lease_until, finished_at,
                     gpu_seconds, device_class, drawn, work_id)
select gen_random_uuid(), 'gpu', :recipe, 'finished', :drawn, 1, 0, 2, now(), now() - :ago * interval '1 minute',
       :seconds, 'H200', :drawn, :work
from generate_series(1, :count)
"""


@pytest.fixture
def recipe(api: ApiTenant) -> Recipe:
    """The recipe of what the tests send; a worker on an H200 lives."""
    campaign(api.caller(), "object,colour\ncar,red\n")
    (item,) = api.items()
    with api.server.line.owner.begin() as conn:
        members.seen(conn, "w", queues=["gpu"], threads=1, device="d", device_class="H200")
        stored = conn.execute(text("select recipe from recipes where id = :id"), {"id": item.recipe_id}).scalar_one()
    return Recipe.from_json(stored)


def measured(api: ApiTenant, recipe: Recipe, count: int, *, seconds: float = 4.0, ago: int = 0) -> None:
    """Batches of eight that took so long."""
    values = {"count": count, "seconds": seconds, "ago": ago, "drawn": 8}
    with api.server.line.owner.begin() as conn:
        conn.execute(text(_BATCH), {**values, "recipe": recipe.id, "work": recipe.work_id})


def check(api: ApiTenant, **spec: Any) -> dict[str, Any]:
    reply = campaign(api.caller(), TABLE, dry_run=True, **spec)
    assert reply.status_code == 200, reply.text
    told: dict[str, Any] = reply.json()
    return told


@pytest.fixture(autouse=True)
def _nothing_is_left(api: ApiTenant):
    """Nor was before: capacity is counted over all batches of the last hour, those of other tests too."""
    with api.server.line.owner.begin() as conn:
        conn.execute(text("update batches set finished_at = finished_at - interval '2 hours'"))
    yield
    with api.server.line.owner.begin() as conn:
        conn.execute(text("delete from batches where device_class = 'H200' and worker is null"))
        conn.execute(text("delete from gpu_workers where name = 'w'"))


def test_below_thirty_batches_it_is_unknown_until_the_pilot(api: ApiTenant, recipe: Recipe) -> None:
    measured(api, recipe, 29)
    before = api.stored()
    told = check(api)["forecast"]
    assert (told["gpu_seconds"], told["cost"], told["finish"], told["unknown_images"]) == (None, None, None, 20)
    assert told["message"].startswith("unknown until the pilot: for 20 of 20 images fewer than 30 batches")
    assert "(at most 29)" in told["message"]
    assert api.stored() == before


def test_thirty_measured_batches_tell_seconds_and_the_last_hour_tells_the_finish(
    api: ApiTenant, recipe: Recipe
) -> None:
    """Three batches of eight at 4 s; the hour delivered 30 x 4 s in one minute, so 2 s a second."""
    measured(api, recipe, 30)
    told = check(api)["forecast"]
    assert (told["gpu_seconds"], told["batches_measured"], told["device_classes"]) == (
        {"p50": 12.0, "p90": 12.0},
        30,
        ["H200"],
    )
    assert (told["cost"], told["currency"]) == (None, None)  # no price list
    finish = datetime.fromisoformat(told["finish"]["p50"])
    assert timedelta(0) < finish - datetime.now(UTC) < timedelta(minutes=10)


def test_an_hour_without_batches_tells_no_finish(api: ApiTenant, recipe: Recipe) -> None:
    measured(api, recipe, 30, ago=61)
    told = check(api)["forecast"]
    assert (told["gpu_seconds"], told["finish"]) == ({"p50": 12.0, "p90": 12.0}, None)
    assert told["message"] == "the finish is unknown: 0 batches in the last hour do not tell the capacity"


def test_work_that_the_deadline_overtakes_is_warned_of(api: ApiTenant, recipe: Recipe) -> None:
    """320 images are 40 batches, and the hour delivered 30 of them in a minute: 80 s."""
    measured(api, recipe, 30)
    in_a_minute = (datetime.now(UTC) + timedelta(seconds=60)).isoformat(timespec="seconds")
    (warning,) = [
        one for one in check(api, deadline=in_a_minute, variants=16)["warnings"] if one["code"] == "deadline_infeasible"
    ]
    assert "of 320 images can be made by the deadline" in warning["message"]
    tomorrow = (datetime.now(UTC) + timedelta(days=2)).isoformat(timespec="seconds")
    assert "deadline_infeasible" not in {one["code"] for one in check(api, deadline=tomorrow, variants=16)["warnings"]}


def test_one_prompt_is_checked_as_a_campaign_is(api: ApiTenant, recipe: Recipe) -> None:
    caller, before = api.caller(), api.stored()
    reply = caller.post("/v1/requests", json={"prompt": "a red car", "variants": 3, "dry_run": True})
    assert (reply.status_code, reply.json()["items"], reply.json()["forecast"]["unknown_images"]) == (200, 3, 3)
    assert api.stored() == before

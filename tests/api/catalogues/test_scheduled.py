"""Catalogues that run by themselves: what changed is made, what looks like a mistake asks a person."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from api.catalogues.scheduled import carry_out
from tests.support.catalogues import ROWS, SPEC, Catalogue, feed
from tests.support.client import ApiTenant, problem
from tests.support.line import eventually
from tests.support.receiver import Receiver, receiving
from workers.jobs.catalogue import ticks

NIGHTLY = {"cron": "30 4 * * *", "zone": "Europe/Berlin"}


@pytest.fixture
def shop() -> Iterator[Receiver]:
    with receiving() as server:
        server.body = feed(ROWS).encode()
        yield server


@pytest.fixture
def nightly(api: ApiTenant, shop: Receiver) -> Catalogue:
    """A catalogue whose first run is made, and that runs by itself."""
    spec = {**SPEC, "source": {"url": shop.url}, "schedule": NIGHTLY, "limits": {"changed_percent": 40}}
    chairs = Catalogue(api, spec, {"webhook_loopback": True})
    chairs.make(chairs.applied(chairs.plan(None))["request_id"])
    assert chairs.start().status_code == 200
    return chairs


def test_a_scheduled_run_makes_what_changed_and_nothing_where_nothing_did(nightly: Catalogue, shop: Receiver) -> None:
    assert nightly.tick()["outcome"] == "nothing"
    before = nightly.live()
    shop.body = feed([row.replace("red", "blue") for row in ROWS[:2]] + ROWS[2:]).encode()
    tick = nightly.tick()
    assert (tick["outcome"], tick["run"], tick["reason"]) == ("applied", 2, "")
    (request,) = {item.request_id for item in nightly.api.items() if item.state == "pending"}
    nightly.make(request)
    assert {key for key, asset in nightly.live().items() if before[key] != asset} == {"c-01", "c-02"}
    assert nightly.tick()["outcome"] == "nothing"
    told = [event.event["outcome"] for event in nightly.api.events("catalogue.ticked")]
    assert told == ["nothing", "applied", "nothing"]


def test_a_run_asks_where_a_safeguard_does_and_goes_on_once_the_feed_is_mended(
    nightly: Catalogue, shop: Receiver
) -> None:
    good = shop.body
    shop.body = feed([row.replace("red", "blue") for row in ROWS]).encode()
    tick = nightly.tick()
    assert (tick["outcome"], tick["reason"], tick["run"]) == ("asked", "safeguards", None)
    assert nightly.client.get(nightly.url).json()["paused_for"] == "safeguards"
    shop.body = good
    assert nightly.tick()["outcome"] == "nothing"
    assert nightly.client.get(nightly.url).json()["paused_for"] is None
    shop.body = feed([row.replace("red", "blue") for row in ROWS]).encode()
    assert nightly.start(schedule={**NIGHTLY, "apply": "always"}).status_code == 200
    assert nightly.tick()["outcome"] == "applied"


def test_what_runs_is_the_file_that_a_person_started_or_applied(nightly: Catalogue, shop: Receiver) -> None:
    shop.body = feed([*ROWS, "s-01,stool,red,1"]).encode()
    other = {"make": {"template": "one {colour} {title}"}, "limits": {"changed_percent": 100}}
    plan = nightly.plan(None, **other)
    tick = nightly.tick()
    assert (tick["outcome"], tick["reason"]) == ("asked", "new_file")
    nightly.make(nightly.applied(nightly.plan(None, **other))["request_id"])
    assert plan["version"] == nightly.client.get(f"{nightly.url}/schedule").json()["version"] == 2
    shop.body = feed([*ROWS, "s-01,stool,blue,1"]).encode()
    assert nightly.tick()["outcome"] == "applied"


def test_a_file_that_a_machine_applied_does_not_run_in_the_name_of_a_person(nightly: Catalogue, shop: Receiver) -> None:
    shop.body = feed([*ROWS, "s-01,stool,red,1"]).encode()
    other = {"make": {"template": "one {colour} {title}"}, "limits": {"changed_percent": 100}}
    service = nightly.api.server.key(nightly.api.tenant)[1]
    nightly.client.headers["Authorization"] = f"Bearer {service}"
    nightly.make(nightly.applied(nightly.plan(None, **other))["request_id"])
    shop.body = feed([*ROWS, "s-01,stool,blue,1"]).encode()
    tick = nightly.tick()
    assert (tick["outcome"], tick["reason"]) == ("asked", "new_file")


@pytest.mark.parametrize(
    ("before", "ending"),
    [
        ("update api_keys set revoked_at = now() where tenant = %s", ("refused", "key_revoked")),
        ("update catalogues set paused_for = 'rollback' where tenant = %s", ("asked", "paused")),
        (
            'update catalogue_schedules set timetable = timetable || \'{"apply": "never"}\' where tenant = %s',
            ("asked", "never"),
        ),
    ],
)
def test_nothing_is_applied_in_the_name_of_nobody_nor_against_a_person(
    nightly: Catalogue, shop: Receiver, before: str, ending: tuple[str, str]
) -> None:
    shop.body = feed([*ROWS, "s-01,stool,red,1"]).encode()
    with nightly.api.server.line.owner.begin() as conn:
        conn.exec_driver_sql(before, (nightly.api.tenant,))
    key = nightly.api.server.key(nightly.api.tenant, person="Bob")[1]
    nightly.client.headers["Authorization"] = f"Bearer {key}"
    tick = nightly.tick()
    assert (tick["outcome"], tick["reason"]) == ending
    assert not [item for item in nightly.api.items() if item.state == "pending"]


def test_a_feed_that_is_away_fails_the_run_and_the_next_goes_on(nightly: Catalogue, shop: Receiver) -> None:
    shop.status = 500
    tick = nightly.tick()
    assert (tick["outcome"], tick["reason"]) == ("failed", "fetch_status")
    shop.status, shop.body = 200, b"<html>maintenance</html>"
    assert nightly.tick()["outcome"] == "failed"
    shop.headers = {"Content-Length": "99999"}  # it was written anew while it was sent, and ends too early
    assert nightly.tick()["reason"] == "fetch_connection"
    shop.headers, shop.body = {}, feed([*ROWS, "s-01,stool,red,1"]).encode()
    assert nightly.tick()["outcome"] == "applied"


def test_two_processes_carry_a_tick_out_once(nightly: Catalogue, shop: Receiver) -> None:
    shop.body = feed([*ROWS, "s-01,stool,red,1"]).encode()
    parts = nightly.api.server.app(**nightly.settings).state.parts
    (tick,) = nightly.begin()
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda _: carry_out(parts, tick), range(3)))
    assert [event.event["outcome"] for event in nightly.api.events("catalogue.ticked")] == ["applied"]
    assert len(nightly.api.events("catalogue.applied")) == 2
    carry_out(parts, tick)
    with parts.engine.begin() as conn:
        assert tick not in ticks.waiting(conn)


def test_a_server_carries_out_what_the_clerk_began_and_nobody_else_asks_for(nightly: Catalogue, shop: Receiver) -> None:
    shop.body = feed([*ROWS, "s-01,stool,red,1"]).encode()
    nightly.begin()
    with nightly.api.server.served(webhook_loopback=True, rest_seconds=0.05):
        eventually(lambda: [e.event["outcome"] for e in nightly.api.events("catalogue.ticked")] == ["applied"])


def test_a_schedule_is_started_shown_and_stopped_by_its_tenant_alone(nightly: Catalogue, api: ApiTenant) -> None:
    shown = nightly.client.get(f"{nightly.url}/schedule").json()
    assert (shown["catalogue"], shown["version"], shown["timetable"], shown["ticks"]) == ("chairs", 1, NIGHTLY, [])
    assert nightly.start().json()["due_at"] == shown["due_at"]
    problem(nightly.start(schedule=None), 422, "invalid_body")
    problem(nightly.start(source={}), 422, "invalid_body")
    problem(nightly.start(name="tables"), 422, "invalid_body")
    problem(nightly.start(schedule={"cron": "* * * * *"}), 422, "invalid_body")
    problem(nightly.start(schedule={**NIGHTLY, "zone": "Mars/Phobos"}), 422, "invalid_body")
    service = api.caller(**nightly.settings)
    always = {**nightly.spec, "schedule": {**NIGHTLY, "apply": "always"}}
    problem(service.put(f"{nightly.url}/schedule", json=always), 403, "person_required")
    other = api.server.caller("somebody-else", **nightly.settings)
    problem(other.get(f"{nightly.url}/schedule"), 404, "not_found")
    problem(other.delete(f"{nightly.url}/schedule"), 404, "not_found")
    assert nightly.client.delete(f"{nightly.url}/schedule").status_code == 204
    problem(nightly.client.get(f"{nightly.url}/schedule"), 404, "not_found")
    problem(nightly.client.delete(f"{nightly.url}/schedule"), 404, "not_found")

"""Deaths of a process anywhere in a scheduled run: at each statement of a tick and a flip, at many of plan and apply.

An error in the middle leaves what a kill leaves: what was committed, and no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Engine, event

from api.catalogues.scheduled import carry_out
from tests.support.catalogues import ROWS, SPEC, Catalogue, feed
from tests.support.client import ApiTenant
from tests.support.receiver import receiving
from workers.jobs.catalogue import flips, ticks


class Killed(Exception):
    """The process is gone."""


@contextmanager
def dying(engine: Engine, at: int) -> Iterator[None]:
    """Dies before its statement of this number."""
    seen = count(1)

    def die(*_: Any) -> None:
        if next(seen) == at:
            raise Killed

    event.listen(engine, "before_cursor_execute", die)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", die)


def deaths(engine: Engine, act: Callable[[], object], *, step: int = 1, later: Callable[[], object] = int) -> int:
    """Does it again and again, and dies each time a little later, until it comes to its end. How often it died."""
    for died in count():
        try:
            with dying(engine, 1 + died * step):
                act()
        except Killed:
            later()
            continue
        return died
    raise AssertionError("it came to no end")


@pytest.fixture
def nightly(api: ApiTenant) -> Iterator[Catalogue]:
    with receiving() as shop:
        shop.body = feed(ROWS[:3]).encode()
        schedule = {"cron": "30 4 * * *"}
        chairs = Catalogue(api, {**SPEC, "source": {"url": shop.url}, "schedule": schedule}, {"webhook_loopback": True})
        assert chairs.start().status_code == 200
        yield chairs


def test_whoever_dies_wherever_a_scheduled_run_is_made_once_and_is_live_once(nightly: Catalogue) -> None:
    server = nightly.api.server
    clerk, api = server.database.engine("clerk"), server.app(**nightly.settings).state.parts.engine
    due = datetime.fromisoformat(nightly.client.get(f"{nightly.url}/schedule").json()["begin_at"])
    with server.line.owner.begin() as conn:  # of other tests
        conn.exec_driver_sql("delete from catalogue_schedules where tenant <> %s", (nightly.api.tenant,))

    def begin() -> None:
        with clerk.begin() as conn:
            ticks.begin_next(conn, due)

    def flip() -> None:
        with clerk.begin() as conn:
            while (run := flips.next_due(conn)) is not None:
                flips.settle(conn, run)

    assert deaths(clerk, begin) > 5
    with api.begin() as conn:
        (tick,) = [one for one in ticks.waiting(conn) if one.tenant == nightly.api.tenant]

    def leases_run_out() -> None:
        with server.line.owner.begin() as conn:
            conn.exec_driver_sql(
                "update catalogue_plans set lease_until = null, attempt = 0 where id = %s", (tick.plan_id,)
            )
            conn.exec_driver_sql("update catalogue_ticks set lease_until = null where plan_id = %s", (tick.plan_id,))

    parts = server.app(**nightly.settings).state.parts
    assert deaths(api, lambda: carry_out(parts, tick), step=5, later=leases_run_out) > 5
    assert [one.event["outcome"] for one in nightly.api.events("catalogue.ticked")] == ["applied"]
    (applied,) = [one.event for one in nightly.api.events("catalogue.applied")]
    assert len(nightly.api.items()) == applied["slots"] == 3
    with server.line.owner.begin() as conn:
        conn.exec_driver_sql("update requests set phase = 'running' where id = %s", (applied["request_id"],))
    nightly.settle(applied["request_id"])
    assert deaths(clerk, flip) > 5
    assert sorted(nightly.live()) == ["c-01", "c-02", "c-03"]
    assert [one.event["slots"] for one in nightly.api.events("catalogue.flipped")] == [3]
    assert len(nightly.api.events("catalogue.finished")) == 1

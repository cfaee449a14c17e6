"""Ticks of schedules: every due time once, whoever dies, however many look, whatever the clock does."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from tests.support.line import KEY_ID, Line
from workers.jobs.catalogue import catalogues, schedules, ticks
from workers.jobs.catalogue.tables import catalogue_schedules, catalogue_ticks
from workers.jobs.catalogue.timetable import Timetable
from workers.jobs.keys import create_tenant

START = datetime(2026, 10, 5, tzinfo=UTC)


class Schedules:
    """Catalogues that run by themselves, on a clock of the test."""

    def __init__(self, line: Line) -> None:
        self.line, self.clerk = line, line.database.engine("clerk")

    def add(self, name: str, tenant: str = "acme", **timetable: Any) -> str:
        with self.line.owner.begin() as conn:
            create_tenant(conn, tenant, name=tenant, actor="test")
            spec = {"name": name, "make": {"template": "x"}, "schedule": timetable}
            catalogue = catalogues.put(conn, tenant, spec, key_id=KEY_ID)
            schedules.start(conn, catalogue, key_id=KEY_ID)
            due = Timetable.of(timetable).due_after(START)
            begin = Timetable.of(timetable).begins(due, catalogue.id)
            mine = catalogue_schedules.c.catalogue_id == catalogue.id
            conn.execute(update(catalogue_schedules).where(mine).values(due_at=due, begin_at=begin))
        return str(catalogue.id)

    def look(self, now: datetime, *, dies: bool = False) -> int:
        """The duty at a moment; `dies` once, before its first commit."""
        done = 0
        while True:
            with self.clerk.connect() as conn:
                if not ticks.begin_next(conn, now):
                    return done
                if dies:
                    conn.rollback()
                    dies = False
                    continue
                conn.commit()
            done += 1

    def end_all(self) -> None:
        """Every plan is over, and every tick has ended, as an API process does it."""
        with self.line.owner.begin() as conn:
            conn.exec_driver_sql("update catalogue_plans set state = 'failed', errors = '[]' where state = 'planning'")
            conn.exec_driver_sql(
                "update catalogue_ticks set state = 'ended', outcome = 'failed', ended_at = now() where state = 'begun'"
            )

    def rows(self) -> list[Any]:
        with self.line.auditor.connect() as conn:
            return list(conn.execute(select(catalogue_ticks).order_by(catalogue_ticks.c.due_at)))


@pytest.fixture
def clock(line: Line) -> Schedules:
    return Schedules(line)


def test_fifty_catalogues_of_a_month_with_restarts_run_every_due_time_once(clock: Schedules) -> None:
    tables: dict[str, Timetable] = {}
    for number in range(50):
        days = "*" if number % 10 == 0 else ("MON", "THU", "SUN")[number % 3]
        said = {"cron": f"{number} {number % 24} * * {days}", "zone": "Europe/Berlin", "jitter_minutes": 20}
        tables[clock.add(f"goods-{number}", f"tenant-{number % 8}", **said)] = Timetable.of(said)
    end = START + timedelta(days=31)
    wanted = Counter[tuple[str, datetime]]()
    for id, table in tables.items():
        due = START
        while (due := table.due_after(due)) and table.begins(due, id) <= end:
            wanted[id, due] += 1
    now = START
    while now < end:
        now += timedelta(hours=4)
        clock.look(now, dies=now.hour == 8)
        clock.end_all()
    rows = clock.rows()
    assert Counter((row.catalogue_id, row.due_at) for row in rows) == wanted
    assert {(row.missed, row.plan_id is None) for row in rows} == {(0, False)}


def test_two_clerks_at_once_begin_a_due_time_once(clock: Schedules) -> None:
    for number in range(6):
        clock.add(f"goods-{number}", cron="0 6 * * *")
    with ThreadPoolExecutor(4) as threads:
        done = list(threads.map(clock.look, [START + timedelta(hours=7)] * 4))
    assert sum(done) == len(clock.rows()) == 6


def test_of_what_was_missed_the_last_is_caught_up_and_a_clock_that_goes_back_begins_nothing(clock: Schedules) -> None:
    clock.add("goods", cron="0 6 * * *")
    assert clock.look(START + timedelta(days=3, hours=7)) == 1
    (row,) = clock.rows()
    assert (row.due_at, row.missed, row.state) == (START + timedelta(days=3, hours=6), 3, "begun")
    clock.end_all()
    assert clock.look(START + timedelta(days=1)) == 0
    assert clock.look(START + timedelta(days=3, hours=7)) == 0
    assert clock.look(START + timedelta(days=40_000)) == 1
    assert clock.look(START + timedelta(days=40_000)) == 0


def test_a_run_that_is_not_over_lets_the_next_be_skipped_and_told(clock: Schedules) -> None:
    clock.add("goods", cron="0 * * * *")
    assert clock.look(START + timedelta(hours=1)) == 1
    assert clock.look(START + timedelta(hours=2)) == 1
    first, second = clock.rows()
    assert (first.state, second.outcome, second.reason) == ("begun", "overlapped", "tick")
    (told,) = clock.line.events("catalogue.ticked")
    assert (told.event["outcome"], told.event["reason"]) == ("overlapped", "tick")
    clock.end_all()
    assert clock.look(START + timedelta(hours=3)) == 1
    assert clock.rows()[-1].state == "begun"


def test_a_tenant_with_as_many_plans_as_it_may_have_waits_and_misses_nothing(clock: Schedules) -> None:
    for number in range(12):
        clock.add(f"goods-{number}", cron="0 6 * * *")
    clock.add("another", "other", cron="0 6 * * *")
    now = START + timedelta(hours=7)
    clock.look(now)
    assert len(clock.rows()) == 11
    clock.end_all()
    clock.look(now + timedelta(seconds=31))
    rows = clock.rows()
    assert (len(rows), {row.missed for row in rows}, {row.due_at for row in rows}) == (
        13,
        {0},
        {START + timedelta(hours=6)},
    )

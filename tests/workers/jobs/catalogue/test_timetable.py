"""Times of schedules: as cron has them, in their zone, also where a clock is put forward or back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from workers.jobs.catalogue.timetable import Timetable, cron_error, is_zone

pytestmark = pytest.mark.pure


def times(table: Timetable, after: str, count: int) -> list[str]:
    moment, found = datetime.fromisoformat(after), list[str]()
    for _ in range(count):
        moment = table.due_after(moment)
        found.append(f"{moment:%m-%d %H:%M}")
    return found


@pytest.mark.parametrize(
    ("cron", "after", "due"),
    [
        # 29 March 2026: from 02:00 to 03:00 there is no time; the run is due at the first minute that there is.
        ("30 2 * * *", "2026-03-28T00:00Z", ["03-28 01:30", "03-29 01:00", "03-30 00:30"]),
        # 25 October 2026: 02:30 happens twice; the run is due once.
        ("30 2 * * *", "2026-10-24T12:00Z", ["10-25 00:30", "10-26 01:30"]),
        # Every hour goes on by the hour.
        ("0 * * * *", "2026-10-24T23:30Z", ["10-25 00:00", "10-25 01:00", "10-25 02:00"]),
        ("0 * * * *", "2026-03-29T00:30Z", ["03-29 01:00", "03-29 02:00"]),
    ],
)
def test_a_switch_of_the_clock_leaves_no_run_out_and_makes_none_twice(cron: str, after: str, due: list[str]) -> None:
    assert times(Timetable(cron, "Europe/Berlin"), after, len(due)) == due


def test_a_year_of_a_daily_schedule_has_a_run_on_each_day_of_its_zone() -> None:
    for zone in ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"):
        table, moment = Timetable("15 2 * * *", zone), datetime(2026, 1, 1, tzinfo=UTC)
        due = [moment := table.due_after(moment) for _ in range(365)]
        gaps = [later - sooner for sooner, later in pairwise(due)]
        assert timedelta(hours=23) <= min(gaps) <= max(gaps) <= timedelta(hours=25)


def test_of_several_missed_times_the_last_is_named_and_the_others_are_counted() -> None:
    table = Timetable("0 6 * * *")
    due = table.due_after(datetime(2026, 5, 1, tzinfo=UTC))
    assert table.last_due(due, datetime(2026, 5, 4, 5, 59, tzinfo=UTC)) == (datetime(2026, 5, 3, 6, tzinfo=UTC), 2)
    assert table.last_due(due, due) == (due, 0)


def test_a_jitter_is_the_same_everywhere_and_within_its_limit() -> None:
    table, due = Timetable("0 6 * * *", jitter_minutes=30), datetime(2026, 5, 1, 6, tzinfo=UTC)
    begins = {table.begins(due, f"catalogue {number}") for number in range(50)}
    assert all(due <= begin < due + timedelta(minutes=30) for begin in begins)
    assert len(begins) > 40
    assert table.begins(due, "one") == table.begins(due, "one")


@pytest.mark.parametrize(
    ("cron", "said"),
    [
        ("* * * * *", "more often"),
        ("0,10 4 * * *", "more often"),
        ("0 0 30 2 *", "day-of-month"),
        ("0 4 * *", "five fields"),
        ("0 0 4 * * *", "five fields"),
        ("@daily", "five fields"),
        ("61 4 * * *", "wrong minute"),
        ("0 4 * * ;", "wrong day-of-week"),
        ("0 4 * * 1/0", "wrong day-of-week"),
    ],
)
def test_what_is_no_schedule_is_told_with_the_reason(cron: str, said: str) -> None:
    assert said in cron_error(cron)


@pytest.mark.parametrize("cron", ["*/15 * * * *", "0 0 29 2 *", "30 4 1 * MON", "0 22 * * MON-FRI"])
def test_what_is_a_schedule(cron: str) -> None:
    assert cron_error(cron) == ""


def test_a_zone_is_a_name_of_the_iana_database_and_no_path() -> None:
    assert is_zone("Europe/Berlin")
    assert not any(map(is_zone, ("", "Berlin", "../../etc/passwd", "europe/berlin", "+02:00")))

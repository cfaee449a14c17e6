"""Loop: rounds, pauses, outages and stops, counted rather than timed."""

from __future__ import annotations

import threading

import pytest
import structlog
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from workers.errors import BrokerUnavailable, Conflict, StoreUnavailable
from workers.loop import LONGEST_OUTAGE_PAUSE_SECONDS, Every, Loop, run_all

AWAY = OperationalError("select 1", {}, ConnectionError("a row of somebody's"))


class Script:
    """What each round does: True, False, or an error to raise. Stops the loop after the last; remembers its pauses."""

    def __init__(self, *rounds: bool | Exception) -> None:
        self.rounds, self.taken, self.pauses, self.closed = list(rounds), 0, [], 0
        self.stop = threading.Event()

    def run_once(self) -> bool:
        self.taken += 1
        if self.taken >= len(self.rounds):
            self.stop.set()
        does = self.rounds[min(self.taken, len(self.rounds)) - 1]
        if isinstance(does, Exception):
            raise does
        return does

    def wait(self, seconds: float, _stop: threading.Event) -> None:
        self.pauses.append(seconds)

    def close(self) -> None:
        self.closed += 1

    def loop(self, **options) -> Loop:
        return Loop("script", self.run_once, pause_seconds=1.0, wait=self.wait, close=self.close, **options)

    def run(self, **options) -> Script:
        self.loop(**options).run(self.stop)
        return self


def test_a_round_that_left_more_is_followed_at_once_and_any_other_by_a_pause():
    script = Script(True, True, False, True, False).run()
    assert (script.taken, script.pauses, script.closed) == (5, [1.0, 1.0], 1)


def test_where_only_a_notify_can_bring_work_the_pause_is_a_rest():
    idle = iter([True, False])
    assert Script(False, False, False).run(rest_seconds=5.0, idle=lambda: next(idle, True)).pauses == [5, 1, 5]
    assert Script(False).run(rest_seconds=0.5, idle=lambda: True).pauses == [1], "a rest is no shorter than a pause"


def test_a_service_that_is_away_when_asked_whether_to_rest_ends_no_process():
    """The clerk ended in every outage of Postgres: it asked whether messages wait outside of its round."""
    answers: list[bool | Exception] = [AWAY, True]

    def idle() -> bool:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with capture_logs() as lines:
        script = Script(False, False).run(rest_seconds=5.0, idle=idle)
    assert [line["event"] for line in lines] == ["round_failed", "round_recovered"]
    assert script.pauses == [2.0, 5.0]


def test_what_is_away_is_asked_again_after_pauses_that_double_to_a_bound():
    outage = [AWAY, StoreUnavailable("no"), BrokerUnavailable("no"), AWAY, AWAY]
    script = Script(*outage, True, AWAY, False).run()
    assert script.pauses == [2.0, 4.0, 5.0, 5.0, 5.0, 2.0, 1.0]
    assert max(script.pauses) == LONGEST_OUTAGE_PAUSE_SECONDS


def test_an_outage_of_days_has_the_same_pauses():
    """Doubling a count of failures overflows after some hours of them."""
    script = Script(*[AWAY] * 3_000, False).run()
    assert set(script.pauses[3:-1]) == {LONGEST_OUTAGE_PAUSE_SECONDS}


def test_a_loop_that_is_slower_than_the_bound_keeps_its_own_pause():
    script = Script(AWAY, AWAY, False)
    Loop("slow", script.run_once, pause_seconds=60.0, wait=script.wait).run(script.stop)
    assert script.pauses == [60.0, 60.0, 60.0]


def test_an_outage_and_its_end_are_logged_without_what_the_database_quotes():
    with capture_logs() as lines:
        Script(AWAY, AWAY, False, False).run()
    assert [line["event"] for line in lines] == ["round_failed", "round_failed", "round_recovered"]
    assert {line["loop"] for line in lines} == {"script"}
    assert lines[0]["error"] == "ConnectionError"
    assert lines[-1]["failures"] == 2
    assert "somebody" not in str(lines)


def test_an_error_that_no_outage_explains_ends_the_loop_and_closes_it():
    script = Script(False, Conflict("a bug"), False)
    with pytest.raises(Conflict):
        script.run()
    assert (script.taken, script.closed) == (2, 1)


def test_after_the_stop_a_last_round_is_taken_where_it_is_asked_for():
    assert Script(False).run(last_round=True).taken == 2
    assert Script(False).run().taken == 1
    stopped = Script(False)
    stopped.stop.set()
    assert stopped.run(last_round=True).taken == 1


def test_a_last_round_that_finds_the_database_away_ends_quietly():
    script = Script(False, AWAY)
    script.stop.set()
    assert script.run(last_round=True).closed == 1


def test_every_is_due_again_only_after_its_seconds_and_at_once_after_a_failure():
    calls = []

    def act() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise StoreUnavailable("no")

    due = Every(3_600, act)
    with pytest.raises(StoreUnavailable):
        due()
    due()
    due()
    assert len(calls) == 2


def test_one_thread_that_dies_ends_the_others_and_the_process_hears_why():
    """A clerk whose duties had died went on delivering messages, and nobody saw that no recall was carried out."""
    stop, idle = threading.Event(), Script(Conflict("a bug"))
    other = Loop("other", lambda: False, pause_seconds=3_600)
    with pytest.raises(Conflict, match="a bug"):
        run_all([other, Loop("broken", idle.run_once, pause_seconds=1.0)], stop)
    assert stop.is_set()


def test_every_thread_logs_under_the_name_of_its_process():
    stop, named = threading.Event(), []

    def run_once() -> bool:
        named.append(structlog.contextvars.get_contextvars()["process"])
        stop.set()
        return False

    with structlog.contextvars.bound_contextvars(process="clerk"):
        run_all([Loop(name, run_once, pause_seconds=1.0) for name in ("duties", "webhooks")], stop)
    assert set(named) == {"clerk"}

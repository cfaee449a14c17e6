"""Loop of a process: one round after another until it is asked to stop, with one answer to a service that is away.

    round   what the process does once; True if more waits, so that the next round follows at once
    pause   after any other round: `pause_seconds`, or until `wait` returns earlier
    rest    a longer pause, where `idle` says that only a NOTIFY can bring work: this look is for one that was lost
    outage  a database or a service that is away ends the round and nothing else: it is logged, and the round is tried
            again after a pause that doubles up to LONGEST_OUTAGE_PAUSE_SECONDS
    stop    the round under way ends first; `last_round` asks for one more

A wakeup ends a pause at a NOTIFY, on a connection of its own, and is a plain timer without one. A NOTIFY only saves
time: what happened is in the tables, where the next round looks anyway. A notification that is lost, or a connection
that is cut, delays work by one pause and loses none.

Any other error ends the process, and its supervisor starts a new one. Killed anywhere: a round is made of transactions,
so the next process's first round finds what this one left.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextvars import copy_context

import psycopg
import structlog
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from workers.errors import Transient
from workers.settings import Settings

log = structlog.get_logger()
_LOOK_AT_STOP_SECONDS = 1.0  # a signal does not interrupt select()
LONGEST_OUTAGE_PAUSE_SECONDS = 5.0  # so that work goes on within seconds of the end of an outage

Wait = Callable[[float, threading.Event], object]


def _wait(seconds: float, stop: threading.Event) -> None:
    stop.wait(seconds)


class Loop:
    """The rounds of one process, or of one thread of it. Owned by the thread that runs it."""

    def __init__(
        self,
        name: str,
        run_once: Callable[[], bool],
        *,
        pause_seconds: float,
        wait: Wait = _wait,
        rest_seconds: float = 0.0,
        idle: Callable[[], bool] = lambda: False,
        last_round: bool = False,
        close: Callable[[], object] | None = None,
    ) -> None:
        self.name = name  # in logs
        self._run_once, self._pause_seconds, self._wait = run_once, pause_seconds, wait
        self._rest_seconds, self._idle = max(rest_seconds, pause_seconds), idle
        self._last_round, self._close = last_round, close
        self._failures = 0  # rounds in a row that an outage ended
        self._outage_pause = pause_seconds

    def run(self, stop: threading.Event) -> None:
        """Take rounds until `stop` is set, then close. Raises what no outage explains."""
        try:
            while not stop.is_set():
                pause = self._run_round()
                if pause:
                    self._wait(pause, stop)
            if self._last_round:
                self._run_round()
        finally:
            if self._close:
                self._close()

    def _run_round(self) -> float:
        """Seconds until the next one."""
        try:
            if self._run_once():
                pause = 0.0
            elif self._idle():
                pause = self._rest_seconds
            else:
                pause = self._pause_seconds
        except (SQLAlchemyError, Transient) as error:
            self._failures += 1
            self._outage_pause = max(self._pause_seconds, min(2 * self._outage_pause, LONGEST_OUTAGE_PAUSE_SECONDS))
            log.warning("round_failed", loop=self.name, error=_kind(error), retry_seconds=self._outage_pause)
            return self._outage_pause
        if self._failures:
            log.info("round_recovered", loop=self.name, failures=self._failures)
            self._failures, self._outage_pause = 0, self._pause_seconds
        return pause


class Wakeup:
    """Owned by the loop's thread."""

    def __init__(self, settings: Settings, channel: str) -> None:
        self._channel = channel
        self._url = settings.database_url.get_secret_value().replace("postgresql+psycopg://", "postgresql://")
        self._conn: psycopg.Connection | None = None

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Returns after `seconds`, at the first NOTIFY, or soon after `stop`."""
        try:
            if self._conn is None:
                self._conn = psycopg.connect(self._url, autocommit=True, connect_timeout=2)
                self._conn.execute(f"LISTEN {self._channel}")
                return  # something may have happened before we listened: look once more
            self._listen(self._conn, time.monotonic() + seconds, stop)
        except (psycopg.Error, OSError, ValueError):
            self.close()
            stop.wait(seconds)

    def close(self) -> None:
        """Stop listening. The next `wait` connects again."""
        if self._conn is not None:
            self._conn.close()
            self._conn = None

    def _listen(self, conn: psycopg.Connection, until: float, stop: threading.Event) -> None:
        while not stop.is_set() and (left := until - time.monotonic()) > 0:
            readable, _, _ = select.select([conn], [], [], min(left, _LOOK_AT_STOP_SECONDS))
            if readable:
                for _ in conn.notifies(timeout=0):
                    pass  # several at once are one reason to look
                return


class Every:
    """Does something at most once in so many seconds. What fails is due again at the next call."""

    def __init__(self, seconds: float, act: Callable[[], object]) -> None:
        self._seconds, self._act = seconds, act
        self._due_at = 0.0  # monotonic

    def __call__(self) -> None:
        if time.monotonic() >= self._due_at:
            self._act()
            self._due_at = time.monotonic() + self._seconds


def run_all(loops: Sequence[Loop], stop: threading.Event) -> None:
    """Run every loop in a thread of its own until `stop`. The first that ends stops the others; its error is raised.

    So a process never goes on with one of its threads dead: it ends, and its supervisor starts a new one.
    """
    with ThreadPoolExecutor(len(loops)) as threads:
        running = [threads.submit(copy_context().run, loop.run, stop) for loop in loops]
        wait_for(running, return_when=FIRST_COMPLETED)
        stop.set()
    for ended in running:
        ended.result()


def _kind(error: Exception) -> str:
    """The class alone: the text of a database error may quote rows."""
    return type(error.orig if isinstance(error, DBAPIError) else error).__name__

"""Wakeup of a process: waits for a NOTIFY on a connection of its own, and is a plain timer without one.

A NOTIFY only saves time. What happened is in the tables, and the process looks there every `poll_seconds` anyway: a
notification that is lost, or a connection that is cut, delays work by one poll and loses none.
"""

from __future__ import annotations

import select
import threading
import time

import psycopg

from workers.settings import Settings

_LOOK_AT_STOP_SECONDS = 1.0  # a signal does not interrupt select()


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

"""Feed of live events: one thread follows the log for all listeners of the process, and keeps the newest in memory.

A listener holds a number, neither a queue nor a thread: it takes what lies behind its number from memory, and what has
left memory from Postgres. So one that stops reading costs nothing, and one that comes back finds everything. Memory is
bounded by _KEPT events. The thread looks while somebody listens; the next listener starts another. A database that is
away ends nothing: listeners wait for the look that succeeds.
"""

from __future__ import annotations

import asyncio
import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import islice
from operator import attrgetter

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from policy.ledger.reading.sealed import SealedEvent, newest, sealed_after

log = structlog.get_logger()
KINDS = frozenset(
    {
        *("request.accepted", "request.paused", "request.resumed", "request.changed", "request.cancelled"),
        *("request.expired", "request.finished", "item.released", "item.held", "item.refused", "item.failed"),
        *("item.reused", "item.retried", "item.recalled", "pilot.ready", "pilot.accepted", "pilot.rejected"),
        *("item.cancelled", "item.reviewed", "asset.recalled", "batchjob.created", "batchjob.started"),
        *("batchjob.failed", "batchjob.cancelled"),
    }
)
_LOOK_SECONDS = 0.25  # between two looks at the log
_AWAY_SECONDS = 2.0  # the pause after a look that the database did not answer
_KEPT = 20_000  # events in memory
_NOTHING_KEPT = 2**62  # behind every number: Postgres is asked

Connect = Callable[[], AbstractContextManager[Connection]]


class Feed:
    """Of one process. Thread-safe."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._kept: deque[SealedEvent] = deque(maxlen=_KEPT)
        self._first = self._head = _NOTHING_KEPT  # memory holds every event behind `first`, up to `head`
        self._listeners: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()

    @property
    def is_closed(self) -> bool:
        """Whether the process stops: a stream ends, and its listener goes on at another process."""
        return self._closed.is_set()

    @contextmanager
    def listening(self) -> Iterator[asyncio.Event]:
        """Set whenever there may be something new, to the end of the block. Belongs to the running loop."""
        told = asyncio.Event()
        with self._lock:
            self._listeners[told] = asyncio.get_running_loop()
            if self._thread is None and not self._closed.is_set():
                self._thread = threading.Thread(target=self._follow, name="live-events", daemon=True)
                self._thread.start()
        try:
            yield told
        finally:
            with self._lock:
                del self._listeners[told]

    def head(self) -> int:
        """The number of the newest sealed event, from Postgres."""
        with self._connect() as conn:
            return newest(conn)

    def remembered(self, after: int) -> tuple[list[SealedEvent], int] | None:
        """Events behind a number and the number up to which there are no others; None where memory begins later."""
        with self._lock:
            if after < self._first:
                return None
            begin = bisect_right(self._kept, after, key=attrgetter("number"))
            return list(islice(self._kept, begin, None)), max(after, self._head)

    def stored(self, after: int, tenant: str) -> tuple[list[SealedEvent], int]:
        """The same of one tenant from Postgres, for one window of the log."""
        with self._connect() as conn:
            return sealed_after(conn, after, kinds=KINDS, tenant=tenant)

    def close(self) -> None:
        """Every listener is woken and ends."""
        self._closed.set()
        self._tell()

    def _follow(self) -> None:
        """The one thread. It ends when nobody listens, and forgets what it kept: a gap would follow."""
        pause = 0.0
        begun = False
        while not self._closed.wait(pause):
            with self._lock:
                if not self._listeners:
                    self._thread = None
                    self._kept.clear()
                    self._first = self._head = _NOTHING_KEPT
                    return
            try:
                begun = self._look(begun=begun)
                pause = _LOOK_SECONDS
            except SQLAlchemyError as error:
                log.warning("live_look_failed", error=type(error).__name__)
                pause = _AWAY_SECONDS

    def _look(self, *, begun: bool) -> bool:
        with self._connect() as conn:
            if not begun:
                head = newest(conn)
                with self._lock:
                    self._first = self._head = head
            found, end = sealed_after(conn, self._head, kinds=KINDS)
        with self._lock:
            for event in found:
                if len(self._kept) == _KEPT:
                    self._first = self._kept[0].number
                self._kept.append(event)
            is_new, self._head = end > self._head, end
        if is_new or not begun:
            self._tell()
        return True

    def _tell(self) -> None:
        with self._lock:
            listeners = list(self._listeners.items())
        for told, loop in listeners:
            if not loop.is_closed():
                loop.call_soon_threadsafe(told.set)

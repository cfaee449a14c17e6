"""Turns of requests: how many of one caller and of all callers run at once, and a fair queue for the others.

Work that runs holds a thread, and often a database connection. All turns together are fewer than the connections, so
that no number of callers takes the last one from authentication and probes. One caller gets a few turns. A turn that
ends goes to the caller who has the fewest; among equals, to the request that has waited longest. A request that waits
holds neither thread nor connection. The queue of a caller is bounded in length and in time, and it is first come,
first served. Nothing is stored: a process that dies takes its queues along.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count

from api.edge.problems import Problem

POOL_THREADS = 40  # of one API process; each runs one request
TURNS = 4  # of one caller that run at once: a tenth of the threads, and under half of the database connections
RESERVED = 2  # database connections for what takes no turn: authentication, replies that wait, probes
QUEUE = 200  # requests of one caller that wait for a turn
WAIT_SECONDS = 15.0


@dataclass(frozen=True, slots=True, eq=False)
class _Turn:
    """A request that waits: the how manieth, and its place in `loop`, to which `given` belongs."""

    number: int
    loop: asyncio.AbstractEventLoop
    given: asyncio.Future[None]

    def give(self) -> bool:
        """Thread-safe. False where the loop is gone, and the request with it."""
        try:
            self.loop.call_soon_threadsafe(self._resolve)
        except RuntimeError:
            return False
        return True

    def _resolve(self) -> None:
        if not self.given.done():
            self.given.set_result(None)


class _Line:
    """One caller's requests. Used under the lock of Turns."""

    def __init__(self) -> None:
        self.running = 0
        self.waiting: deque[_Turn] = deque()


class Turns:
    """Of one process. Thread-safe. `caller` is a tenant, or the network of a caller without a key.

    `total` bounds what runs of all callers together; `gauge` is told how many more or fewer wait.
    """

    def __init__(
        self,
        *,
        total: int,
        gauge: Callable[[float], None],
        turns: int = TURNS,
        queue: int = QUEUE,
        seconds: float = WAIT_SECONDS,
    ) -> None:
        self._total, self._turns, self._queue, self._seconds = total, turns, queue, seconds
        self._gauge = gauge
        self._lock = threading.Lock()
        self._lines: dict[str, _Line] = {}
        self._running = 0
        self._numbers = count()

    @classmethod
    def within(cls, connections: int, gauge: Callable[[float], None]) -> Turns:
        """As many turns in all as a pool of so many database connections has beside the reserved ones; at least one."""
        return cls(total=max(1, connections - RESERVED), gauge=gauge)

    @asynccontextmanager
    async def take(self, caller: str) -> AsyncIterator[None]:
        """A turn to the end of the block. Raises Problem where the queue is full or the wait too long."""
        await self._enter(caller)
        try:
            yield
        finally:
            with self._lock:
                self._end(caller)

    def counts(self, caller: str) -> tuple[int, int]:
        """Requests of the caller that run, and those that wait."""
        with self._lock:
            line = self._lines.get(caller, _Line())
            return line.running, len(line.waiting)

    async def _enter(self, caller: str) -> None:
        with self._lock:
            line = self._lines.setdefault(caller, _Line())
            if line.running < self._turns and self._running < self._total:
                line.running += 1
                self._running += 1
                return
            if len(line.waiting) >= self._queue:
                raise self._full()
            loop = asyncio.get_running_loop()
            turn = _Turn(next(self._numbers), loop, loop.create_future())
            line.waiting.append(turn)
        self._gauge(1)
        try:
            async with asyncio.timeout(self._seconds):
                await turn.given
        except BaseException as error:
            with self._lock:
                if turn in line.waiting:
                    line.waiting.remove(turn)
                    self._forget(caller)
                else:
                    self._end(caller)  # the turn was given in the same moment
            if isinstance(error, TimeoutError):
                raise self._full() from error
            raise
        finally:
            self._gauge(-1)

    def _end(self, caller: str) -> None:
        """A turn of this caller is over and goes on to who waits. The lock is held."""
        self._lines[caller].running -= 1
        self._running -= 1
        while self._running < self._total and (name := self._next()) is not None:
            line = self._lines[name]
            if line.waiting.popleft().give():
                line.running += 1
                self._running += 1
            self._forget(name)
        self._forget(caller)

    def _next(self) -> str | None:
        """The caller whose turn it is: the one with the fewest, then the one who has waited longest."""
        may = [name for name, line in self._lines.items() if line.waiting and line.running < self._turns]
        return min(may, key=lambda name: (self._lines[name].running, self._lines[name].waiting[0].number), default=None)

    def _forget(self, caller: str) -> None:
        """Without requests, or every caller of a process's life would stay. The lock is held."""
        line = self._lines.get(caller)
        if line is not None and not line.running and not line.waiting:
            del self._lines[caller]

    def _full(self) -> Problem:
        return Problem(
            "too_many_running",
            f"An API process runs {self._turns} requests of a tenant at once, and {self._total} of all tenants; "
            f"{self._queue} more wait for at most {self._seconds:g} seconds. Send fewer at once, or try again in a "
            "moment.",
        )

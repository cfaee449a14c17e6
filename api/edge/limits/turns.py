"""Turns in the pool of threads: how many requests of one caller run at once, and a fair queue for the others.

Work that runs holds a thread, and often a database connection. One caller gets a few of each, so that the rest of the
pool serves everybody else. A request that waits for its turn holds neither. The queue of a caller is bounded in length
and in time, and it is first come, first served. Nothing is stored: a process that dies takes its queues along.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from api.edge.problems import Problem

POOL_THREADS = 40  # of one API process; each runs one request
TURNS = 4  # of one caller that run at once: a tenth of the threads, and under half of the database connections
QUEUE = 200  # requests of one caller that wait for a turn
WAIT_SECONDS = 15.0


@dataclass(frozen=True, slots=True, eq=False)
class _Turn:
    """A request that waits. `given` belongs to `loop`."""

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
    """Of one process. Thread-safe. `caller` is a tenant, or the network of a caller without a key."""

    def __init__(self, *, turns: int = TURNS, queue: int = QUEUE, seconds: float = WAIT_SECONDS) -> None:
        self._turns, self._queue, self._seconds = turns, queue, seconds
        self._lock = threading.Lock()
        self._lines: dict[str, _Line] = {}

    @asynccontextmanager
    async def take(self, caller: str) -> AsyncIterator[None]:
        """A turn to the end of the block. Raises Problem where the queue is full or the wait too long."""
        await self._enter(caller)
        try:
            yield
        finally:
            with self._lock:
                self._pass_on(caller)

    def counts(self, caller: str) -> tuple[int, int]:
        """Requests of the caller that run, and those that wait."""
        with self._lock:
            line = self._lines.get(caller, _Line())
            return line.running, len(line.waiting)

    async def _enter(self, caller: str) -> None:
        with self._lock:
            line = self._lines.setdefault(caller, _Line())
            if line.running < self._turns:
                line.running += 1
                return
            if len(line.waiting) >= self._queue:
                raise self._full()
            loop = asyncio.get_running_loop()
            turn = _Turn(loop, loop.create_future())
            line.waiting.append(turn)
        try:
            async with asyncio.timeout(self._seconds):
                await turn.given
        except BaseException as error:
            with self._lock:
                if turn in line.waiting:
                    line.waiting.remove(turn)
                else:
                    self._pass_on(caller)  # the turn was given in the same moment
            if isinstance(error, TimeoutError):
                raise self._full() from error
            raise

    def _pass_on(self, caller: str) -> None:
        """The turn goes to the first that waits. The lock is held."""
        line = self._lines[caller]
        while line.waiting:
            if line.waiting.popleft().give():
                return
        line.running -= 1
        if not line.running:
            del self._lines[caller]  # or every caller of a process's life would stay

    def _full(self) -> Problem:
        return Problem(
            "too_many_running",
            f"An API process runs {self._turns} requests of a tenant at once; {self._queue} more wait for at most "
            f"{self._seconds:g} seconds. Send fewer at once, or try again in a moment.",
        )

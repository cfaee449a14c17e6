"""Background work of the API process: what outlasts the call that asked for it, one piece at a time, tenants in turns.

The work must be repeatable: it is held in memory alone, and a process that dies forgets it. Whoever asks looks at the
row that says what is left, and offers the work again where nobody does it. So nothing is lost, and a queue that is full
may refuse.

One thread, which ends when nothing is left; the next piece starts another.
"""

from __future__ import annotations

import threading
import traceback
from collections import deque
from collections.abc import Callable

import structlog

log = structlog.get_logger()
_QUEUE = 100  # pieces of one tenant that wait

Work = Callable[[], None]


class Background:
    """Of one process. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queues: dict[str, deque[tuple[str, Work]]] = {}  # the tenant that comes next is the first
        self._known: set[str] = set()  # what waits or runs
        self._thread: threading.Thread | None = None
        self._closed = False

    def offer(self, tenant: str, name: str, work: Work) -> bool:
        """Whether the work is done later, or is about to be: a piece of the same name is not taken twice."""
        with self._lock:
            if name in self._known:
                return True
            queue = self._queues.setdefault(tenant, deque())
            if self._closed or len(queue) >= _QUEUE:
                return False
            queue.append((name, work))
            self._known.add(name)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="background", daemon=True)
                self._thread.start()
            return True

    def close(self) -> None:
        """What waits is forgotten, and what runs is waited for."""
        with self._lock:
            self._closed = True
            self._queues.clear()
            thread = self._thread
        if thread is not None:
            thread.join()

    @property
    def is_closed(self) -> bool:
        """Long work asks between its steps."""
        return self._closed

    def _run(self) -> None:
        while (piece := self._next()) is not None:
            name, work = piece
            try:
                work()
            except Exception as error:  # noqa: BLE001 - the next look at its row offers it again
                stack = "".join(traceback.format_tb(error.__traceback__))
                log.error("background_work_failed", error=type(error).__name__, stack=stack)
            finally:
                with self._lock:
                    self._known.discard(name)

    def _next(self) -> tuple[str, Work] | None:
        with self._lock:
            for tenant in list(self._queues):
                queue = self._queues.pop(tenant)
                if queue:
                    self._queues[tenant] = queue  # behind all others
                    return queue.popleft()
            self._thread = None
            return None

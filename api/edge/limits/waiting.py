"""Waiting room: replies that are held back until a row changes, bounded per tenant, with no thread for each.

A route that takes `wait=` lets its caller wait here. One background thread asks Postgres about all open waits, in one
short transaction per tenant (row-level security confines it to one), and lives only while a caller waits. Postgres is
asked rather than listened to, so nothing is missed when a connection breaks.

Places are bounded per tenant (api/edge/limits/places.py). A caller that hangs up frees its place. A database that is
away ends no wait; the read that follows reports it. Killed in the middle: the callers' connections break; nothing was
written.
"""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import structlog
from fastapi import Request
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from api.edge.limits.places import Places
from workers.metrics import HTTP_WAITS

log = structlog.get_logger()
_LOOK_SECONDS = 0.25  # between two looks at everything that is waited for
_AWAY_SECONDS = 2.0  # the pause after a look that the database did not answer

# Of these keys of the tenant, those with nothing left to wait for. A key that names nothing is among them.
Watch = Callable[[Connection, str, Sequence[str]], Collection[str]]


@dataclass(frozen=True, slots=True, eq=False)
class Wait:
    """One caller who waits. `over` belongs to `loop` and is resolved from the watching thread."""

    tenant: str
    watch: Watch
    key: str
    loop: asyncio.AbstractEventLoop
    over: asyncio.Future[None]

    def end(self) -> None:
        """Thread-safe. A loop that is gone took its callers with it."""
        try:
            self.loop.call_soon_threadsafe(self._resolve)
        except RuntimeError:
            return

    def _resolve(self) -> None:
        if not self.over.done():
            self.over.set_result(None)


class WaitingRoom:
    """Of one process. Thread-safe. `transaction` opens one that is confined to a tenant."""

    def __init__(
        self, transaction: Callable[[str], AbstractContextManager[Connection]], *, total: int, per_tenant: int
    ) -> None:
        self._transaction = transaction
        self._places = Places(
            total=total, per_tenant=per_tenant, code="too_many_waits", noun="replies that wait", gauge=HTTP_WAITS.inc
        )
        self._lock = threading.Lock()
        self._waits: set[Wait] = set()
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()

    async def wait(self, request: Request, tenant: str, watch: Watch, key: str, seconds: float) -> None:
        """Returns when `key` has nothing left to wait for, after `seconds`, or when the caller hangs up.

        Raises Problem where the tenant or the process has no place left, before anything else is done.
        """
        with self.place(tenant):
            await self.wait_in_place(request, tenant, watch, key, seconds)

    def place(self, tenant: str) -> AbstractContextManager[None]:
        """A place to the end of the block, for what is begun only where its end can be waited for. Raises Problem."""
        return self._places.take(tenant)

    async def wait_in_place(self, request: Request, tenant: str, watch: Watch, key: str, seconds: float) -> None:
        """`wait` for a caller that has taken its place already."""
        if key in await run_in_threadpool(self._look, tenant, watch, [key]):
            return
        loop = asyncio.get_running_loop()
        waiting = Wait(tenant, watch, key, loop, loop.create_future())
        gone = asyncio.ensure_future(_hung_up(request))
        try:
            self._enter(waiting)
            await asyncio.wait((waiting.over, gone), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._leave(waiting)
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)

    def taken(self, tenant: str) -> int:
        """How many places the tenant has taken."""
        return self._places.taken(tenant)

    def close(self) -> None:
        """Every wait ends now, and no later one begins: the process stops."""
        self._closed.set()
        with self._lock:
            waits = list(self._waits)
        for waiting in waits:
            waiting.end()

    def _enter(self, waiting: Wait) -> None:
        with self._lock:
            self._waits.add(waiting)
            if self._thread is None and not self._closed.is_set():
                self._thread = threading.Thread(target=self._keep_looking, name="waiting-room", daemon=True)
                self._thread.start()
        if self._closed.is_set():
            waiting.end()

    def _leave(self, waiting: Wait) -> None:
        with self._lock:
            self._waits.discard(waiting)

    def _keep_looking(self) -> None:
        """The one thread. It ends when nobody waits; the next wait starts another."""
        pause = _LOOK_SECONDS
        try:
            while not self._closed.wait(pause):
                with self._lock:
                    waits = list(self._waits)
                    if not waits:
                        self._thread = None
                        return
                pause = _LOOK_SECONDS if self._end_those_over(waits) else _AWAY_SECONDS
        finally:
            with self._lock:
                if self._thread is threading.current_thread():
                    self._thread = None

    def _end_those_over(self, waits: list[Wait]) -> bool:
        """False where the database did not answer."""
        asked: dict[tuple[str, Watch], list[Wait]] = defaultdict(list)
        for waiting in waits:
            asked[waiting.tenant, waiting.watch].append(waiting)
        for (tenant, watch), group in asked.items():
            try:
                over = self._look(tenant, watch, list({waiting.key for waiting in group}))
            except SQLAlchemyError as error:
                log.warning("wait_look_failed", error=type(error).__name__)
                return False
            for waiting in group:
                if waiting.key in over:
                    waiting.end()
        return True

    def _look(self, tenant: str, watch: Watch, keys: Sequence[str]) -> Collection[str]:
        with self._transaction(tenant) as conn:
            return watch(conn, tenant, keys)


async def _hung_up(request: Request) -> None:
    """Returns when the caller closes the connection. A body it sends is discarded."""
    while (await request.receive())["type"] != "http.disconnect":
        pass

"""Connection limit: how many connections a server holds, and which one makes room when it holds them all.

A connection is busy from the head of a request to the end of its answer, and idle before and between. A new connection
at the limit takes the place of the one that has been idle longest, as nginx does, so heads that never end and kept
connections shut nobody out. Busy connections are never cut; while all are busy, new ones are refused.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from workers.metrics import HTTP_CONNECTIONS_ENDED


class HeldConnection(Protocol):
    """What the limit needs to know of a connection."""

    transport: asyncio.Transport


class ConnectionLimit:
    """Of one server; used from its event loop only."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._busy: set[HeldConnection] = set()
        self._idle: dict[HeldConnection, None] = {}  # in the order in which they became idle

    def admit(self, connection: HeldConnection) -> bool:
        """A place for a new connection, idle; False where every place is busy."""
        if len(self._busy) + len(self._idle) >= self._most:
            if not self._idle:
                HTTP_CONNECTIONS_ENDED.labels("refused").inc()
                return False
            oldest = next(iter(self._idle))
            self.remove(oldest)
            HTTP_CONNECTIONS_ENDED.labels("made_room").inc()
            oldest.transport.abort()
        self._idle[connection] = None
        return True

    def busy(self, connection: HeldConnection) -> None:
        if self._idle.pop(connection, self) is None:
            self._busy.add(connection)

    def idle(self, connection: HeldConnection) -> None:
        if connection in self._busy:
            self._busy.remove(connection)
            self._idle[connection] = None

    def remove(self, connection: HeldConnection) -> None:
        """Its place is free; also for a connection that had none."""
        self._busy.discard(connection)
        self._idle.pop(connection, None)

"""Transport that closes after the peer has read the answer, also while the peer is still sending.

Closing a socket with unread bytes makes the kernel send a reset, and some clients then lose the answer that explains
the refusal. This one ends its own side first and discards what still arrives, for a short time (RFC 9112 section 9.6).
"""

from __future__ import annotations

import asyncio
from typing import Any

_LINGER_SECONDS = 2.0  # a peer that sends on after this is cut off


class LingeringTransport(asyncio.Transport):
    """Passes everything to `inner` but `close`. The protocol must discard data once `is_closing()` is true."""

    def __init__(self, inner: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._inner, self._loop = inner, loop
        self._timer: asyncio.TimerHandle | None = None
        self.peer_may_send = False  # set by the protocol: a request that was not read to its end

    @property
    def lingering(self) -> bool:
        return self._timer is not None

    def close(self) -> None:
        """Close at once, or linger while the peer may still be sending."""
        if self.lingering:
            return
        if not self.peer_may_send or self._inner.is_closing() or not self._inner.can_write_eof():
            self._inner.close()
            return
        self._inner.write_eof()
        self._inner.resume_reading()
        self._timer = self._loop.call_later(_LINGER_SECONDS, self._inner.abort)

    def forget(self) -> None:
        """The connection is lost; nothing is left to time out."""
        if self._timer is not None:
            self._timer.cancel()

    def is_closing(self) -> bool:
        return self.lingering or self._inner.is_closing()

    def abort(self) -> None:
        self._inner.abort()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._inner.write(data)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._inner.get_extra_info(name, default)

    def pause_reading(self) -> None:
        self._inner.pause_reading()

    def resume_reading(self) -> None:
        if not self._inner.is_closing():
            self._inner.resume_reading()

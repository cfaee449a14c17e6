"""Server of the API: uvicorn with our settings and our connections. The process and the tests start the same one.

uvicorn with h11 was chosen over granian 2.8 and hypercorn 0.18 after trying each with slow, broken and ambiguous
requests. Each lacks some of the deadlines and refusals, none answers with problem documents, and only uvicorn has an
option (`http`) for a connection class of our own.
"""

from __future__ import annotations

import resource
import socket

import structlog
import uvicorn
from fastapi import FastAPI

from api.edge.limits.waiting import WaitingRoom
from api.server.connections import ConnectionLimit
from api.server.protocol import BoundedProtocol
from workers.settings import Settings

log = structlog.get_logger()
_DRAIN_SECONDS = 20  # requests under way may finish within this after SIGTERM
_KEEP_ALIVE_SECONDS = 75  # longer than the 60 s of usual proxies, which would send into a connection that is closing
_BACKLOG = 128  # connections that asyncio accepts in one go, so also what may pass the limit for a moment
_OTHER_FILES = 256  # database, Redis, object store, uploads on disk


class DrainingServer(uvicorn.Server):
    """Waits end with the answer as it stands when the server stops, so that they do not use up the time to drain."""

    def __init__(self, config: uvicorn.Config, room: WaitingRoom) -> None:
        super().__init__(config)
        self._room = room

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._room.close()
        await super().shutdown(sockets)


def make_server(app: FastAPI, settings: Settings) -> DrainingServer:
    """A server for the application of `create_app`. `run` serves until SIGTERM or SIGINT."""

    class OurConnection(BoundedProtocol):
        limit = ConnectionLimit(settings.max_connections)
        head_seconds = settings.head_seconds

    config = uvicorn.Config(
        app,
        host=settings.api_host,
        port=settings.api_port,
        http=OurConnection,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,  # it would write query strings; RequestContext logs instead
        server_header=False,
        proxy_headers=False,  # api/edge/limits/client_address.py reads them, where a setting names the proxies
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )
    return DrainingServer(config, app.state.parts.room)


def allow_open_files(settings: Settings) -> None:
    """Raise this process's soft limit of open files to what its connections need, as far as the hard limit allows."""
    wanted = settings.max_connections + _BACKLOG + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < wanted:
        log.warning("too_few_open_files", allowed=allowed, wanted=wanted)

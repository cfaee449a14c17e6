"""HTTP/1.1 connection: uvicorn's h11 protocol with deadlines, a limit of connections, and problems for what it refuses.

uvicorn has no deadline for request heads, no limit of idle connections, and answers what it cannot read in plain text;
neither hypercorn nor granian offers all of it. A caller who stops sending in a head is cut off after `head_seconds`,
one who does not read the answer after _STALLED_SECONDS; a body has its own deadline (api/edge/bodies.py).
A request with two lengths is refused, as a proxy in front may have believed the other one (RFC 9112 section 6.3).
"""

from __future__ import annotations

import asyncio
import re
import sys
import uuid
from typing import Any

import h11
import structlog
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from api.edge.middleware.context import HEADERS
from api.edge.problems import Problem
from api.server.connections import ConnectionLimit
from api.server.transport import LingeringTransport
from workers.metrics import HTTP_CONNECTIONS_ENDED, HTTP_REQUESTS

log = structlog.get_logger()
_STALLED_SECONDS = 60.0  # a caller takes no byte of a full buffer for so long: it does not read
_MAX_HEAD_BYTES = 16 * 1024
_UNREADABLE = {  # h11's hint: (code, detail). Its own words quote the request, which may hold a key
    400: ("bad_request", "This is no HTTP/1.1 request (RFC 9112)."),
    431: ("head_too_large", "The request line and the headers together are too large."),
    501: ("unknown_transfer_coding", "The only Transfer-Encoding that is read is 'chunked'."),
    505: ("unsupported_http_version", "HTTP/1.1 and HTTP/1.0 are spoken here."),
}


class StrictConnection(h11.Connection):
    """h11's parser, which also refuses large heads, other versions, and lengths that a proxy could read another way."""

    def next_event(self) -> Any:
        event = super().next_event()
        if isinstance(event, h11.Request):
            names = {name for name, _ in event.headers}
            if len(event.target) + sum(len(name) + len(value) for name, value in event.headers) > _MAX_HEAD_BYTES:
                raise h11.RemoteProtocolError("too large", error_status_hint=431)  # h11 bounds unfinished heads only
            if event.http_version not in (b"1.0", b"1.1"):  # HTTP/2 begins with a request of HTTP/1 grammar
                raise h11.RemoteProtocolError("another version", error_status_hint=505)
            if b"transfer-encoding" in names and (b"content-length" in names or event.http_version < b"1.1"):
                raise h11.RemoteProtocolError("two lengths")
            return _in_origin_form(event)
        return event


def _in_origin_form(request: h11.Request) -> h11.Request:
    """A target with scheme and host, as callers send to a proxy, is the same request without them (RFC 9112, 3.2.2).

    Its host counts, not that of the header.
    """
    scheme, found, rest = request.target.partition(b"://")
    if not found or scheme.lower() not in (b"http", b"https"):
        return request
    host = re.split(rb"[/?]", rest, maxsplit=1)[0]
    path = rest[len(host) :] or (b"*" if request.method == b"OPTIONS" else b"")
    if not path.startswith((b"/", b"*")):
        path = b"/" + path
    others = [(name, value) for name, value in request.headers if name != b"host"]
    return h11.Request(
        method=request.method, target=path, headers=[(b"host", host), *others], http_version=request.http_version
    )


class BoundedProtocol(H11Protocol):
    """One connection. Subclassed for each server, with its limit and its deadline."""

    limit: ConnectionLimit
    head_seconds: float

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.conn = StrictConnection(h11.SERVER, _MAX_HEAD_BYTES)
        self._head_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._lingering: LingeringTransport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._lingering = LingeringTransport(transport, self.loop)
        super().connection_made(self._lingering)
        if self.limit.admit(self):
            self._head_timer = self.loop.call_later(self.head_seconds, self._head_is_late)
        else:
            problem = Problem(
                "too_many_connections", "Every connection is in use. Try again.", headers={"Retry-After": "1"}
            )
            self._refuse(problem)
            transport.close()

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        super().data_received(data)
        self._follow()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._follow()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lingering.forget()
        self._cancel_head_timer()
        self.resume_writing()
        self.limit.remove(self)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall_timer = self.loop.call_later(_STALLED_SECONDS, self._reader_stalled)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def send_400_response(self, msg: str) -> None:
        """uvicorn calls it while it handles what h11 raised, whose hint names the status."""
        error = sys.exception()
        status = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
        self._refuse(Problem(*_UNREADABLE.get(status, _UNREADABLE[400])))

    def _unsupported_upgrade_warning(self) -> None:
        """An upgrade that is not offered is ignored (RFC 9110 section 7.8), and no line of the log is worth it."""

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _follow(self) -> None:
        """Called after a request may have begun or ended. A head that has begun gets one deadline, never a new one."""
        self._lingering.peer_may_send = self.conn.their_state is h11.SEND_BODY
        if self._answering:
            self._cancel_head_timer()
            self.limit.busy(self)
            return
        self.limit.idle(self)
        unread = bool(self.conn.trailing_data[0]) or self._lingering.peer_may_send
        if unread and self._head_timer is None and not self.transport.is_closing():
            self._head_timer = self.loop.call_later(self.head_seconds, self._head_is_late)

    def _cancel_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self.transport.is_closing():
            return
        HTTP_CONNECTIONS_ENDED.labels("head_too_slow").inc()
        if self.conn.trailing_data[0]:
            self._refuse(Problem("head_too_slow", f"The head must arrive within {self.head_seconds:g} seconds."))
        else:
            self.transport.close()

    def _reader_stalled(self) -> None:
        HTTP_CONNECTIONS_ENDED.labels("reader_stalled").inc()
        self.transport.abort()

    def _refuse(self, problem: Problem) -> None:
        """Answer below the application and close. A request that is being answered already is cut off instead."""
        request_id = str(uuid.uuid4())
        log.info("http_refused", http_request_id=request_id, code=problem.code, status=problem.status)
        HTTP_REQUESTS.labels("unreadable", "other", str(problem.status)).inc()
        self._cancel_head_timer()
        self._unset_keepalive_if_required()
        if self._answering:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._lingering.peer_may_send = True
        try:
            self.transport.write(self._written(problem, request_id))
        except h11.LocalProtocolError:  # an answer is under way, or the request was a HEAD
            self.transport.abort()
        else:
            self.transport.close()

    def _written(self, problem: Problem, request_id: str) -> bytes:
        response = problem.response(request_id)
        own = {**HEADERS, "X-Request-ID": request_id, "Connection": "close"}
        headers = [
            *self.server_state.default_headers,
            *response.raw_headers,
            *((name.encode(), value.encode()) for name, value in own.items()),
        ]
        start = h11.Response(status_code=problem.status, headers=headers, reason=b"")
        parts = [self.conn.send(start), self.conn.send(h11.Data(data=bytes(response.body)))]
        return b"".join(part for part in (*parts, self.conn.send(h11.EndOfMessage())) if part)

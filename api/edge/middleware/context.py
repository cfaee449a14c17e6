"""Request context: an id, one log line, one measurement, and the headers that every answer carries."""

from __future__ import annotations

import time
from typing import Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.edge.middleware.correlation import Trace, request_id, trace
from workers.metrics import HTTP_REQUESTS, HTTP_SECONDS
from workers.tracing.spans import Attribute, Span, called

log = structlog.get_logger()
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
HEADERS = {
    "Cache-Control": "no-store",  # an answer may hold a prompt that is erased tomorrow
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}


class RequestContext:
    """Pure ASGI, so that bodies stream through untouched. The query string is never logged: it may hold a secret.

    HEAD goes on as GET, and its body is dropped here (RFC 9110 section 9.3.2), so it is allowed wherever GET is.
    An answer given before the request's body was read to its end announces that the connection closes.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method, headers = scope["method"], Headers(scope=scope)
        id, caller = request_id(headers), trace(headers)
        names = {"http_request_id": id}
        if caller:
            names |= {"trace_id": caller.trace_id, "span_id": caller.span_id, "parent_span_id": caller.parent_span_id}
        # A copy: the server must go on knowing the method that was sent.
        inner = {**scope, "method": "GET" if method == "HEAD" else method}
        inner["state"] = {**scope.get("state", {}), "request_id": id, "head_only": method == "HEAD"}
        unread = _announces_body(headers)
        started, status, began = time.perf_counter(), 500, time.time_ns()

        async def received() -> Message:
            nonlocal unread
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body", False):
                unread = False
            return message

        async def answered(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _complete(MutableHeaders(scope=message), id, caller.traceparent if caller else None, unread)
            elif method == "HEAD":
                message = {**message, "body": b""}
            await send(message)

        with structlog.contextvars.bound_contextvars(**names):
            try:
                await self._app(inner, received, answered)
            finally:
                _record(inner, method, status, time.perf_counter() - started)
                if caller and caller.is_sampled:
                    _trace(inner, method, status, caller, began)


def _complete(headers: MutableHeaders, id: str, traceparent: str | None, unread: bool) -> None:
    headers["X-Request-ID"] = id
    if traceparent:
        headers["traceparent"] = traceparent
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    if unread:
        headers["Connection"] = "close"  # or the server would read on what nobody wants


def _announces_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _record(scope: Scope, sent: str, status: int, seconds: float) -> None:
    route = _route(scope)
    method = sent if sent in _METHODS else "other"
    HTTP_REQUESTS.labels(route, method, str(status)).inc()
    HTTP_SECONDS.labels(route, method).observe(seconds)
    if route not in _QUIET:
        caller = {name: scope["state"][name] for name in ("tenant", "key_id") if name in scope["state"]}
        log.info("http_request", method=method, route=route, status=status, seconds=round(seconds, 4), **caller)


def _trace(scope: Scope, method: str, status: int, caller: Trace, began: int) -> None:
    """Our span in the caller's trace; what it submitted has a trace of its own, which links here."""
    route = _route(scope)
    name = f"{method if method in _METHODS else 'other'} {route}"
    ids = (caller.trace_id, caller.span_id, caller.parent_span_id)
    told: dict[str, Attribute] = {"http.response.status_code": status, "http.route": route}
    called(Span(*ids, name, began, time.time_ns(), told, failed=str(status) if status >= 500 else "", server=True))


def _route(scope: Scope) -> str:
    """The route's template, so that ids make no labels; "unknown" where no route matched."""
    route: Any = scope.get("route")
    return getattr(route, "path_format", None) or getattr(route, "path", None) or "unknown"

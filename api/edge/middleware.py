"""Around every request: an id, one log line, one measurement, and headers that every answer carries."""

from __future__ import annotations

import re
import time
import uuid
from typing import Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from workers.metrics import HTTP_REQUESTS, HTTP_SECONDS

log = structlog.get_logger()
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}


class Observation:
    """Pure ASGI, so that bodies stream through untouched. The query string is never logged: it may hold a secret."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(Headers(scope=scope))
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.bind_contextvars(http_request_id=request_id)
        started = time.perf_counter()
        status = 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            _record(scope, status, time.perf_counter() - started)
            structlog.contextvars.unbind_contextvars("http_request_id")


def _request_id(headers: Headers) -> str:
    """The caller's own id if it is a UUID, so that its logs and ours meet; else a new one."""
    sent = headers.get("x-request-id", "").lower()
    return sent if _ID.fullmatch(sent) else str(uuid.uuid4())


def _record(scope: Scope, status: int, seconds: float) -> None:
    route = _route(scope)
    method = scope["method"] if scope["method"] in _METHODS else "other"
    HTTP_REQUESTS.labels(route, method, str(status)).inc()
    HTTP_SECONDS.labels(route, method).observe(seconds)
    if route not in _QUIET:
        caller = {name: scope["state"][name] for name in ("tenant", "key_id") if name in scope["state"]}
        log.info("http_request", method=method, route=route, status=status, seconds=round(seconds, 4), **caller)


def _route(scope: Scope) -> str:
    """The route's template, so that ids make no labels; "unknown" where no route matched."""
    route: Any = scope.get("route")
    return getattr(route, "path_format", None) or getattr(route, "path", None) or "unknown"

"""Forwarding: calls that a page's scripts and links make of the API, with the key of the session.

/console/api/v1/... is /v1/... with the session's key. The call goes to the application as it is, so that bodies, files
and live events stream. A change needs the token of the session, as every change does. Only what pages use is let
through: an address with secrets in its answer is not among it.
"""

from __future__ import annotations

import re
from typing import Any

from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.console.origins import demand_own_page, demand_token
from api.console.sessions import ConsoleSession, session_of
from api.edge.dependencies import PartsOf
from api.edge.problems import Problem

AT = "/console/api"
_READ = re.compile(
    r"/v1/(?:requests/[^/]+/(?:results|events|items)|events|assets/[^/]+(?:/thumbnail)?|audit/[a-z0-9/_-]+|reviews(?:/[^/]+)?|usage"
    r"|identify/[^/]+|inputs/[^/]+|catalogues/[^/]+/manifest"
    r"|catalogues/[^/]+/files/(?:feed\.csv|errors\.csv|run\.json))"
)
_CHANGED = re.compile(r"/v1/(?:reviews(?:/[^/]+)?|campaigns|requests|identify|inputs|catalogues/[^/]+/plans)")
_KEPT = frozenset(
    {b"accept", b"content-length", b"content-type", b"idempotency-key", b"last-event-id", b"transfer-encoding"}
)
_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"  # an answer that is opened as a page does nothing


class _Forwarded(Response):
    """An answer that the application itself gives."""

    def __init__(self, app: ASGIApp, path: str, session: ConsoleSession) -> None:
        super().__init__()
        self._app, self._path, self._session = app, path, session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name, value) for name, value in scope["headers"] if name in _KEPT]
        headers += [
            (b"authorization", f"Bearer {self._session.key}".encode()),
            (b"host", b"presswork.internal"),
            (b"x-request-id", scope["state"]["request_id"].encode()),
        ]
        kept: dict[str, Any] = {
            name: scope[name]
            for name in ("type", "asgi", "http_version", "client", "server", "extensions")
            if name in scope
        }
        inside = kept | {
            "method": scope["method"],
            "scheme": "http",
            "path": self._path,
            "raw_path": self._path.encode(),
            "root_path": "",
            "query_string": scope["query_string"],
            "headers": headers,
            "state": {},
        }

        async def answered(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Content-Security-Policy"] = _POLICY
            await send(message)

        await self._app(inside, receive, answered)


async def forward(request: Request, parts: PartsOf, path: str) -> Response:
    """The API's own answer, problems included."""
    wanted, changes = f"/{path}", request.method != "GET"
    if not (_CHANGED if changes else _READ).fullmatch(wanted):
        raise Problem("not_found", "Pages of the console do not use this address.")
    session = await run_in_threadpool(session_of, parts, request)
    if session is None:
        raise Problem("unauthorized", "Sign in again.")
    if changes:
        demand_own_page(request)
        demand_token(request, session)
    return _Forwarded(request.app, wanted, session)

"""ASGI caller: requests to an application without an HTTP client in between, for tests that send thousands.

httpx under Starlette's TestClient costs 2 ms of CPU a request, which is as much as the application does for many. What
is sent is as raw as on a socket: targets, headers and bodies go as the bytes that they are.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import anyio
from fastapi.testclient import TestClient

Header = tuple[bytes, bytes]
_USUAL: tuple[Header, ...] = (
    (b"host", b"testserver"),
    (b"accept", b"*/*"),
    (b"accept-encoding", b"gzip"),
    (b"connection", b"keep-alive"),
    (b"user-agent", b"tests"),
)


@dataclass(slots=True)
class AsgiAnswer:
    """A whole response."""

    status_code: int = 0
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""

    @property
    def text(self) -> str:
        packed = self.headers.get(b"content-encoding") == b"gzip"
        return (gzip.decompress(self.body) if packed else self.body).decode(errors="replace")

    def json(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True, slots=True)
class AsgiCaller:
    """The application, event loop and key of a client of ApiServer. A fault of the application is an answer of 500."""

    client: TestClient

    def request(self, method: str, target: str, *, headers: Sequence[Header] = (), body: bytes = b"") -> AsgiAnswer:
        """`target` is path and query as they stand in the request line; `headers` replace the usual ones."""
        key = (b"authorization", self.client.headers["Authorization"].encode())
        given = [(name.lower(), value) for name, value in headers]
        named = {name for name, _ in given}
        length = [(b"content-length", str(len(body)).encode())] if body else []
        sent = [*(usual for usual in (*_USUAL, key) if usual[0] not in named), *given, *length]
        path, _, query = target.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method.upper(),
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": sent,
            "client": ("testclient", 50_000),
            "server": ("testserver", 80),
            "state": {},
        }
        assert self.client.portal is not None
        return self.client.portal.call(self._answer, scope, body)

    async def _answer(self, scope: dict[str, Any], body: bytes) -> AsgiAnswer:
        answer, waiting, ended = AsgiAnswer(), [body], anyio.Event()

        async def receive() -> dict[str, Any]:
            if waiting:
                return {"type": "http.request", "body": waiting.pop(), "more_body": False}
            await ended.wait()
            return {"type": "http.disconnect"}

        async def send(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                answer.status_code, answer.headers = message["status"], dict(message["headers"])
            elif message["type"] == "http.response.body":
                answer.body += message.get("body", b"")
                if not message.get("more_body", False):
                    ended.set()

        try:
            await self.client.app(scope, receive, send)
        except Exception as fault:  # noqa: BLE001 - whatever it is, it is the answer
            answer.status_code, answer.headers, answer.body = 500, {}, repr(fault).encode()
        return answer

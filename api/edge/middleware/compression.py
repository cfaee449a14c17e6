"""Compression: gzip for large JSON, by Starlette's middleware.

What holds secrets is left alone, as sizes of compressed answers can give them away to somebody who puts guesses into
the same answer (BREACH): keys and webhooks, whose answers hold a secret once. Files that stream, such as evidence packs
and exports, pass untouched.

Starlette looks for the letters "gzip" in `Accept-Encoding`, and `gzip;q=0` refuses it. The header is understood here
(RFC 9110, section 12.5.3) and handed on as one word. What cannot be read asks for nothing.
"""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

_SECRET = ("/v1/keys", "/v1/webhooks")
_SMALLEST_BYTES = 4096  # below it, a packet or two is all that could be saved
_LEVEL = 5
_WEIGHT = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")
_NOT_JSON = (
    *(*DEFAULT_EXCLUDED_CONTENT_TYPES, "text/*", "application/octet-stream", "application/x-ndjson"),
    *("application/jsonl", "application/vnd.apache.parquet", "application/javascript"),
)


class Compression:
    """GZipMiddleware, around everything but the addresses with secrets."""

    def __init__(self, app: ASGIApp) -> None:
        self._plain = app
        self._compressed = GZipMiddleware(app, _SMALLEST_BYTES, _LEVEL, exclude_content_types=_NOT_JSON)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_SECRET):
            await self._plain(scope, receive, send)
            return
        sent = ",".join(Headers(scope=scope).getlist("accept-encoding"))
        others = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        scope["headers"] = [*others, (b"accept-encoding", b"gzip" if takes_gzip(sent) else b"identity")]
        await self._compressed(scope, receive, send)


def takes_gzip(accept_encoding: str) -> bool:
    """Whether the header asks for gzip: by name, else by "*", and with a weight above 0."""
    weights: dict[str, float] = {}
    for member in accept_encoding.lower().split(","):
        coding, _, parameter = (part.strip() for part in member.partition(";"))
        weights["gzip" if coding == "x-gzip" else coding] = _weight(parameter)
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def _weight(parameter: str) -> float:
    if not parameter:
        return 1.0
    found = _WEIGHT.fullmatch(parameter)
    return float(found[1]) if found else 0.0

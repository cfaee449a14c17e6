"""Compression: gzip for large JSON, by Starlette's middleware.

What holds secrets is left alone, as sizes of compressed answers can give them away to somebody who puts guesses into
the same answer (BREACH): keys and webhooks, whose answers hold a secret once. Files that stream, such as evidence packs
and exports, pass untouched.
"""

from __future__ import annotations

from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

_SECRET = ("/v1/keys", "/v1/webhooks")
_SMALLEST_BYTES = 4096  # below it, a packet or two is all that could be saved
_LEVEL = 5
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
        secret = scope["type"] != "http" or scope["path"].startswith(_SECRET)
        await (self._plain if secret else self._compressed)(scope, receive, send)

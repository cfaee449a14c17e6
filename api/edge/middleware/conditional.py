"""Conditional requests: an ETag on every JSON answer to a GET, and 304 for the caller who has it (RFC 9110 section 13).

The tag is a digest of the answer, so a caller that polls pays for what changed; the work of making the answer is not
saved. It is weak, because gzip may follow. `Cache-Control: no-store` stands: callers keep tags, nobody keeps answers.
"""

from __future__ import annotations

import hashlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_TYPE = "application/json"
_KEPT = frozenset({"cache-control", "content-location", "date", "etag", "expires", "vary"})  # what a 304 carries too


def hands_over(request: Request) -> bool:
    """Whether the caller will see the answer's body, for an endpoint that records in the ledger what it hands over.

    False for HEAD, whose body is dropped. Otherwise the answer will be sent whole, never as a 304.
    """
    if getattr(request.state, "head_only", False):
        return False
    request.state.send_whole = True
    return True


class Conditional:
    """Answers that come in one piece only; what streams passes through untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        known = ",".join(Headers(scope=scope).getlist("if-none-match"))
        start: Message | None = None

        async def tagged(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _may_carry_a_tag(message):
                start = message
                return
            if start is not None:
                begun, start = start, None
                if not message.get("more_body", False):
                    whole = scope.get("state", {}).get("send_whole", False)  # set by hands_over meanwhile
                    message = _with_tag(begun, message, "" if whole else known)
                await send(begun)
            await send(message)

        await self._app(scope, receive, tagged)


def _may_carry_a_tag(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    return start["status"] == 200 and headers.get("content-type", "") == _TYPE and "etag" not in headers


def _with_tag(start: Message, body: Message, known: str) -> Message:
    """Puts the tag into `start`, which becomes a 304 if the caller knows it; returns the body that belongs to it."""
    digest = hashlib.blake2b(body.get("body", b""), digest_size=16).hexdigest()
    headers = MutableHeaders(raw=start["headers"])
    headers["ETag"] = f'W/"{digest}"'
    if not _matches(known, digest):
        return body
    start["status"] = 304
    start["headers"] = [(name, value) for name, value in headers.raw if name.decode("latin-1") in _KEPT]
    return {**body, "body": b""}


def _matches(known: str, digest: str) -> bool:
    """Weak comparison: `"a"` and `W/"a"` are one tag. `*` is any."""
    tags = {tag.strip().removeprefix("W/") for tag in known.split(",")}
    return "*" in tags or f'"{digest}"' in tags

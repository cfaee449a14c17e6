"""`Idempotency-Key`: a repeated POST is answered with the first answer, and its work is done once.

The fingerprint covers what was understood of the request, not its bytes: a client that retries a
multipart upload draws a new boundary each time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from fastapi.responses import JSONResponse
from sqlalchemy import Connection

from api.edge.dependencies import Parts
from workers.jobs.idempotency import Reply, recall, remember


@dataclass(frozen=True, slots=True)
class Once:
    """The key of this request, "" for none, and the address it was sent to."""

    key: str
    address: str

    def fingerprint(self, *contents: bytes) -> bytes:
        """SHA-256 of method, path and the parts of the body, each under its own digest."""
        digests = [hashlib.sha256(content).digest() for content in contents]
        return hashlib.sha256(self.address.encode() + b"\0" + b"".join(digests)).digest()

    def replay(self, parts: Parts, tenant: str, fingerprint: bytes) -> JSONResponse | None:
        """The answer given before, if there is one. Asked before any checking, so that it outlives rule changes."""
        if not self.key:
            return None
        with parts.transaction(tenant) as conn:
            earlier = recall(conn, tenant, self.key, fingerprint)
        return _replayed(earlier) if earlier else None

    def run(self, parts: Parts, tenant: str, fingerprint: bytes, work: Callable[[Connection], Reply]) -> JSONResponse:
        """`work` and its answer in one transaction, or the answer given before."""
        with parts.transaction(tenant) as conn:
            if self.key and (earlier := recall(conn, tenant, self.key, fingerprint)):
                return _replayed(earlier)
            reply = work(conn)
            if self.key:
                remember(conn, tenant, self.key, fingerprint, reply)
        return JSONResponse(dict(reply.body), reply.status, headers=_location(reply.body))


def _replayed(reply: Reply) -> JSONResponse:
    headers = {"Idempotency-Replayed": "true", **_location(reply.body)}
    return JSONResponse(dict(reply.body), reply.status, headers=headers)


def _location(body: Any) -> dict[str, str]:
    links = body["links"]
    return {"Location": links.get("request") or links["self"]}


async def _once(
    request: Request,
    key: Annotated[
        str,
        Header(
            alias="Idempotency-Key",
            max_length=255,
            pattern=r"^[\x21-\x7e]*$",
            description="Your own name for this request, e.g. a UUID. Sent again with the same body it answers with "
            "the first answer; with another body it is refused. It does not expire; its stored answer may be erased, "
            "and a repeat is refused then.",
        ),
    ] = "",
) -> Once:
    return Once(key, f"{request.method} {request.url.path}")


OnceOf = Annotated[Once, Depends(_once)]

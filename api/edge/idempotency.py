"""Idempotency-Key on every changing call: a repeat is answered with the first answer, and the work is done once.

The answer is stored in the transaction of the work. Killed before that commit, neither exists and a repeat does the
work; killed after it, a repeat reads the answer. A problem is not stored: its key stays free.

The fingerprint covers what was understood of the request, not its bytes: a client that retries a multipart upload
draws a new boundary each time, and another client may order the members of the spec otherwise. The id of a thing in the
address counts in its one spelling.

A secret in an answer (a new API key, a webhook's secret) is stored encrypted under the API key that asked, which is
stored nowhere (api/edge/sealing.py). A repeat with that API key shows it again, until the stored answer is erased;
another API key of the tenant is refused.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Header, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from sqlalchemy import Connection

from api.edge.dependencies import Parts, PartsOf
from api.edge.problems import Complaint, Problem
from api.edge.sealing import open_sealed, seal
from workers.jobs.idempotency import StoredReply, recall, remember

MAX_KEY_CHARS = 255
_SEALED = "_sealed"  # field of a stored body: its secret fields, encrypted


@dataclass(frozen=True, slots=True)
class Once:
    """The Idempotency-Key of this request, "" for none, and the address that it was sent to."""

    parts: Parts
    key: str
    method: str
    path: str
    presented: bytes = field(repr=False)  # the caller's API key; b"" for an anonymous caller

    def fingerprint(self, *contents: bytes | BaseModel) -> bytes:
        """SHA-256 of method, path and the parts of the body, each under its own digest."""
        digests = [hashlib.sha256(_as_bytes(content)).digest() for content in contents]
        return hashlib.sha256(self._address() + b"\0" + b"".join(digests)).digest()

    def private_fingerprint(self, *contents: bytes | BaseModel) -> bytes:
        """The same, keyed with the caller's API key: the database alone confirms no guess at what was sent.

        Another API key of the tenant is answered as if it had sent another request.
        """
        return hmac.digest(self.presented, self.fingerprint(*contents), "sha256")

    def replay(self, tenant: str, fingerprint: bytes) -> Response | None:
        """The answer given before, if there is one. Asked before any checking, so that it outlives rule changes."""
        if not self.key:
            return None
        with self.parts.transaction(tenant) as conn:
            earlier = recall(conn, tenant, self.key, fingerprint)
        return self._replayed(earlier) if earlier else None

    def run(
        self, tenant: str, fingerprint: bytes, work: Callable[[Connection], StoredReply], *, encrypted: str = ""
    ) -> Response:
        """`work` and its answer in one transaction, or the answer given before.

        `encrypted` names a field of the answer that is a secret.
        """
        with self.parts.transaction(tenant) as conn:
            if self.key and (earlier := recall(conn, tenant, self.key, fingerprint)):
                return self._replayed(earlier)
            reply = work(conn)
            if self.key:
                remember(conn, tenant, self.key, fingerprint, self._sealed(reply, encrypted))
        return self._response(reply)

    def of_address(self, address: str) -> Once:
        """For callers without an API key: the same Idempotency-Key from another address is another key."""
        key = hashlib.sha256(f"{address}\n{self.key}".encode()).hexdigest() if self.key else ""
        return Once(self.parts, key, self.method, self.path, self.presented)

    def _address(self) -> bytes:
        return f"{self.method} {self.path}".encode()

    def _sealed(self, reply: StoredReply, secret: str) -> StoredReply:
        if not secret:
            return reply
        shown = {name: value for name, value in reply.body.items() if name != secret}
        sealed = seal(self.presented, {secret: reply.body[secret]}, bound_to=self.key)
        return StoredReply(reply.status, {**shown, _SEALED: sealed})

    def _replayed(self, stored: StoredReply) -> Response:
        """Raises Problem where the answer holds a secret that another API key asked for."""
        body = dict(stored.body)
        if sealed := body.pop(_SEALED, None):
            body |= open_sealed(self.presented, sealed, bound_to=self.key)
        response = self._response(StoredReply(stored.status, body))
        response.headers["Idempotency-Replayed"] = "true"
        return response

    def _response(self, reply: StoredReply) -> Response:
        if reply.status == 204:
            return Response(status_code=204)
        return JSONResponse(dict(reply.body), reply.status, headers=self._location(reply))

    def _location(self, reply: StoredReply) -> dict[str, str]:
        """Where the thing is that this call made: its own link, or its id below the address of its list."""
        if self.method != "POST" or reply.status not in (201, 202):
            return {}
        links: dict[str, str] = reply.body.get("links") or {}
        own = links.get("request") or links.get("self")
        if own is None and "id" in reply.body:
            own = f"{self.path}/{reply.body['id']}"
        return {"Location": own} if own else {}


def _as_bytes(content: bytes | BaseModel) -> bytes:
    if isinstance(content, bytes):
        return content
    return json.dumps(content.model_dump(mode="json"), sort_keys=True).encode()


def _one_spelling(path: str) -> str:
    """The path with every id in it as `uuid_or_not_found` writes it: capitals make no other address."""
    return "/".join(_as_id(segment) for segment in path.split("/"))


def _as_id(segment: str) -> str:
    try:
        return str(UUID(segment))
    except ValueError:
        return segment


async def _once(
    request: Request,
    parts: PartsOf,
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=MAX_KEY_CHARS,
            pattern=r"^[\x21-\x7e]+$",
            description="Your own name for this call, e.g. a UUID. Sent again with the same content it answers with "
            "the first answer and the work is done once; with other content it is refused. It does not expire; its "
            "stored answer may be erased, and a repeat is refused then.",
        ),
    ] = None,
) -> Once:
    if len(request.headers.getlist("Idempotency-Key")) > 1:
        complaint = Complaint("invalid", "it was sent twice", "Send one key.", field="header.Idempotency-Key")
        raise Problem("invalid_parameters", "header.Idempotency-Key: it was sent twice.", errors=[complaint])
    presented = request.headers.get("authorization", "").partition(" ")[2].strip()
    return Once(parts, key or "", request.method, _one_spelling(request.url.path), presented.encode())


OnceOf = Annotated[Once, Depends(_once)]


def answered(status: int, body: BaseModel | None = None) -> StoredReply:
    """The reply of a call's work; without a body for 204."""
    content: dict[str, Any] = {} if body is None else body.model_dump(mode="json")
    return StoredReply(status, content)

"""GET from an address that a tenant chose: from the public internet over TLS, and nowhere else.

The rules are those of `post`: the connection goes to the addresses that were checked, no redirect is followed, and the
whole call ends by its deadline however slowly bytes drip. The body is read up to a limit of bytes.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import httpcore

from workers.outbound.pinned import FAILURES, PinnedBackend, failure_code, host_header, tls_context, url_of
from workers.outbound.urls import Target, check_url, resolve

MAX_ETAG_CHARS = 200  # a longer one is not kept, and saves nothing


@dataclass(frozen=True, slots=True)
class FetchResult:
    """The body, or a stable code of what went wrong: redirect, status, too_large, or one of `failure_code`.

    `unchanged` says that the server has what `etag` named: there is no body then, and no error.
    """

    body: bytes
    error: str | None
    etag: str = ""
    unchanged: bool = False
    status: int | None = None  # of an answer that is no picture


def fetch(
    url: str,
    *,
    seconds: float,
    most_bytes: int,
    loopback: bool = False,
    context: ssl.SSLContext | None = None,
    accept: str = "image/*",
    etag: str = "",
    headers: Mapping[str, str] = MappingProxyType({}),
) -> FetchResult:
    """GET and tell how it went; never raises for what the other side does. Any thread.

    With the `etag` of an earlier answer, the body is asked for only where it is another one. `headers` are our own,
    such as a signature: an address of somebody's choice has none.
    """
    started = time.monotonic()
    try:
        target = check_url(url, loopback=loopback)
        backend = PinnedBackend(resolve(target, seconds, loopback=loopback), started + seconds)
        asked = {**headers, "Accept": accept, **({"If-None-Match": etag} if etag else {})}
        return _get(target, backend, context or tls_context(), most_bytes, asked)
    except FAILURES as problem:
        return FetchResult(b"", failure_code(problem))


def _get(
    target: Target, backend: PinnedBackend, context: ssl.SSLContext, most_bytes: int, asked: Mapping[str, str]
) -> FetchResult:
    headers = [("Host", host_header(target)), ("Connection", "close"), ("User-Agent", "Presswork"), *asked.items()]
    body = bytearray()
    with (
        httpcore.ConnectionPool(ssl_context=context, network_backend=backend) as pool,
        pool.stream("GET", url_of(target), headers=headers) as answer,
    ):
        if answer.status == 304 and "If-None-Match" in asked:
            return FetchResult(b"", None, asked["If-None-Match"], unchanged=True)
        if answer.status != 200:
            error = "redirect" if 300 <= answer.status < 400 else "status"
            return FetchResult(b"", error, status=answer.status)
        for chunk in answer.iter_stream():
            body += chunk
            if len(body) > most_bytes:
                return FetchResult(b"", "too_large")
        etag = next((value.decode("latin-1") for name, value in answer.headers if name.lower() == b"etag"), "")
    return FetchResult(bytes(body), None, etag if len(etag) <= MAX_ETAG_CHARS and etag.isprintable() else "")

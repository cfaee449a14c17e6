"""POST to an address that a tenant chose: to the public internet over TLS, and nowhere else.

The connection goes to the addresses that `urls.resolve` checked. No redirect is followed, no proxy of the environment
is asked, of the answer only the status and two headers are read, and the whole call ends by its deadline however
slowly bytes drip.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpcore

from workers.outbound.pinned import FAILURES, PinnedBackend, failure_code, host_header, tls_context, url_of
from workers.outbound.urls import Target, check_url, resolve

_SECONDS = re.compile(r"[0-9]{1,9}")  # RFC 9110 section 10.2.3: delay-seconds


@dataclass(frozen=True, slots=True)
class PostResult:
    """What came back: a status, or a stable code of what went wrong. Never both None."""

    status: int | None
    error: str | None
    milliseconds: int
    retry_after_seconds: float | None = None  # what the receiver asked for, as it asked


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    seconds: float,
    loopback: bool = False,
    context: ssl.SSLContext | None = None,
) -> PostResult:
    """POST `body` and tell how it went; never raises for what the other side does. Any thread."""
    started = time.monotonic()
    status: int | None = None
    error: str | None = None
    wanted: float | None = None
    try:
        target = check_url(url, loopback=loopback)
        backend = PinnedBackend(resolve(target, seconds, loopback=loopback), started + seconds)
        status, wanted = _send(target, body, headers, backend, context or tls_context())
        error = None if 200 <= status < 300 else "redirect" if 300 <= status < 400 else "status"
    except FAILURES as problem:
        error = failure_code(problem)
    return PostResult(status, error, round(1000 * (time.monotonic() - started)), wanted)


def retry_after_seconds(retry_after: str, date: str = "") -> float | None:
    """How long a receiver asks us to wait, from its headers `Retry-After` and `Date`; None for what is neither form.

    RFC 9110 section 10.2.3: seconds, or a date, which is measured by the receiver's own clock where it tells it.
    """
    if _SECONDS.fullmatch(retry_after.strip()):
        return float(retry_after)
    until = _http_date(retry_after)
    if until is None:
        return None
    return max(0.0, (until - (_http_date(date) or datetime.now(UTC))).total_seconds())


def _http_date(text: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _send(
    target: Target, body: bytes, headers: Mapping[str, str], backend: PinnedBackend, context: ssl.SSLContext
) -> tuple[int, float | None]:
    """The status, and the wait that the receiver asks for. What else it says is of no interest, and of any length."""
    sent = {"Host": host_header(target), "Connection": "close", **headers}
    with (
        httpcore.ConnectionPool(ssl_context=context, network_backend=backend) as pool,
        pool.stream("POST", url_of(target), headers=list(sent.items()), content=body) as answer,
    ):
        fields = {name.lower(): value.decode("latin-1") for name, value in answer.headers}
        return answer.status, retry_after_seconds(fields.get(b"retry-after", ""), fields.get(b"date", ""))

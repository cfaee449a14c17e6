"""POST to an address that a tenant chose: to the public internet over TLS, and nowhere else.

The connection goes to the addresses that `urls.resolve` checked. No redirect is followed, no proxy of the environment
is asked, of the answer only the status and two headers are read, and the whole call ends by its deadline however
slowly bytes drip.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any

import httpcore
import httpx

from workers.errors import AddressRefused
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
        backend = _Pinned(resolve(target, seconds, loopback=loopback), started + seconds)
        status, wanted = _send(target, body, headers, backend, context or _context())
        error = None if 200 <= status < 300 else "redirect" if 300 <= status < 400 else "status"
    except AddressRefused:
        error = "address_refused"
    except (TimeoutError, httpcore.TimeoutException):
        error = "timeout"
    except (OSError, httpcore.NetworkError, httpcore.ProtocolError, UnicodeError) as problem:
        error = "tls" if isinstance(problem.__context__, ssl.SSLError) else _code_of(problem)
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
    target: Target, body: bytes, headers: Mapping[str, str], backend: _Pinned, context: ssl.SSLContext
) -> tuple[int, float | None]:
    """The status, and the wait that the receiver asks for. What else it says is of no interest, and of any length."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    sent = {"Host": host if target.port in (80, 443) else f"{host}:{target.port}", "Connection": "close", **headers}
    url = httpcore.URL(
        scheme=target.scheme.encode(), host=target.host.encode(), port=target.port, target=target.path.encode()
    )
    with (
        httpcore.ConnectionPool(ssl_context=context, network_backend=backend) as pool,
        pool.stream("POST", url, headers=list(sent.items()), content=body) as answer,
    ):
        fields = {name.lower(): value.decode("latin-1") for name, value in answer.headers}
        return answer.status, retry_after_seconds(fields.get(b"retry-after", ""), fields.get(b"date", ""))


@cache
def _context() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)


def _code_of(problem: Exception) -> str:
    return "unresolved" if type(problem) is OSError else "connection"


class _Pinned(httpcore.NetworkBackend):
    """Connects to the addresses that were checked, whatever the host is called, until the deadline."""

    def __init__(self, addresses: Sequence[str], deadline: float) -> None:
        self._addresses, self._deadline = addresses, deadline
        self._network = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        for n, address in enumerate(self._addresses, start=1):
            left = _left(self._deadline) / (len(self._addresses) - n + 1)
            try:
                stream = self._network.connect_tcp(address, port, left, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if n == len(self._addresses):
                    raise
            else:
                return _Timed(stream, self._deadline)
        raise httpcore.ConnectError("no address")


class _Timed(httpcore.NetworkStream):
    """A stream whose every step ends by one deadline: a byte a second does not keep it open."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._deadline))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, _left(self._deadline))
        return _Timed(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the deadline is over")
    return left

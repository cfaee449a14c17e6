"""A POST to an address that a tenant chose: to the public internet over TLS, and nowhere else.

The address is checked when it is stored and again at every call: https, no user, no fragment. The name is resolved
once, every address it has must be public, and the connection goes to the very address that was checked, so that a
name that answers differently a moment later changes nothing. No redirect is followed, no proxy of the environment is
asked, the answer's body is not read, and the whole call ends by its deadline however slowly bytes drip.
"""

from __future__ import annotations

import ipaddress
import queue
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpcore
import httpx

from workers.errors import AddressRefused

MAX_URL_CHARS = 2_000
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
_NUMBER = re.compile(r"^(0x[0-9a-f]*|[0-9]+)$")  # a last label like this is an IPv4 address in some notation
# Public by their range, private by their use: clouds answer their machines' secrets here.
_METADATA = frozenset(map(ipaddress.ip_address, ("168.63.129.16", "100.100.100.200", "169.254.169.254")))
# IPv6 addresses that carry an IPv4 address somewhere else than ::ffff:a.b.c.d.
_TUNNELS = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96")))

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Target:
    """An address that passed every check that needs no network."""

    scheme: str
    host: str  # lower case, without brackets
    port: int
    path: str  # with its query


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a status, or a stable code of what went wrong. Never both None."""

    status: int | None
    error: str | None
    milliseconds: int


def check_url(url: str, *, loopback: bool = False) -> Target:
    """The parts of an address we may call. Raises AddressRefused saying why.

    `loopback` lets http:// and https:// to this very machine pass: for tests and development.
    """
    if len(url) > MAX_URL_CHARS or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise AddressRefused(f"an address has at most {MAX_URL_CHARS:,} visible ASCII characters and no backslash")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressRefused(f"the address cannot be read: {error}") from error
    host = (parts.hostname or "").rstrip(".")
    here = loopback and (host == "localhost" or _literal(host) in _LOOPBACK)
    if parts.scheme != "https" and not (parts.scheme == "http" and here):
        raise AddressRefused("messages go to https:// addresses only")
    if "@" in parts.netloc or parts.fragment or "#" in url:
        raise AddressRefused("an address has no user, no password and no fragment")
    _check_host(host, bracketed="[" in parts.netloc, here=here)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), path)


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    seconds: float,
    loopback: bool = False,
    context: ssl.SSLContext | None = None,
) -> Answer:
    """POST `body` and tell how it went; never raises for what the other side does. Any thread."""
    started = time.monotonic()
    status: int | None = None
    error: str | None = None
    try:
        target = check_url(url, loopback=loopback)
        backend = _Pinned(_resolve(target, seconds, loopback=loopback), started + seconds)
        status = _send(target, body, headers, backend, context or _context())
        error = None if 200 <= status < 300 else "redirect" if 300 <= status < 400 else "status"
    except AddressRefused:
        error = "address_refused"
    except (TimeoutError, httpcore.TimeoutException):
        error = "timeout"
    except (OSError, httpcore.NetworkError, httpcore.ProtocolError, UnicodeError) as problem:
        error = "tls" if isinstance(problem.__context__, ssl.SSLError) else _code_of(problem)
    return Answer(status, error, round(1000 * (time.monotonic() - started)))


def is_public(address: Address) -> bool:
    """Whether anybody on the internet could reach this address, and no cloud keeps secrets behind it."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if any(address in network for network in _TUNNELS):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved and address not in _METADATA


_LOOPBACK = frozenset(map(ipaddress.ip_address, ("127.0.0.1", "::1")))


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _check_host(host: str, *, bracketed: bool, here: bool) -> None:
    address = _literal(host)
    if address is None and (bracketed or not _HOST.fullmatch(host)):
        raise AddressRefused("the host is no name of ASCII letters, digits, hyphens and dots")
    if address is None and _NUMBER.fullmatch(host.rpartition(".")[2]):
        raise AddressRefused("write an IPv4 address as four decimal numbers without leading zeros")
    if not here and (host == "localhost" or host.endswith(".localhost")):
        raise AddressRefused("the host is this machine itself")
    if address is not None and not here and not is_public(address):
        raise AddressRefused(f"{address} is no public address")


def _resolve(target: Target, seconds: float, *, loopback: bool) -> list[str]:
    """Every address of the host, all of them allowed. One that is not refuses the name: it points inside."""
    literal = _literal(target.host)
    found = [literal] if literal else _looked_up(target, seconds)
    if not found:
        raise OSError("the name has no address")
    if not all(is_public(address) or (loopback and address in _LOOPBACK) for address in found):
        raise AddressRefused(f"{target.host} has an address that is not public")
    return list(dict.fromkeys(map(str, found)))


def _looked_up(target: Target, seconds: float) -> list[Address]:
    """The resolver's answer in time: it cannot be interrupted, so it runs in a thread that nobody waits for."""
    answers: queue.SimpleQueue[list[Any] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answers.put(OSError(str(error)))

    threading.Thread(target=ask, name="webhook-resolver", daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError("the resolver did not answer") from None
    if isinstance(answer, OSError):
        raise answer
    return [ipaddress.ip_address(str(found[4][0]).partition("%")[0]) for found in answer]


def _send(target: Target, body: bytes, headers: Mapping[str, str], backend: _Pinned, context: ssl.SSLContext) -> int:
    host = f"[{target.host}]" if ":" in target.host else target.host
    sent = {"Host": host if target.port in (80, 443) else f"{host}:{target.port}", "Connection": "close", **headers}
    url = httpcore.URL(
        scheme=target.scheme.encode(), host=target.host.encode(), port=target.port, target=target.path.encode()
    )
    with (
        httpcore.ConnectionPool(ssl_context=context, network_backend=backend) as pool,
        pool.stream("POST", url, headers=list(sent.items()), content=body) as answer,
    ):
        return answer.status  # what else it says is of no interest, and of any length


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

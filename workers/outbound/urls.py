"""URL checks: what an address of a tenant's choice must look like, and where its name may lead.

Checked when the address is stored and again at every call: https, no user, no fragment, a public host. A name is
resolved once, every address it has must be public, and the caller connects to the very addresses that were checked, so
that a name which answers differently a moment later (DNS rebinding) changes nothing.
"""

from __future__ import annotations

import queue
import re
import socket
import threading
import time
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Any
from urllib.parse import urlsplit

from workers.errors import AddressRefused
from workers.outbound.public_addresses import Address, is_public, literal_address

MAX_URL_CHARS = 2_000
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
# What urlsplit lets pass around a host differs between patch releases, so the whole authority is matched here.
_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:]+)(:[0-9]*)?", re.IGNORECASE)
_NUMBER = re.compile(r"^(0x[0-9a-f]*|[0-9]+)$")  # a last label like this is an IPv4 address in some notation
_LOOPBACK = frozenset(map(ip_address, ("127.0.0.1", "::1")))
# A lookup cannot be interrupted. So many may hang at once; the next one is answered as one that took too long.
_lookups = threading.BoundedSemaphore(16)


@dataclass(frozen=True, slots=True)
class Target:
    """An address that passed every check that needs no network."""

    scheme: str
    host: str  # lower case, without brackets and without a trailing dot
    port: int
    path: str  # with its query


def check_url(url: str, *, loopback: bool = False) -> Target:
    """The parts of an address we may call. Raises AddressRefused saying why. Asks no network.

    `loopback` lets http:// and https:// to this very machine pass: for tests and development.
    """
    if len(url) > MAX_URL_CHARS or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise AddressRefused(
            f"an address has at most {MAX_URL_CHARS:,} visible ASCII characters and no backslash;"
            " write an international name in its xn-- form"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressRefused(f"the address cannot be read: {error}") from error
    host = (parts.hostname or "").removesuffix(".")
    here = loopback and (host == "localhost" or literal_address(host) in _LOOPBACK)
    if parts.scheme != "https" and not (parts.scheme == "http" and here):
        raise AddressRefused("messages go to https:// addresses only")
    if "@" in parts.netloc or parts.fragment or "#" in url:
        raise AddressRefused("an address has no user, no password and no fragment")
    if not _AUTHORITY.fullmatch(parts.netloc):
        raise AddressRefused("the address cannot be read: after https:// comes a host, and perhaps a port")
    if port == 0:
        raise AddressRefused("there is no port 0")
    _check_host(host, bracketed="[" in parts.netloc, here=here)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), path)


def check_new_url(url: str, *, seconds: float, loopback: bool = False) -> Target:
    """As `check_url`, and a name that resolves within `seconds` must lead outside. Raises AddressRefused.

    A name that does not resolve now is accepted: it may resolve later, and every call checks again.
    """
    target = check_url(url, loopback=loopback)
    try:
        resolve(target, seconds, loopback=loopback)
    except OSError:  # TimeoutError too
        return target
    return target


def resolve(target: Target, seconds: float, *, loopback: bool = False) -> list[str]:
    """Every address of the host, all of them allowed; one that is not refuses the name.

    Raises AddressRefused, TimeoutError after `seconds`, and OSError for a name without an address.
    """
    literal = literal_address(target.host)
    found = [literal] if literal else _looked_up(target, seconds)
    if not found:
        raise OSError("the name has no address")
    if not all(is_public(address) or (loopback and address in _LOOPBACK) for address in found):
        raise AddressRefused(f"{target.host} has an address that is not public")
    return list(dict.fromkeys(map(str, found)))


def _check_host(host: str, *, bracketed: bool, here: bool) -> None:
    address = literal_address(host)
    if bracketed != isinstance(address, IPv6Address):
        raise AddressRefused("an IPv6 address stands in brackets, and nothing else does")
    if address is None and not _HOST.fullmatch(host):
        raise AddressRefused("the host is no name of ASCII letters, digits, hyphens and dots")
    if address is None and _NUMBER.fullmatch(host.rpartition(".")[2]):
        raise AddressRefused("write an IPv4 address as four decimal numbers without leading zeros")
    if not here and (host == "localhost" or host.endswith(".localhost")):
        raise AddressRefused("the host is this machine itself")
    if address is not None and not here and not is_public(address):
        raise AddressRefused(f"{address} is no public address")


def _looked_up(target: Target, seconds: float) -> list[Address]:
    """The resolver's answer in time: it cannot be interrupted, so it runs in a thread that nobody waits for."""
    deadline = time.monotonic() + seconds
    places = _lookups
    if not places.acquire(timeout=seconds):
        raise TimeoutError("too many lookups wait for the resolver")
    answers: queue.SimpleQueue[list[Any] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answers.put(OSError(str(error)))
        finally:
            places.release()

    threading.Thread(target=ask, name="webhook-resolver", daemon=True).start()
    try:
        answer = answers.get(timeout=max(0.0, deadline - time.monotonic()))
    except queue.Empty:
        raise TimeoutError("the resolver did not answer") from None
    if isinstance(answer, OSError):
        raise answer
    return [ip_address(str(found[4][0])) for found in answer]

"""Client address: who is at the other end, behind the proxies that a setting names and no others.

A forwarding header is what any client may write. It is read only if the connection itself comes from a trusted proxy,
and from its right end: each trusted proxy vouches for the one entry that it added, and the first address that is no
trusted proxy is the client. What cannot be read ends the walk at the proxy that passed it on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.datastructures import Headers

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_PORT = r"(?::[0-9]{1,5})?"
_BRACKETED = re.compile(r"\[([0-9a-fA-F:.]+)\]" + _PORT)
_V4 = re.compile(r"([0-9.]+)" + _PORT)
# RFC 7239 section 4: forwarded-pair; the value is a token or a quoted string.
_PAIR = re.compile(
    r"""[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)|"((?:[^"\\]|\\.)*)")[ \t]*"""
)
_WIDER_BITS = 48  # of IPv6: what a provider commonly gives to one site


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """The proxies in front of the API, and the one header in which they name their client."""

    networks: tuple[Network, ...]
    header: str  # "x-forwarded-for" or "forwarded"

    @classmethod
    def parse(cls, networks: str, header: str) -> TrustedProxies:
        """From comma-separated networks. Raises ValueError naming the one that is none."""
        named = [text.strip() for text in networks.split(",") if text.strip()]
        return cls(tuple(ip_network(text) for text in named), header)

    def include(self, address: Address) -> bool:
        return any(address in network for network in self.networks)


def client_address(peer: str, headers: Headers, proxies: TrustedProxies) -> str:
    """The client's address in its one spelling; `peer` as it is where that is no IP address."""
    address = _parsed(peer)
    if address is None:
        return peer
    for hop in _hops(headers, proxies.header) if proxies.networks else ():
        if not proxies.include(address):
            break
        earlier = _parsed(hop)
        if earlier is None:
            break
        address = earlier
    return str(address)


def networks_of(address: str) -> tuple[str, ...]:
    """What counts as one caller, the narrowest first: an IPv4 address; the /64 of an IPv6 address and its /48."""
    parsed = _parsed(address)
    if isinstance(parsed, IPv6Address):
        return tuple(str(IPv6Network((parsed, bits), strict=False)) for bits in (64, _WIDER_BITS))
    return (str(parsed or address),)


def _parsed(text: str) -> Address | None:
    """An address, with or without a port: 192.0.2.1, 192.0.2.1:80, 2001:db8::1, [2001:db8::1]:80. No zones."""
    found = _BRACKETED.fullmatch(text) or _V4.fullmatch(text)
    try:
        address = ip_address(found.group(1) if found else text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return None if address.scope_id else address.ipv4_mapped or address
    return address


def _hops(headers: Headers, name: str) -> Iterator[str]:
    """What the proxies wrote, the latest first."""
    for line in reversed(headers.getlist(name)):
        written = _forwarded_for(line) if name == "forwarded" else [part.strip() for part in line.split(",")]
        yield from reversed(written)


def _forwarded_for(line: str) -> Sequence[str]:
    """The `for` of each element of a Forwarded field (RFC 7239), "" for an element without; [""] for a broken line."""
    elements: list[str] = []
    at, current = 0, ""
    while True:
        pair = _PAIR.match(line, at)
        if pair is None:
            return [""]
        name, token, quoted = pair.groups()
        if name.lower() == "for":
            current = token if token is not None else re.sub(r"\\(.)", r"\1", quoted)
        at = pair.end()
        if at == len(line):
            return [*elements, current]
        if line[at] == ",":
            elements, current = [*elements, current], ""
        elif line[at] != ";":
            return [""]
        at += 1

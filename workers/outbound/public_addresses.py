"""Public addresses: which IP addresses the internet routes to other people's machines.

The table is written down here because the standard library's own answer (`is_global`) changes from one patch release
to the next. Its rows are those of three registries:

    https://www.iana.org/assignments/iana-ipv4-special-registry
    https://www.iana.org/assignments/iana-ipv6-special-registry
    https://www.iana.org/assignments/ipv6-address-space           (2000::/3 is the only global unicast block)

It was compared on 2026-11-30, not with the registries themselves but with tables that others made of their state of
2025-10-09: every block that is not globally reachable there is refused here. Compare again where a row is in doubt.

The most specific row decides. An IPv4 address in no row is public. An IPv6 address is public only within 2000::/3 and
outside its upper part (2d00:: to 3fff::), of which nothing is assigned: a block that is assigned there, or beyond
2000::/3, is refused until this table names it. Gaps between the assignments below 2d00:: count as public. Where the
registry says "N/A" (tunnels), the row says no: the far end of a tunnel is chosen by the author of the address.
"""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address

# (block, globally reachable, name). Rows of the registries, then rows of our own.
_IPV4 = (
    ("0.0.0.0/8", False, "this network"),
    ("10.0.0.0/8", False, "private use"),
    ("100.64.0.0/10", False, "shared address space of carriers"),
    ("127.0.0.0/8", False, "loopback"),
    ("169.254.0.0/16", False, "link local, cloud metadata"),
    ("172.16.0.0/12", False, "private use"),
    ("192.0.0.0/24", False, "IETF protocol assignments"),
    ("192.0.0.9/32", True, "Port Control Protocol anycast"),
    ("192.0.0.10/32", True, "TURN anycast"),
    ("192.0.2.0/24", False, "documentation (TEST-NET-1)"),
    ("192.31.196.0/24", True, "AS112-v4"),
    ("192.52.193.0/24", True, "AMT"),
    ("192.88.99.0/24", False, "6to4 relay anycast, deprecated"),
    ("192.168.0.0/16", False, "private use"),
    ("192.175.48.0/24", True, "direct delegation AS112"),
    ("198.18.0.0/15", False, "benchmarking"),
    ("198.51.100.0/24", False, "documentation (TEST-NET-2)"),
    ("203.0.113.0/24", False, "documentation (TEST-NET-3)"),
    ("240.0.0.0/4", False, "reserved, and the broadcast address"),
    ("224.0.0.0/4", False, "multicast"),
    ("168.63.129.16/32", False, "public by its range; Azure answers its machines' secrets here"),
)
_IPV6 = (
    ("::/128", False, "unspecified"),
    ("::1/128", False, "loopback"),
    ("64:ff9b::/96", False, "NAT64: the registry says reachable, but the translator decides where it leads"),
    ("64:ff9b:1::/48", False, "NAT64 of a local network"),
    ("100::/64", False, "discard only"),
    ("100:0:0:1::/64", False, "dummy prefix"),
    ("2000::/3", True, "global unicast"),
    ("2001::/23", False, "IETF protocol assignments"),
    ("2001::/32", False, "Teredo"),
    ("2001:1::1/128", True, "Port Control Protocol anycast"),
    ("2001:1::2/128", True, "TURN anycast"),
    ("2001:1::3/128", True, "DNS-SD service registration anycast"),
    ("2001:2::/48", False, "benchmarking"),
    ("2001:3::/32", True, "AMT"),
    ("2001:4:112::/48", True, "AS112-v6"),
    ("2001:10::/28", False, "ORCHID, deprecated"),
    ("2001:20::/28", True, "ORCHIDv2"),
    ("2001:30::/28", True, "drone remote identification"),
    ("2001:db8::/32", False, "documentation"),
    ("2002::/16", False, "6to4"),
    ("2620:4f:8000::/48", True, "direct delegation AS112"),
    ("2d00::/8", False, "unassigned part of global unicast"),
    ("2e00::/7", False, "unassigned part of global unicast"),
    ("3000::/4", False, "unassigned part of global unicast, and the old 6bone"),
    ("3fff::/20", False, "documentation"),
    ("5f00::/16", False, "segment routing identifiers"),
    ("fc00::/7", False, "unique local"),
    ("fe80::/10", False, "link local"),
    ("fec0::/10", False, "site local, deprecated"),
    ("ff00::/8", False, "multicast"),
    ("::/96", False, "IPv4-compatible, deprecated"),
    ("::ffff:0:0:0/96", False, "IPv4-translated"),
)
V4_ROWS = tuple(sorted(((IPv4Network(b), r, n) for b, r, n in _IPV4), key=lambda row: -row[0].prefixlen))
V6_ROWS = tuple(sorted(((IPv6Network(b), r, n) for b, r, n in _IPV6), key=lambda row: -row[0].prefixlen))


def is_public(address: Address) -> bool:
    """Whether the address leads to a machine on the public internet, by the table above.

    An IPv4-mapped address (::ffff:a.b.c.d) is the IPv4 address that a socket connects to, so that one is judged.
    An address with a zone (fe80::1%eth0) is never public.
    """
    if isinstance(address, IPv4Address):
        return next((reachable for block, reachable, _ in V4_ROWS if address in block), True)
    if address.scope_id is not None:
        return False
    if address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    return next((reachable for block, reachable, _ in V6_ROWS if address in block), False)


def literal_address(text: str) -> Address | None:
    """The address that `text` spells out in the standard notation, else None."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None

"""Table of special-purpose blocks: each row at its ends and beside them, whatever Python runs it."""

from __future__ import annotations

import ast
import ipaddress

import pytest

from tests.support.repository import modules, nodes
from workers.outbound.public_addresses import V4_ROWS, V6_ROWS, is_public


@pytest.mark.parametrize("row", [*V4_ROWS, *V6_ROWS], ids=lambda row: str(row[0]))
def test_every_row_decides_at_both_ends_of_its_block(row: tuple[ipaddress.IPv4Network, bool, str]) -> None:
    block, reachable, name = row
    assert name
    rows = V4_ROWS if block.version == 4 else V6_ROWS
    inner = [other for other, _, _ in rows if other != block and other.subnet_of(block)]  # type: ignore[arg-type]
    ends = [end for end in (block[0], block[-1]) if not any(end in other for other in inner)]
    assert ends or inner
    assert [is_public(end) for end in ends] == [reachable] * len(ends)


@pytest.mark.parametrize(
    ("text", "public"),
    {
        **dict.fromkeys(("1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0"), True),
        **dict.fromkeys(("192.0.0.9", "192.0.0.10", "192.0.1.0", "192.88.98.255", "198.17.255.255"), True),
        **dict.fromkeys(("192.0.0.7", "192.0.0.8", "192.0.0.11", "192.0.0.170", "192.88.99.2"), False),
        **dict.fromkeys(("223.255.255.255", "2606:4700::1", "2001:200::1", "2001:4860::8888"), True),
        **dict.fromkeys(("224.0.0.0", "255.255.255.255", "168.63.129.16", "169.254.169.254", "100.100.100.200"), False),
        **dict.fromkeys(("::ffff:8.8.8.8", "2001:1::1", "2001:20::1"), True),
        **dict.fromkeys(("::ffff:10.0.0.1", "::10.0.0.1", "::8.8.8.8", "2001:1::4", "2001:10::1"), False),
        **dict.fromkeys(("2c0f:f248::1", "2a00:1450::1", "2400:cb00::1", "2800:3f0::1"), True),
        **dict.fromkeys(("3000::1", "2d00::1", "2e00::1", "3ffe::1", "3fff:ffff::1"), False),
        **dict.fromkeys(("fec0::1", "fed0::1", "4000::1", "200::1", "1::1", "fe00::1", "e000::1"), False),
    }.items(),
)
def test_addresses_beside_and_within_the_blocks(text: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(text)) is public


def test_an_address_with_a_zone_is_on_a_link_of_this_machine() -> None:
    assert not is_public(ipaddress.ip_address("2606:4700::1%eth0"))


def test_the_standard_librarys_own_answer_is_asked_nowhere() -> None:
    """It differs between patch releases, so two workers of one installation would disagree."""
    own = {"is_global", "is_private", "is_reserved", "is_site_local", "is_link_local", "is_multicast", "is_unspecified"}
    asking = [
        path
        for path in modules("api", "workers")
        for node in nodes(path, ast.Attribute)
        if isinstance(node, ast.Attribute) and node.attr in own
    ]
    assert asking == []

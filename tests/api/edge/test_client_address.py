"""Client addresses: which forwarding header is believed, and what hostile values of it lead to."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from starlette.datastructures import Headers

from api.edge.limits.client_address import TrustedProxies, client_address, networks_of
from workers.settings import Settings

PROXIES = TrustedProxies.parse("10.0.0.0/8, 2001:db8:ff::/48", "x-forwarded-for")
RFC7239 = TrustedProxies.parse("10.0.0.0/8", "forwarded")


def headers(name: str, *lines: str) -> Headers:
    return Headers(raw=[(name.lower().encode(), line.encode("latin-1")) for line in lines])


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "10.0.0.1", "203.0.113.1"])
def test_without_a_setting_no_header_is_believed_from_anywhere(peer: str) -> None:
    """A13: loopback was trusted by the server library's default."""
    nobody = TrustedProxies.parse("", "x-forwarded-for")
    assert client_address(peer, headers("X-Forwarded-For", "198.51.100.7"), nobody) == peer


@pytest.mark.parametrize(
    ("peer", "lines", "client"),
    [
        ("10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("::ffff:10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("2001:db8:ff::1", ["2001:db8::7"], "2001:db8::7"),
        ("203.0.113.1", ["198.51.100.7"], "203.0.113.1"),  # no proxy of ours
        ("10.0.0.1", [], "10.0.0.1"),
        # what the client wrote itself stands to the left of what the proxy added
        ("10.0.0.1", ["1.2.3.4, 198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["1.2.3.4", "198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["1.2.3.4, 198.51.100.7, 10.0.0.2, 10.0.0.3"], "198.51.100.7"),
        ("10.0.0.1", ["10.9.9.9, 10.0.0.2"], "10.9.9.9"),
        # spellings of one address
        ("10.0.0.1", ["198.51.100.7:61234"], "198.51.100.7"),
        ("10.0.0.1", ["[2001:DB8::7]:443"], "2001:db8::7"),
        ("10.0.0.1", ["[2001:db8:0:0::7]"], "2001:db8::7"),
        ("10.0.0.1", ["::ffff:198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["  198.51.100.7  "], "198.51.100.7"),
        # garbage: the caller is the proxy that passed it on
        *(
            ("10.0.0.1", [garbage], "10.0.0.1")
            for garbage in (
                *("", ",", ",,,", "unknown", "_hidden", "localhost", "999.1.1.1", "1.2.3", "0x7f.1", "010.1.1.1"),
                *("fe80::1%eth0", "[::1", "::1]", "[]:80", "[1.2.3.4]:x", "1.2.3.4:", "1.2.3.4:123456", "1.2.3.4 5"),
                *("\x00", "\xff\xfe", "1.2.3.4\t;", "<script>", "a" * 10_000),
            )
        ),
        ("10.0.0.1", ["198.51.100.7, garbage, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", [", ".join(["198.51.100.7"] + ["10.0.0.2"] * 5_000)], "198.51.100.7"),
    ],
)
def test_x_forwarded_for_is_read_from_its_right_end_up_to_the_first_other_address(
    peer: str, lines: list[str], client: str
) -> None:
    assert client_address(peer, headers("X-Forwarded-For", *lines), PROXIES) == client


@pytest.mark.parametrize(
    ("lines", "client"),
    [
        (["for=198.51.100.7"], "198.51.100.7"),
        (['For="[2001:db8::7]:4711";proto=https;by=203.0.113.43'], "2001:db8::7"),
        (["for=1.2.3.4, for=198.51.100.7"], "198.51.100.7"),
        (["for=1.2.3.4", "for=198.51.100.7;host=example.com"], "198.51.100.7"),
        (['for="198.51.100\\.7"'], "198.51.100.7"),
        *(
            ([garbage], "10.0.0.1")
            for garbage in (
                *("", "for", "for=", "for=unknown", "for=_x", "proto=https", 'for="', 'for="1.2.3.4', "for=[::1]"),
                *("for=1.2.3.4;;", "for=1.2.3.4,", "198.51.100.7", 'for="a, for=1.1.1.1, for="198.51.100.7"'),
            )
        ),
        # a quote that the client left open does not reach into what the proxy added on a line of its own
        (['for="1.2.3.4', "for=198.51.100.7"], "198.51.100.7"),
    ],
)
def test_forwarded_is_read_by_its_grammar_or_not_at_all(lines: list[str], client: str) -> None:
    assert client_address("10.0.0.1", headers("Forwarded", *lines), RFC7239) == client


def test_only_the_header_that_the_proxies_set_is_read() -> None:
    """A proxy that sets one header passes the other on as the client wrote it."""
    assert client_address("10.0.0.1", headers("Forwarded", "for=1.2.3.4"), PROXIES) == "10.0.0.1"
    assert client_address("10.0.0.1", headers("X-Forwarded-For", "1.2.3.4"), RFC7239) == "10.0.0.1"


@pytest.mark.parametrize("peer", ["", "testclient", "unix"])
def test_a_peer_without_an_address_is_itself(peer: str) -> None:
    assert client_address(peer, headers("X-Forwarded-For", "1.2.3.4"), PROXIES) == peer
    assert networks_of(peer) == (peer,)


@pytest.mark.parametrize(
    ("address", "networks"),
    [
        ("192.0.2.7", ("192.0.2.7",)),
        ("::ffff:192.0.2.7", ("192.0.2.7",)),
        ("2001:db8:1:2:3:4:5:6", ("2001:db8:1:2::/64", "2001:db8:1::/48")),
    ],
)
def test_one_subscriber_is_one_address(address: str, networks: tuple[str, ...]) -> None:
    assert networks_of(address) == networks


@pytest.mark.parametrize("networks", ["10.0.0.1/8", "proxy.example", "10.0.0.0/8;::1", "*"])
def test_trusted_proxies_that_are_no_networks_are_refused_at_the_start(networks: str) -> None:
    with pytest.raises(ValidationError, match="trusted_proxies"):
        Settings(database_url="postgresql://x", trusted_proxies=networks)

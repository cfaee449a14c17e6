"""URL checks: what is refused in every notation, and names that lead inside."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

from workers.errors import AddressRefused
from workers.outbound import urls
from workers.outbound.post import post
from workers.outbound.urls import check_new_url, check_url

ALLOWED = {
    "https://example.com/hook": ("example.com", 443, "/hook"),
    "https://Example.COM:8443": ("example.com", 8443, "/"),
    "https://hooks.example.com./a?b=c%20d": ("hooks.example.com", 443, "/a?b=c%20d"),
    "https://xn--bcher-kva.example/": ("xn--bcher-kva.example", 443, "/"),
    "https://8.8.8.8/": ("8.8.8.8", 443, "/"),
    "https://[2606:4700:4700::1111]/": ("2606:4700:4700::1111", 443, "/"),
    "https://192.0.0.9/": ("192.0.0.9", 443, "/"),
}
REFUSED = [
    *("http://example.com/", "ftp://example.com/", "file:///etc/passwd", "//example.com/", "example.com", ""),
    *("https://user@example.com/", "https://user:secret@example.com/", "https://example.com@10.0.0.1/"),
    *("https://example.com/#part", "https://example.com/#", "https://example.com\\@10.0.0.1/", "https://a b.example/"),
    *("https://example.com:0x50/", "https://example.com:99999/", "https:///hook", "https://"),
    *("https://bücher.example/", "https://example.com/\n", "https://exa\tmple.com/", "https://-a.example/"),
    *("https://localhost/", "https://LOCALHOST./", "https://api.localhost/", "http://localhost/", "http://127.0.0.1/"),
    # private, link-local, metadata and other addresses that are not for everybody, in every notation
    *("https://127.0.0.1/", "https://127.1/", "https://2130706433/", "https://0x7f000001/", "https://0x7f.1/"),
    *("https://0177.0.0.1/", "https://017700000001/", "https://127.000.000.001/", "https://0/", "https://0.0.0.0/"),
    *("https://10.0.0.1/", "https://172.16.0.1/", "https://192.168.1.1/", "https://100.64.0.1/", "https://198.18.0.1/"),
    *("https://169.254.169.254/latest/", "https://2852039166/", "https://0xa9fea9fe/", "https://168.63.129.16/"),
    *("https://224.0.0.1/", "https://240.0.0.1/", "https://255.255.255.255/", "https://192.0.2.1/"),
    *("https://[::1]/", "https://[::]/", "https://[fe80::1]/", "https://[fe80::1%25eth0]/", "https://[fd00:ec2::254]/"),
    *("https://[::ffff:127.0.0.1]/", "https://[::ffff:a9fe:a9fe]/", "https://[::127.0.0.1]/", "https://[ff02::1]/"),
    # blocks that one patch release of the standard library calls public
    *(
        "https://[fec0::1]/",
        "https://192.0.0.8/",
        "https://[100:0:0:1::1]/",
        "https://[3fff::1]/",
        "https://[5f00::1]/",
    ),
    *("https://192.88.99.1/", "https://[4000::1]/", "https://[64:ff9b:1::808:808]/", "https://[64:ff9b::808:808]/"),
    *(
        "https://[2002:808:808::1]/",
        "https://[2001:0:808:808::1]/",
        "https://[::808:808]/",
        "https://[::ffff:0:808:808]/",
    ),
    # spellings
    *("https://10.0.0.1./", "https://10.0.0.1../", "https://example.com../", "https://[8.8.8.8]/", "https://8.8.8/"),
    *("https://[2606:4700::1%25eth0]/", "https://[2606:4700::1]evil/", "https://%31%30.0.0.1/", "https://8.8.8.8:0/"),
    *(
        "https://\uff11\uff10.0.0.1/",
        "https://10\u30020.0.1/",
        "https://0x8.8.8.8/",
        "https://010.8.8.8/",
        "https://8.8.8.0x8/",
    ),
    *(
        "https://10.0.0.1:443@example.com/",
        "https://example.com:443:80/",
        "https://example.com:-1/",
        "https://.example/",
    ),
    *("https://[64:ff9b::a9fe:a9fe]/", "https://[2002:7f00:1::]/", "https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/"),
    "https://example.com/" + "a" * 2_000,
]


@pytest.mark.parametrize(("url", "parts"), ALLOWED.items())
def test_public_addresses_over_tls_pass(url: str, parts: tuple[str, int, str]) -> None:
    target = check_url(url)
    assert (target.scheme, target.host, target.port, target.path) == ("https", *parts)


@pytest.mark.parametrize("url", REFUSED)
def test_what_is_not_public_or_not_over_tls_is_refused(url: str) -> None:
    with pytest.raises(AddressRefused):
        check_url(url)
    assert post(url, b"{}", {}, seconds=1.0).error == "address_refused"


@pytest.mark.parametrize("url", ["http://127.0.0.1:8/x", "http://localhost:8/x", "https://[::1]:8/"])
def test_this_machine_is_called_where_a_setting_says_so_and_nowhere_else(url: str) -> None:
    assert check_url(url, loopback=True).port == 8
    with pytest.raises(AddressRefused):
        check_url(url)


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/", "http://169.254.169.254/", "https://192.168.0.1/", "http://a.example/"]
)
def test_the_setting_for_this_machine_opens_no_other(url: str) -> None:
    with pytest.raises(AddressRefused):
        check_url(url, loopback=True)


def _resolver(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in addresses]
    monkeypatch.setattr(urls.socket, "getaddrinfo", lambda *_, **__: found)


@pytest.mark.parametrize(
    "addresses",
    [
        *(("10.0.0.1",), ("169.254.169.254",), ("fec0::1",), ("192.0.0.8",), ("8.8.8.8", "127.0.0.1")),
        *(("::ffff:10.0.0.1",), ("64:ff9b::a00:1",), ("fe80::1%eth0",)),
    ],
)
def test_a_new_name_that_leads_inside_is_refused(monkeypatch: pytest.MonkeyPatch, addresses: tuple[str, ...]) -> None:
    _resolver(monkeypatch, *addresses)
    with pytest.raises(AddressRefused, match="not public"):
        check_new_url("https://inside.example/", seconds=1.0)


def test_a_new_name_that_leads_outside_or_nowhere_yet_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    _resolver(monkeypatch, "8.8.8.8", "2606:4700::1")
    assert check_new_url("https://outside.example/", seconds=1.0).host == "outside.example"

    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(urls.socket, "getaddrinfo", unknown)
    assert check_new_url("https://later.example/", seconds=1.0).host == "later.example"


def test_resolvers_that_hang_hold_a_bounded_number_of_threads_and_no_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    end, asked = threading.Event(), []

    def hang(host: str, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        end.wait(30)
        return []

    monkeypatch.setattr(urls.socket, "getaddrinfo", hang)
    monkeypatch.setattr(urls, "_lookups", threading.BoundedSemaphore(2))
    try:
        for n in range(5):
            assert check_new_url(f"https://slow{n}.example/", seconds=0.05).host == f"slow{n}.example"
        assert len(asked) == 2
    finally:
        end.set()

"""Calls to addresses that tenants choose: what is refused, in every notation, and what ends by its deadline."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.receiver import Receiver, receiving
from workers import outbound
from workers.errors import AddressRefused
from workers.outbound import check_url, is_public, post

HEADERS = {"Content-Type": "application/json"}

ALLOWED = {
    "https://example.com/hook": ("example.com", 443, "/hook"),
    "https://Example.COM:8443": ("example.com", 8443, "/"),
    "https://hooks.example.com./a?b=c%20d": ("hooks.example.com", 443, "/a?b=c%20d"),
    "https://xn--bcher-kva.example/": ("xn--bcher-kva.example", 443, "/"),
    "https://8.8.8.8/": ("8.8.8.8", 443, "/"),
    "https://[2606:4700:4700::1111]/": ("2606:4700:4700::1111", 443, "/"),
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
    assert post(url, b"{}", HEADERS, seconds=1.0).error == "address_refused"


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


def _resolves_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """The resolver says these, one answer a question, and nobody is asked; the names it was asked."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def resolve(host: str, port: int, *more: Any, **options: Any) -> list[Any]:
        if host[0].isdigit():  # connecting to an address asks, too
            return real(host, port, *more, **options)
        asked.append(host)
        found = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(outbound.socket, "getaddrinfo", resolve)
    return asked


@pytest.mark.parametrize("answer", [["10.0.0.1"], ["127.0.0.1"], ["8.8.8.8", "169.254.169.254"], ["::ffff:10.0.0.1"]])
def test_a_name_that_points_inside_is_refused_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch, answer: list[str]
) -> None:
    _resolves_to(monkeypatch, answer)
    assert post("https://inside.example/", b"{}", HEADERS, seconds=1.0).error == "address_refused"


def test_a_name_is_resolved_once_and_the_checked_address_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rebinding: the second answer, which would lead elsewhere, is never asked for."""
    with receiving() as receiver:
        asked = _resolves_to(monkeypatch, ["127.0.0.1"], ["10.0.0.1"])
        answer = post(f"http://localhost:{receiver.port}/x", b"{}", HEADERS, seconds=2.0, loopback=True)
        assert (answer.status, answer.error, asked) == (204, None, ["localhost"])
        assert receiver.got[0].headers["host"] == f"localhost:{receiver.port}"


def test_is_public_knows_every_kind_of_address() -> None:
    for text, public in {"1.1.1.1": True, "168.63.129.16": False, "2606:4700::1": True, "::ffff:8.8.8.8": True}.items():
        assert is_public(ipaddress.ip_address(text)) is public, text


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


def test_a_proxy_of_the_environment_is_not_asked(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert post(receiver.url, b"{}", HEADERS, seconds=2.0, loopback=True).status == 204


@pytest.mark.parametrize(
    ("status", "error"), [(200, None), (202, None), (301, "redirect"), (400, "status"), (503, "status")]
)
def test_a_status_is_told_with_a_code(receiver: Receiver, status: int, error: str | None) -> None:
    receiver.status = status
    answer = post(receiver.url, b"{}", HEADERS, seconds=2.0, loopback=True)
    assert (answer.status, answer.error) == (status, error)


def test_nobody_there_a_silent_one_and_one_who_speaks_another_protocol() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert post(f"http://127.0.0.1:{port}/", b"{}", HEADERS, seconds=0.3, loopback=True).error == "timeout"
        assert post(f"https://127.0.0.1:{port}/", b"{}", HEADERS, seconds=0.3, loopback=True).error == "timeout"
    assert post(f"http://127.0.0.1:{port}/", b"{}", HEADERS, seconds=2.0, loopback=True).error == "connection"
    with receiving() as plain:
        url = plain.url.replace("http:", "https:")
        assert post(url, b"{}", HEADERS, seconds=2.0, loopback=True).error == "tls"
        assert plain.got == []


def test_a_name_that_does_not_exist_is_unresolved() -> None:
    assert post("https://no-such-name.invalid/", b"{}", HEADERS, seconds=5.0).error in ("unresolved", "timeout")


def _certificate(folder: Path, name: str) -> Path:
    """A certificate for `name`, its own root, and its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.parametrize(("name", "error"), [("localhost", None), ("another.example", "tls")])
def test_the_certificate_must_be_for_the_name_not_for_the_address(tmp_path: Path, name: str, error: str | None) -> None:
    path = _certificate(tmp_path, name)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    trusting = ssl.create_default_context(cafile=str(path))
    with receiving(server) as receiver:
        url = f"https://localhost:{receiver.port}/x"
        answer = post(url, b"{}", HEADERS, seconds=3.0, loopback=True, context=trusting)
        assert answer.error == error
        assert len(receiver.got) == (1 if error is None else 0)
        assert post(url, b"{}", HEADERS, seconds=3.0, loopback=True).error == "tls", "a root nobody knows"

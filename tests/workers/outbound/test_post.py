"""POST to an address that a tenant chose: what is refused, what is told, and what ends by its deadline."""

from __future__ import annotations

import datetime
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
from workers.outbound import urls
from workers.outbound.post import post, retry_after_seconds

HEADERS = {"Content-Type": "application/json"}


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

    monkeypatch.setattr(urls.socket, "getaddrinfo", resolve)
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


DATE = "Mon, 30 Nov 2026 07:00:00 GMT"


@pytest.mark.parametrize(
    ("retry_after", "date", "seconds"),
    [
        ("3600", "", 3600.0),
        (" 0 ", "", 0.0),
        ("Mon, 30 Nov 2026 08:00:00 GMT", DATE, 3600.0),
        ("Mon, 30 Nov 2026 06:00:00 GMT", DATE, 0.0),
        *(
            (nonsense, DATE, None)
            for nonsense in ("", "-1", "1.5", "soon", "9" * 40, "\u0663", "Mon, 99 Nov 2026", "0x10")
        ),
    ],
)
def test_a_receivers_wish_is_read_in_both_forms_and_nonsense_is_none(
    retry_after: str, date: str, seconds: float | None
) -> None:
    assert retry_after_seconds(retry_after, date) == seconds


def test_a_date_without_the_receivers_clock_is_measured_by_ours() -> None:
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
    seconds = retry_after_seconds(later.strftime("%a, %d %b %Y %H:%M:%S GMT"), "not a date")
    assert seconds is not None
    assert 0 < seconds <= 3600


def test_the_wait_that_a_receiver_asks_for_is_told(receiver: Receiver) -> None:
    receiver.status, receiver.headers = 429, {"Retry-After": "3600"}
    answer = post(receiver.url, b"{}", HEADERS, seconds=2.0, loopback=True)
    assert (answer.status, answer.error, answer.retry_after_seconds) == (429, "status", 3600.0)

"""Time-stamp authority (RFC 3161), small, on loopback, and real enough for the C2PA library: signed, with a chain.

DER by hand, as `cryptography` signs CMS messages of plain data only, and a time stamp is one of TSTInfo.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_SIGNED_DATA = "2a864886f70d010702"
_TST_INFO = "2a864886f70d0109100104"
_CONTENT_TYPE, _MESSAGE_DIGEST = "2a864886f70d010903", "2a864886f70d010904"
_SIGNING_CERTIFICATE_V2 = "2a864886f70d010910022f"
_SHA256, _ECDSA_SHA256 = "608648016503040201", "2a8648ce3d040302"
_POLICY = "2a0304"


def der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    if len(content) < 128:
        return bytes([tag, len(content)]) + content
    size = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + content


def sequence(*parts: bytes) -> bytes:
    return der(0x30, *parts)


def identifier(encoded: str) -> bytes:
    return der(0x06, bytes.fromhex(encoded))


def integer(number: int) -> bytes:
    return der(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def attribute(kind: str, value: bytes) -> bytes:
    return sequence(identifier(kind), der(0x31, value))


def parts_of(content: bytes) -> list[tuple[int, bytes]]:
    """Tag and whole encoding of each part of a DER sequence's content."""
    found, at = [], 0
    while at < len(content):
        size, start = content[at + 1], at + 2
        if size & 0x80:
            width = size & 0x7F
            size, start = int.from_bytes(content[start : start + width], "big"), start + width
        found.append((content[at], content[at : start + size]))
        at = start + size
    return found


def inside(encoded: bytes) -> bytes:
    width = encoded[1] & 0x7F if encoded[1] & 0x80 else 0
    return encoded[2 + width :]


@dataclass
class Authority:
    """Its root to trust, its address while it is open, and what it does: "stamp", "refuse" or "lie"."""

    root: str
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    url: str = ""
    manner: str = "stamp"
    asked: list[bytes] = field(default_factory=list)

    def answer(self, request: bytes) -> bytes:
        self.asked.append(request)
        if self.manner == "refuse":
            return sequence(sequence(integer(2)))  # rejection
        _, imprint, *rest = (part for _, part in parts_of(inside(request)))
        nonce = [part for part in rest if part[0] == 0x02]
        if self.manner == "lie":
            imprint = imprint[:-1] + bytes([imprint[-1] ^ 1])
        when = der(0x18, datetime.now(UTC).strftime("%Y%m%d%H%M%SZ").encode())
        stamped = sequence(integer(1), identifier(_POLICY), imprint, integer(len(self.asked)), when, *nonce)
        return sequence(sequence(integer(0)), sequence(identifier(_SIGNED_DATA), der(0xA0, self._signed(stamped))))

    def _signed(self, stamped: bytes) -> bytes:
        certificate = self.certificate.public_bytes(serialization.Encoding.DER)
        attributes = b"".join(
            sorted(
                [
                    attribute(_CONTENT_TYPE, identifier(_TST_INFO)),
                    attribute(_MESSAGE_DIGEST, der(0x04, sha256(stamped).digest())),
                    attribute(
                        _SIGNING_CERTIFICATE_V2,
                        sequence(sequence(sequence(der(0x04, sha256(certificate).digest())))),
                    ),
                ]
            )
        )
        signature = self.key.sign(der(0x31, attributes), ec.ECDSA(hashes.SHA256()))
        digest = sequence(identifier(_SHA256))
        issuer = sequence(self.certificate.issuer.public_bytes(), integer(self.certificate.serial_number))
        signer = sequence(
            integer(1),
            issuer,
            digest,
            der(0xA0, attributes),
            sequence(identifier(_ECDSA_SHA256)),
            der(0x04, signature),
        )
        content = sequence(identifier(_TST_INFO), der(0xA0, der(0x04, stamped)))
        return sequence(integer(3), der(0x31, digest), content, der(0xA0, certificate), der(0x31, signer))


@contextmanager
def open_authority() -> Iterator[Authority]:
    authority = _made()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer = authority.answer(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-type", "application/timestamp-reply")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    authority.url = f"http://127.0.0.1:{server.server_port}/"
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield authority
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _made() -> Authority:
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _certificate("A time-stamp root", root_key, root_key, authority=True)
    certificate = _certificate("A time-stamp authority", key, root_key, authority=False)
    return Authority(root.public_bytes(serialization.Encoding.PEM).decode(), certificate, key)


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, issuer_key: ec.EllipticCurvePrivateKey, *, authority: bool
) -> x509.Certificate:
    now = datetime.now(UTC)
    usage = x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name("A time-stamp root"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if not authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
    return builder.sign(issuer_key, hashes.SHA256())


def _name(common: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tests"), x509.NameAttribute(NameOID.COMMON_NAME, common)]
    )

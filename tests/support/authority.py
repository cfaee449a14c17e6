"""Certificate authority of a test: issues certificates for servers on loopback, and says how to trust it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True)
class Authority:
    """Files in one folder: `ca` is what clients trust; `certificate` and `key` are of a server on 127.0.0.1."""

    ca: Path
    certificate: Path
    key: Path

    def server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


def make_authority(folder: Path, *, name: str = "localhost") -> Authority:
    """A new one, and a certificate for `name`; on loopback by number too where that is localhost."""
    own, servers = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _named("A test's authority")
    numbers = [x509.IPAddress(ip_address("127.0.0.1"))] if name == "localhost" else []
    names = x509.SubjectAlternativeName([x509.DNSName(name), *numbers])
    made = Authority(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    made.ca.write_bytes(_issued(root, root, own, own, x509.BasicConstraints(ca=True, path_length=0)))
    made.certificate.write_bytes(_issued(_named(name), root, servers, own, names))
    private = serialization.PrivateFormat.PKCS8
    made.key.write_bytes(servers.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption()))
    made.key.chmod(0o600)
    return made


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _issued(
    name: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    by: ec.EllipticCurvePrivateKey,
    extension: x509.ExtensionType,
) -> bytes:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(issuer, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))
    made = builder.add_extension(extension, critical=False).sign(by, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM)

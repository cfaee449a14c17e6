"""Development certificate chain for C2PA signing: a root and one leaf, made once.

Production brings a certificate from an authority on the C2PA trust list; the files have the same form. The root's
private key is never written, so nobody, the operator included, can issue a second leaf under it.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# Without a time-stamp a signature is worth what its certificate is worth today, so a short life would
# turn yesterday's pictures invalid. Ten years, because nobody renews a development certificate.
_VALID_DAYS = 3650
# Clocks of machines that read the first picture may be a little behind ours.
_BACKDATED = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Chain:
    """The paths of the files of one chain."""

    certificate: Path
    key: Path
    anchors: Path


def make_development_chain(directory: Path) -> Chain:
    """The chain in this directory: signing.pem (leaf, then root), signing.key (0600), anchors.pem.

    Makes missing files and leaves a finished chain alone. Several processes may call it at once: one makes the chain,
    the others wait. signing.pem is written last, so a process that dies earlier leaves a state in which all three are
    made anew.
    """
    chain = Chain(directory / "signing.pem", directory / "signing.key", directory / "anchors.pem")
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "chain.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not chain.certificate.exists():
            _make(chain)
    return chain


def _make(chain: Chain) -> None:
    root_key, leaf_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _certificate("Development root", root_key, issuer_key=root_key, authority=True)
    leaf = _certificate("Development signer", leaf_key, issuer_key=root_key, authority=False)
    pkcs8 = leaf_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(chain.anchors, _pem(root), mode=0o644)
    _write(chain.key, pkcs8, mode=0o600)
    _write(chain.certificate, _pem(leaf) + _pem(root), mode=0o644)


def _certificate(
    common_name: str, key: ec.EllipticCurvePrivateKey, *, issuer_key: ec.EllipticCurvePrivateKey, authority: bool
) -> x509.Certificate:
    """One certificate by the profile of the C2PA specification 2.2, section 14.5.1 (claim signers)."""
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
        .subject_name(_name(common_name))
        .issuer_name(_name("Development root"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + timedelta(days=_VALID_DAYS))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=0 if authority else None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if not authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Presswork development, not for production"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write(path: Path, content: bytes, *, mode: int) -> None:
    """Writes the whole file or nothing. Nobody else can read it before it has its mode."""
    half = path.with_name(path.name + ".half")
    half.unlink(missing_ok=True)
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    half.rename(path)

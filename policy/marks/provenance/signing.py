"""Signing of manifests: a Signer with a certificate chain and a key, in a file or behind a key service.

A picture is never released unsigned. `check` runs before each signature, because the C2PA library signs without
complaint with a key that does not match its certificate, or with a certificate that has expired.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from policy.errors import SigningUnavailable

_HASHES: dict[str, hashes.HashAlgorithm] = {"es256": hashes.SHA256(), "es384": hashes.SHA384()}
_ALGORITHMS = {"secp256r1": "es256", "secp384r1": "es384"}


class Signer(Protocol):
    """A key that signs, shaped like a key management service: the private key need not be in this process."""

    @property
    def certificate_chain(self) -> str:
        """PEM: the leaf first, then the certificates that lead to the root."""

    @property
    def algorithm(self) -> str:
        """The COSE name in small letters: "es256" or "es384"."""

    def sign(self, data: bytes) -> bytes:
        """The ECDSA signature of these bytes, DER as key services return it. Called from several threads."""


class LocalSigner:
    """A Signer with its key in memory, read once from files."""

    def __init__(self, certificate_chain: str, key: ec.EllipticCurvePrivateKey) -> None:
        self.certificate_chain = certificate_chain
        self.algorithm = _algorithm(key.public_key())
        self._key = key

    @classmethod
    def from_files(cls, certificate: Path, key: Path) -> LocalSigner:
        """Raises SigningUnavailable, naming the file, where one is missing, unreadable or not PEM of its kind."""
        chain = _read(certificate)
        private = _read(key)
        try:
            loaded = serialization.load_pem_private_key(private, password=None)
        except (ValueError, TypeError) as error:
            raise SigningUnavailable(f"{key} is not an unencrypted private key in PEM form: {error}") from error
        if not isinstance(loaded, ec.EllipticCurvePrivateKey):
            raise SigningUnavailable(f"{key} is not an elliptic curve key; P-256 and P-384 keys can sign")
        signer = cls(chain.decode("ascii", errors="replace"), loaded)
        check(signer)
        return signer

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data, ec.ECDSA(_HASHES[self.algorithm]))


def check(signer: Signer) -> None:
    """Raises SigningUnavailable unless the certificate is valid now and the key belongs to it.

    It signs once, so with a key service it costs one call: it is meant for the start of a process. `check_dates` is the
    part that can change afterwards.
    """
    check_dates(signer)
    leaf = _leaf(signer)
    public = leaf.public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey) or _algorithm(public) != signer.algorithm:
        raise SigningUnavailable(f"the certificate {_who(leaf)} holds another kind of key than {signer.algorithm}")
    challenge = os.urandom(32)
    try:
        public.verify(signer.sign(challenge), challenge, ec.ECDSA(_HASHES[signer.algorithm]))
    except InvalidSignature as error:
        raise SigningUnavailable(f"the private key does not belong to the certificate {_who(leaf)}") from error


def check_dates(signer: Signer) -> None:
    """Raises SigningUnavailable if a certificate of the chain has expired or is not valid yet."""
    now = datetime.now(UTC)
    for certificate in _chain(signer):
        if now > certificate.not_valid_after_utc:
            raise SigningUnavailable(
                f"the certificate {_who(certificate)} expired on {certificate.not_valid_after_utc:%Y-%m-%d}: renew it"
            )
        if now < certificate.not_valid_before_utc:
            raise SigningUnavailable(
                f"the certificate {_who(certificate)} is valid only from {certificate.not_valid_before_utc:%Y-%m-%d}:"
                " check this machine's clock"
            )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SigningUnavailable(f"cannot read {path}: {error.strerror}") from error


def _chain(signer: Signer) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(signer.certificate_chain.encode())
    except ValueError as error:
        raise SigningUnavailable(f"the certificate chain is not PEM: {error}") from error


def _leaf(signer: Signer) -> x509.Certificate:
    return _chain(signer)[0]


def _algorithm(public: ec.EllipticCurvePublicKey) -> str:
    try:
        return _ALGORITHMS[public.curve.name]
    except KeyError as error:
        raise SigningUnavailable(f"no C2PA signatures on the curve {public.curve.name}; use P-256 or P-384") from error


def _who(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string()

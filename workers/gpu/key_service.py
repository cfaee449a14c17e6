"""Key service: signs manifests over HTTP, so that the private key of the certificate is in no worker.

    POST PRESSWORK_SIGNING_URL   {"algorithm": "ES256", "digest": BASE64}   ->   {"signature": BASE64 of DER}

A digest goes out and a signature comes back, as key management services work. Each signature is verified with the
certificate before it is used. A service that is away, refuses or signs with another key is SigningUnavailable: the
batch is given back, the worker waits, and nothing leaves unsigned.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import ssl
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from policy.errors import SigningUnavailable
from policy.marks.provenance.signing import LocalSigner, Signer, check
from workers.settings import Settings

_SECONDS = 5.0  # the GPU lock is free meanwhile; one signature a file
_HASHES: dict[str, hashes.HashAlgorithm] = {"es256": hashes.SHA256(), "es384": hashes.SHA384()}
_CURVES = {"secp256r1": "es256", "secp384r1": "es384"}


def signer_of(settings: Settings) -> Signer | None:
    """What signs manifests: a key service or a key in a file; None if neither is set. Raises SigningUnavailable."""
    if settings.signing_certificate is None:
        return None
    if settings.signing_url:
        token = settings.signing_token.get_secret_value() if settings.signing_token else ""
        return KeyService(settings.signing_url, token, settings.signing_certificate)
    return LocalSigner.from_files(settings.signing_certificate, settings.signing_key) if settings.signing_key else None


class KeyService(Signer):
    """A Signer whose key another process has. Thread-safe."""

    def __init__(self, url: str, token: str, certificate: Path) -> None:
        """Signs once, as a trial. Raises SigningUnavailable, naming the file or the service."""
        try:
            self._chain = certificate.read_text("ascii", errors="replace")
            leaf = x509.load_pem_x509_certificates(self._chain.encode())[0]
        except (OSError, ValueError) as error:
            raise SigningUnavailable(f"cannot read the certificate {certificate}: {error}") from error
        public = leaf.public_key()
        if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name not in _CURVES:
            raise SigningUnavailable(f"{certificate} is not for a P-256 or P-384 key")
        self._url, self._public, self._algorithm = url, public, _CURVES[public.curve.name]
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(
            headers=headers, timeout=_SECONDS, follow_redirects=False, verify=ssl.create_default_context()
        )
        check(self)

    @property
    def certificate_chain(self) -> str:
        return self._chain

    @property
    def algorithm(self) -> str:
        return self._algorithm

    def sign(self, data: bytes) -> bytes:
        algorithm = _HASHES[self._algorithm]
        digest = hashlib.new(algorithm.name, data).digest()
        signature = self._ask(digest)
        try:
            self._public.verify(signature, digest, ec.ECDSA(Prehashed(algorithm)))
        except InvalidSignature as error:
            raise SigningUnavailable(f"{self._url} signs with another key than that of the certificate") from error
        return signature

    def _ask(self, digest: bytes) -> bytes:
        asked = {"algorithm": self._algorithm.upper(), "digest": base64.b64encode(digest).decode()}
        try:
            answer = self._http.post(self._url, json=asked)
        except httpx.HTTPError as error:
            raise SigningUnavailable(f"{self._url} does not answer: {type(error).__name__}") from error
        if answer.status_code != 200:
            raise SigningUnavailable(f"{self._url} answers {answer.status_code}: check PRESSWORK_SIGNING_TOKEN")
        try:
            return base64.b64decode(answer.json()["signature"], validate=True)
        except (ValueError, KeyError, TypeError, binascii.Error) as error:
            raise SigningUnavailable(f"{self._url} answers no signature, but {answer.content[:60]!r}") from error

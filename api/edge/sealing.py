"""Encryption of secrets in stored replies, under the API key of the caller that may see them again.

API keys are 256 random bits and only their SHA-256 is stored, so a copy of the database opens nothing. The key of the
encryption is derived from the API key (HKDF, RFC 5869); the box is AES-256-GCM, bound to the Idempotency-Key, so that
a box moved to another row does not open.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from api.edge.problems import Problem

_PURPOSE = b"presswork: secrets of a stored reply, 1"
_NONCE_BYTES = 12  # of AES-GCM; random, and each derived key seals a handful of replies


def seal(presented: bytes, secrets: Mapping[str, Any], *, bound_to: str) -> str:
    """The secrets as text that only `presented`, the API key, opens."""
    nonce = os.urandom(_NONCE_BYTES)
    box = _cipher(presented).encrypt(nonce, json.dumps(dict(secrets)).encode(), bound_to.encode())
    return base64.b64encode(nonce + box).decode()


def open_sealed(presented: bytes, sealed: str, *, bound_to: str) -> dict[str, Any]:
    """What was sealed. Raises Problem for another API key than the one that asked first."""
    raw = base64.b64decode(sealed)
    try:
        opened = _cipher(presented).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], bound_to.encode())
    except InvalidTag as error:
        raise Problem(
            "conflict",
            "The first answer holds a secret. Only the API key that made the first call is shown it again; "
            "repeat the call with that API key, or use another Idempotency-Key.",
        ) from error
    secrets: dict[str, Any] = json.loads(opened)
    return secrets


def _cipher(presented: bytes) -> AESGCM:
    return AESGCM(HKDF(SHA256(), 32, salt=None, info=_PURPOSE).derive(presented))

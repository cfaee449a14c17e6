"""Cosignatures of witnesses on tree heads: sign one, check one, attach the stored ones to a note.

Format: c2sp.org/tlog-cosignature with Ed25519. The bytes are an eight-byte POSIX time and the signature.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, select

from policy.errors import BrokenLedger
from policy.ledger.tables import cosignatures
from policy.ledger.tree.notes import NoteSigner, Vkey, signature_line

_TIME_BYTES = 8
_SIGNATURE_BYTES = 64


def cosign(text: str, signer: NoteSigner, at: int) -> str:
    """The signature line of a witness under a tree head, with the POSIX time `at`. Its vkey is a COSIGNATURE."""
    return signature_line(signer.vkey, at.to_bytes(_TIME_BYTES, "big") + signer.sign(_cosigned(text, at)))


def check_cosignature(text: str, raw: bytes, vkey: Vkey) -> int:
    """The POSIX time in a cosignature of `text`. Raises BrokenLedger if the signature is not this witness's."""
    if len(raw) != _TIME_BYTES + _SIGNATURE_BYTES:
        raise BrokenLedger(f"the cosignature of {vkey.name} has {len(raw)} bytes; 72 are expected")
    at = int.from_bytes(raw[:_TIME_BYTES], "big")
    try:
        Ed25519PublicKey.from_public_bytes(vkey.public_key).verify(raw[_TIME_BYTES:], _cosigned(text, at))
    except InvalidSignature:
        raise BrokenLedger(f"the cosignature of {vkey.name} does not fit the head: it was altered") from None
    return at


def cosigned_note(conn: Connection, size: int, note: str) -> str:
    """The note of the tree head of `size` leaves, followed by every cosignature that the database holds for it."""
    query = select(cosignatures.c.line).where(cosignatures.c.size == size).order_by(cosignatures.c.witness)
    return note + "".join(conn.scalars(query))


def _cosigned(text: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{text}".encode()

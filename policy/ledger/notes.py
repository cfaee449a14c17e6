"""Signed notes and checkpoints: a tree head that anyone with the public key can check, offline.

Formats: c2sp.org/signed-note (Ed25519) and c2sp.org/tlog-checkpoint. Keys rotate by adding the new public
key beside the old: a note is good if a known key signed it and no known key's signature is wrong.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from policy.errors import BrokenLedger, UnknownKey
from policy.ledger.merkle import HASH_BYTES

_ED25519 = b"\x01"  # signature type identifier of the signed-note specification
_DASH = "\u2014 "  # an em dash and a space open a signature line
_MAX_NOTE_CHARS = 1_000_000  # the bound of Go's reference verifier
_ID_BYTES = 4


class NoteSigner(Protocol):
    """A key that signs notes; the private half may live in a key service."""

    @property
    def vkey(self) -> Vkey:
        """Its public half."""

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature of these bytes, 64 bytes."""


@dataclass(frozen=True, slots=True)
class Vkey:
    """A named public key: what an auditor is given to trust."""

    name: str
    public_key: bytes  # 32 bytes, RFC 8032

    def __post_init__(self) -> None:
        if not _is_key_name(self.name):
            raise BrokenLedger(f"{self.name!r} cannot name a key: it must not be empty or hold spaces or a plus")

    @property
    def id(self) -> bytes:
        """The four bytes by which a signature line names its key."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.public_key).digest()[:_ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{_encode(_ED25519 + self.public_key)}"

    @classmethod
    def parse(cls, text: str) -> Vkey:
        """Reads what `str` writes, e.g. "example.com/log+1a2b3c4d+AZ...". Raises BrokenLedger."""
        name, plus, rest = text.strip().partition("+")
        key_id, second_plus, encoded = rest.partition("+")
        key = _decode(encoded)
        if not plus or not second_plus or key is None or len(key) != 33 or key[:1] != _ED25519:
            raise BrokenLedger(
                f"not a public key line: {text.strip()[:80]!r}; expected NAME+ID+BASE64 of an Ed25519 key"
            )
        vkey = cls(name, key[1:])
        if vkey.id.hex() != key_id:
            raise BrokenLedger(f"the public key line of {name} was altered: its id is {key_id}, not {vkey.id.hex()}")
        return vkey


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head: this log held exactly these `size` leaves, in this order."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{_encode(self.root)}\n"


def sign_checkpoint(checkpoint: Checkpoint, signer: NoteSigner) -> str:
    """The checkpoint as a signed note."""
    return sign_note(checkpoint.text(), signer)


def sign_note(text: str, signer: NoteSigner) -> str:
    """Any text that ends with a newline, as a signed note."""
    vkey = signer.vkey
    return f"{text}\n{_DASH}{vkey.name} {_encode(vkey.id + signer.sign(text.encode()))}\n"


def open_checkpoint(note: str, vkeys: Iterable[Vkey]) -> Checkpoint:
    """The checkpoint in a note, after its signature was checked. A log's key bears the log's name.

    Raises UnknownKey if none of `vkeys` signed it, BrokenLedger if a signature is wrong, the text is no
    checkpoint, or it is signed by another log's key.
    """
    text, signers = open_note(note, vkeys)
    lines = text.split("\n")
    root = _decode(lines[2]) if len(lines) >= 4 else None
    if root is None or len(root) != HASH_BYTES or not _is_size(lines[1]):
        raise BrokenLedger(f"the signed text is no checkpoint: {text[:120]!r}")
    if lines[0] not in signers:
        raise BrokenLedger(f"a checkpoint of the log {lines[0]!r} is signed by the key of {', '.join(signers)}")
    return Checkpoint(lines[0], int(lines[1]), root)


def open_note(note: str, vkeys: Iterable[Vkey]) -> tuple[str, tuple[str, ...]]:
    """The text of a note, and the names of those of `vkeys` that signed it: at least one.

    Signatures of others, such as witnesses, are ignored. Raises UnknownKey or BrokenLedger.
    """
    text, signatures = _split(note)
    trusted = {(vkey.name, vkey.id): vkey for vkey in vkeys}
    signers = []
    for name, raw in signatures:
        vkey = trusted.get((name, raw[:_ID_BYTES]))
        if vkey is None:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(vkey.public_key).verify(raw[_ID_BYTES:], text.encode())
        except InvalidSignature:
            raise BrokenLedger(f"the signature of {name} does not fit the text: it was altered") from None
        signers.append(name)
    if not signers:
        names = ", ".join(f"{name} ({raw[:_ID_BYTES].hex()})" for name, raw in signatures)
        raise UnknownKey(f"signed by {names}, none of which is a key we were told to trust")
    return text, tuple(signers)


def _split(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    """Text and signature lines. The last empty line separates them."""
    text, blank, tail = note.rpartition("\n\n")
    if not blank or not tail.endswith("\n") or len(note) > _MAX_NOTE_CHARS:
        raise BrokenLedger("not a signed note: text, an empty line and signature lines are expected")
    if any(char < " " and char != "\n" for char in note):
        raise BrokenLedger("not a signed note: it holds control characters")
    return text + "\n", [_signature(line) for line in tail.removesuffix("\n").split("\n")]


def _signature(line: str) -> tuple[str, bytes]:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    raw = _decode(encoded)
    if not line.startswith(_DASH) or not space or not _is_key_name(name) or raw is None or len(raw) <= _ID_BYTES:
        raise BrokenLedger(f"not a signature line: {line[:80]!r}")
    return name, raw


def _is_key_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(char.isspace() for char in name)


def _is_size(text: str) -> bool:
    return text.isascii() and text.isdigit() and (text == "0" or text[0] != "0")


def _encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _decode(encoded: str) -> bytes | None:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None

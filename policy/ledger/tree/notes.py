"""Signed notes and checkpoints: tree heads that anyone with the public key can check offline.

Formats: c2sp.org/signed-note (Ed25519) and c2sp.org/tlog-checkpoint. Keys rotate by adding the new public key beside
the old one: a note is good if a known key signed it and no known key's signature is wrong. A key's line may say which
heads are its own ("until 5000": no later one), so that a retired key that signs again is detected.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from policy.errors import BrokenLedger, UnknownKey
from policy.ledger.tree.merkle import HASH_BYTES

_ED25519 = b"\x01"  # signature type identifier of the signed-note specification
COSIGNATURE = b"\x04"  # the same of c2sp.org/tlog-cosignature: a witness's key
_DASH = "\u2014 "  # an em dash and a space open a signature line
_MAX_NOTE_CHARS = 1_000_000  # the bound of Go's reference verifier
KEY_ID_BYTES = 4


class NoteSigner(Protocol):
    """A key that signs notes; the private half may live in a key service."""

    @property
    def vkey(self) -> Vkey:
        """Its public half."""

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature of these bytes, 64 bytes."""


@dataclass(frozen=True, slots=True)
class Vkey:
    """A named public key: what an auditor is given to trust, and for heads of which sizes."""

    name: str
    public_key: bytes  # 32 bytes, RFC 8032
    since: int = field(default=0, compare=False)
    until: int | None = field(default=None, compare=False)  # inclusive; None while it is in use
    kind: bytes = _ED25519  # signature type

    def __post_init__(self) -> None:
        if not _is_key_name(self.name):
            raise BrokenLedger(f"{self.name!r} cannot name a key: it must not be empty or hold spaces or a plus")

    @property
    def id(self) -> bytes:
        """The four bytes by which a signature line names its key."""
        return hashlib.sha256(self.name.encode() + b"\n" + self.kind + self.public_key).digest()[:KEY_ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{_encode(self.kind + self.public_key)}"

    @property
    def line(self) -> str:
        """ "NAME+ID+BASE64 from 1 until 5000": the key and its time, as `parse` reads it."""
        since = f" from {self.since}" if self.since else ""
        return f"{self}{since}" + ("" if self.until is None else f" until {self.until}")

    def signs(self, size: int) -> bool:
        """Whether a head of this size may be its own."""
        return self.since <= size and (self.until is None or size <= self.until)

    @classmethod
    def parse(cls, text: str, *, kind: bytes = _ED25519) -> Vkey:
        """Reads what `str` and `line` write, e.g. "example.com/log+1a2b3c4d+AZ...". Raises BrokenLedger."""
        written, *said = text.split() or [""]
        name, plus, rest = written.partition("+")
        key_id, second_plus, encoded = rest.partition("+")
        key = _decode(encoded)
        if not plus or not second_plus or key is None or len(key) != 33 or key[:1] != kind:
            whose = "a witness" if kind == COSIGNATURE else "a log"
            raise BrokenLedger(
                f"not a public key line: {text.strip()[:80]!r}; expected NAME+ID+BASE64 of the Ed25519 key of {whose}"
            )
        time = dict(zip(said[::2], said[1::2], strict=False))
        if len(said) != 2 * len(time) or time.keys() - {"from", "until"} or not all(map(_is_size, time.values())):
            after = " ".join(said)[:80]
            raise BrokenLedger(f"after the public key of {name} stands {after!r}; expected 'from N', 'until N'")
        vkey = cls(name, key[1:], int(time.get("from", 0)), int(time["until"]) if "until" in time else None, kind)
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
    return f"{text}\n{signature_line(signer.vkey, signer.sign(text.encode()))}"


def signature_line(vkey: Vkey, signature: bytes) -> str:
    """A line below a note's text, with its newline."""
    return f"{_DASH}{vkey.name} {_encode(vkey.id + signature)}\n"


def open_checkpoint(note: str, vkeys: Iterable[Vkey]) -> Checkpoint:
    """The checkpoint in a note, after its signature was checked. A log's key bears the log's name.

    Raises UnknownKey if none of `vkeys` signed it, BrokenLedger if a signature is wrong, the text is no
    checkpoint, or it is signed by another log's key.
    """
    text, keys = _signers(note, vkeys)
    signers = [key.name for key in keys]
    lines = text.split("\n")
    root = _decode(lines[2]) if len(lines) >= 4 else None
    if root is None or len(root) != HASH_BYTES or not _is_size(lines[1]):
        raise BrokenLedger(f"the signed text is no checkpoint: {text[:120]!r}")
    if lines[0] not in signers:
        raise BrokenLedger(f"a checkpoint of the log {lines[0]!r} is signed by the key of {', '.join(signers)}")
    size = int(lines[1])
    if not any(key.name == lines[0] and key.signs(size) for key in keys):
        times = ", ".join(key.line.partition(" ")[2] or "always" for key in keys if key.name == lines[0])
        raise UnknownKey(f"a head of {size} leaves, signed by a retired key of {lines[0]}: its own are those {times}")
    return Checkpoint(lines[0], size, root)


def open_note(note: str, vkeys: Iterable[Vkey]) -> tuple[str, tuple[str, ...]]:
    """The text of a note, and the names of those of `vkeys` that signed it: at least one.

    Signatures of others, such as witnesses, are ignored. Raises UnknownKey or BrokenLedger.
    """
    text, keys = _signers(note, vkeys)
    return text, tuple(key.name for key in keys)


def _signers(note: str, vkeys: Iterable[Vkey]) -> tuple[str, list[Vkey]]:
    text, signatures = split_note(note)
    trusted = {(vkey.name, vkey.id): vkey for vkey in vkeys}
    signers = []
    for name, raw in signatures:
        vkey = trusted.get((name, raw[:KEY_ID_BYTES]))
        if vkey is None:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(vkey.public_key).verify(raw[KEY_ID_BYTES:], text.encode())
        except InvalidSignature:
            raise BrokenLedger(f"the signature of {name} does not fit the text: it was altered") from None
        signers.append(vkey)
    if not signers:
        names = ", ".join(f"{name} ({raw[:KEY_ID_BYTES].hex()})" for name, raw in signatures)
        raise UnknownKey(f"signed by {names}, none of which is a key we were told to trust")
    return text, signers


def split_note(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    """Text, and for every signature line its name, and key id with signature. Checks none. Raises BrokenLedger."""
    text, blank, tail = note.rpartition("\n\n")
    if not blank or not tail.endswith("\n") or len(note) > _MAX_NOTE_CHARS:
        raise BrokenLedger("not a signed note: text, an empty line and signature lines are expected")
    if any(char < " " and char != "\n" for char in note):
        raise BrokenLedger("not a signed note: it holds control characters")
    return text + "\n", [_signature(line) for line in tail.removesuffix("\n").split("\n")]


def _signature(line: str) -> tuple[str, bytes]:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    raw = _decode(encoded)
    if not line.startswith(_DASH) or not space or not _is_key_name(name) or raw is None or len(raw) <= KEY_ID_BYTES:
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

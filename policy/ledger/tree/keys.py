"""Key files of the sealer: ledger.key signs, ledger.vkeys is what auditors are given.

A rotation writes three times, each whole or not at all: the new private half beside the old one (ledger.key.next); then
the public lines, the old key with its end and the new key with its beginning; then the new private half in the place of
the old one. Killed after the second write, the sealer refuses its retired key, and the same command finishes.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from policy.errors import SigningUnavailable, UnknownKey
from policy.ledger.tree.notes import NoteSigner, Vkey


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """The paths of one ledger key."""

    key: Path
    vkeys: Path


class LocalNoteSigner:
    """A NoteSigner with its key in memory, read once from a PEM file."""

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        self.vkey = Vkey(name, key.public_key().public_bytes_raw())
        self._key = key

    @classmethod
    def from_file(cls, path: Path, *, name: str) -> LocalNoteSigner:
        """`name` is the log's origin. Raises SigningUnavailable, naming the file."""
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except OSError as error:
            raise SigningUnavailable(f"cannot read the ledger key {path}: {error.strerror}") from error
        except (ValueError, TypeError) as error:
            raise SigningUnavailable(f"{path} is not an unencrypted private key in PEM form: {error}") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise SigningUnavailable(f"{path} is not an Ed25519 key; checkpoints are signed with Ed25519")
        return cls(name, key)

    @property
    def private_key(self) -> Ed25519PrivateKey:
        """For a key that signs in another way: a witness's."""
        return self._key

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


@dataclass(frozen=True, slots=True)
class SealingKeys:
    """The key that signs a seal, and every key that may have signed this log so far."""

    signer: NoteSigner
    vkeys: tuple[Vkey, ...]


def keys_on_disk(files: KeyFiles, *, name: str) -> Callable[[], SealingKeys]:
    """A function that returns the keys as they are on disk at each call; it reads again only when a file was replaced.

    Call it while holding the sealers' lock. A rotation holds that lock too, so no key signs after its end.
    """
    read: dict[tuple[object, ...], SealingKeys] = {}

    def keys() -> SealingKeys:
        state = tuple(_identity(path) for path in (files.key, files.vkeys))
        if state not in read:
            found = SealingKeys(LocalNoteSigner.from_file(files.key, name=name), load_vkeys(files.vkeys))
            read.clear()
            read[state] = found
        return read[state]

    return keys


def rotate(files: KeyFiles, *, origin: str, size: int) -> Vkey:
    """The new key, which signs every head above `size`, the newest there is. The old key signs none of them.

    Hold the sealers' lock. Repeat the call to finish a rotation that was killed. Raises UnknownKey or
    SigningUnavailable.
    """
    following = files.key.with_name(f"{files.key.name}.next")
    old, vkeys = LocalNoteSigner.from_file(files.key, name=origin).vkey, load_vkeys(files.vkeys)
    if old not in vkeys:
        raise UnknownKey(f"{files.vkeys} does not hold the public half of {files.key}. Remedy: add the line {old}")
    if not following.exists():
        write_key(following, Ed25519PrivateKey.generate())
    new = LocalNoteSigner.from_file(following, name=origin).vkey
    if new not in vkeys:
        ended = tuple(replace(vkey, until=size) if vkey == old else vkey for vkey in vkeys)
        lines = [vkey.line for vkey in (*ended, replace(new, since=size + 1))]
        _write(files.vkeys, "".join(f"{line}\n" for line in lines).encode(), mode=0o644)
    following.replace(files.key)
    return next(vkey for vkey in load_vkeys(files.vkeys) if vkey == new)


def _identity(path: Path) -> tuple[object, ...]:
    """Changes whenever the file is replaced or rewritten."""
    try:
        found = path.stat()
    except OSError:
        return (None,)
    return found.st_ino, found.st_mtime_ns, found.st_size


def load_vkeys(path: Path) -> tuple[Vkey, ...]:
    """The public keys in a file, one line each; empty lines and lines that begin with # are skipped.

    Raises UnknownKey if there is none, BrokenLedger if a line is no key.
    """
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise UnknownKey(f"cannot read the public keys of the ledger in {path}: {error.strerror}") from error
    vkeys = tuple(Vkey.parse(line) for line in lines if line.strip() and not line.startswith("#"))
    if not vkeys:
        raise UnknownKey(f"{path} holds no public key; the sealer's key file has its line beside it")
    return vkeys


def make_key_files(directory: Path, *, origin: str) -> KeyFiles:
    """ledger.key (PEM, 0600) and ledger.vkeys in this directory, made if they are missing.

    The public half is written last. A death in between makes both anew, which is harmless because nothing was signed
    yet. A finished pair is never touched: a lost key cannot be made again.
    """
    files = KeyFiles(directory / "ledger.key", directory / "ledger.vkeys")
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "ledger.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not files.vkeys.exists():
            _make(files, origin)
    return files


def _make(files: KeyFiles, origin: str) -> None:
    key = Ed25519PrivateKey.generate()
    write_key(files.key, key)
    _write(files.vkeys, f"{Vkey(origin, key.public_key().public_bytes_raw())}\n".encode(), mode=0o644)


def write_key(path: Path, key: Ed25519PrivateKey) -> None:
    """The private half as PEM that only its owner reads, whole or not at all."""
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _write(path, pem, mode=0o600)


def _write(path: Path, content: bytes, *, mode: int) -> None:
    half = path.with_name(f"{path.name}.half")
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_CREAT | os.O_WRONLY | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    half.replace(path)

"""The sealer's key on disk: ledger.key signs, ledger.vkeys is what auditors are given."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from policy.errors import SigningUnavailable, UnknownKey
from policy.ledger.notes import Vkey


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """Where one ledger key lies."""

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

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


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
    """ledger.key (PEM, 0600) and ledger.vkeys in this directory, made if they are not there.

    The public half is written last; a death in between makes both anew, which is harmless because
    nothing was signed yet. A finished pair is never touched: a lost key cannot be made again.
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
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _write(files.key, pem, mode=0o600)
    _write(files.vkeys, f"{Vkey(origin, key.public_key().public_bytes_raw())}\n".encode(), mode=0o644)


def _write(path: Path, content: bytes, *, mode: int) -> None:
    half = path.with_name(f"{path.name}.half")
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_CREAT | os.O_WRONLY | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    half.replace(path)

"""Witness: cosigns a tree head only if it extends the last head that it cosigned, and never forgets which that was.

The protocol is c2sp.org/tlog-witness, `add-checkpoint`; the caller provides the HTTP transport. The new head is on disk
before the cosignature leaves, whole or not at all. So a witness killed anywhere has cosigned at most what it remembers,
and asked again it answers again. It refuses to start where its key exists and its memory does not: a witness without
memory would cosign a second history. A head that a log signed and that contradicts an older one is kept as evidence.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from policy.errors import BrokenLedger, LedgerError, SigningUnavailable
from policy.ledger.tree.cosignatures import cosign
from policy.ledger.tree.keys import LocalNoteSigner, write_key
from policy.ledger.tree.merkle import EMPTY_ROOT, consistency_holds
from policy.ledger.tree.notes import COSIGNATURE, Checkpoint, Vkey, open_checkpoint
from policy.ledger.tree.proofs import ConsistencyProof

MAX_BODY_BYTES = 64 << 10  # a head, its signatures, and at most 63 hashes
_MAX_HASHES = 63
_MAX_EVIDENCE = 100  # heads kept of one log that contradict another: one is enough
_KEY, _HEADS, _EVIDENCE = "witness.key", "heads", "evidence"


class WitnessReply(NamedTuple):
    """An answer in HTTP's terms."""

    status: int
    text: str
    media_type: str = "text/plain; charset=utf-8"


class WitnessSigner:
    """The key of a witness."""

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        self.vkey = Vkey(name, key.public_key().public_bytes_raw(), kind=COSIGNATURE)
        self._key = key

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


def make_witness(state: Path, name: str) -> Vkey:
    """A new key and an empty memory in this folder. Raises SigningUnavailable if a witness exists there already."""
    state.mkdir(parents=True, exist_ok=True)
    if (state / _KEY).exists():
        raise SigningUnavailable(f"{state} holds a witness already. Remedy: another folder; its key is never replaced")
    (state / _HEADS).mkdir(exist_ok=True)
    (state / "name").write_text(f"{name}\n")
    key = Ed25519PrivateKey.generate()
    vkey = WitnessSigner(name, key).vkey
    write_key(state / _KEY, key)  # last: without it there is no witness here
    return vkey


class LocalWitness:
    """One witness. Thread-safe. One process owns the folder, by a lock."""

    def __init__(self, state: Path, logs: Sequence[Vkey], *, clock: Callable[[], float] = time.time) -> None:
        self._state, self._logs, self._clock = state, tuple(logs), clock
        try:
            name = (state / "name").read_text().strip()
        except OSError as error:
            raise SigningUnavailable(f"{state} holds no witness. Remedy: 'presswork witness init'") from error
        signer = LocalNoteSigner.from_file(state / _KEY, name=name)
        self.signer = WitnessSigner(name, signer.private_key)
        if not (state / _HEADS).is_dir():
            raise BrokenLedger(
                f"the witness in {state} has its key and not its memory ({_HEADS}/): it would cosign a second history. "
                "Remedy: restore the folder, or retire the key and make a new witness"
            )
        self._one_at_a_time = threading.Lock()
        self._lock = (state / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise SigningUnavailable(f"another process is the witness in {state}") from error

    def close(self) -> None:
        self._lock.close()

    def add_checkpoint(self, body: bytes) -> WitnessReply:
        """The answer to one request; an answer with status 200 holds the cosignature."""
        try:
            proof = ConsistencyProof.parse(body.decode())
        except (LedgerError, UnicodeDecodeError) as error:
            return WitnessReply(400, f"{error}\n")
        if len(proof.path) > _MAX_HASHES:
            return WitnessReply(400, f"more than {_MAX_HASHES} hashes\n")
        origin = proof.note.partition("\n")[0]
        keys = [vkey for vkey in self._logs if vkey.name == origin]
        if not keys:
            return WitnessReply(404, f"this witness does not know the log {origin[:200]!r}\n")
        try:
            head = open_checkpoint(proof.note, keys)
        except LedgerError as error:
            return WitnessReply(403, f"{error}\n")
        if proof.old > head.size:
            return WitnessReply(400, f"old is {proof.old}, more than the {head.size} leaves of the head\n")
        with self._one_at_a_time:
            return self._judge(head, proof)

    def newest(self, origin: str) -> Checkpoint | None:
        """The last head of a log that was cosigned. Raises BrokenLedger if that cannot be read."""
        path = self._path(origin)
        if not path.exists():
            return None
        head = open_checkpoint(path.read_text(), [vkey for vkey in self._logs if vkey.name == origin])
        if head.origin != origin:
            raise BrokenLedger(f"{path} holds a head of {head.origin}")
        return head

    def _judge(self, head: Checkpoint, proof: ConsistencyProof) -> WitnessReply:
        known = self.newest(head.origin)
        size = known.size if known else 0
        if proof.old != size:
            return WitnessReply(409, f"{size}\n", "text/x.tlog.size")
        if known and head.size == size and head.root != known.root:
            self._keep_evidence(head, proof.note)
            return WitnessReply(409, f"{size}\n", "text/x.tlog.size")
        if not self._extends(known, head, proof):
            self._keep_evidence(head, proof.note)
            return WitnessReply(
                422, f"the proof does not lead from the {size} leaves cosigned last to these {head.size}\n"
            )
        _write(self._path(head.origin), proof.note)
        return WitnessReply(200, cosign(head.text(), self.signer, int(self._clock())))

    def _extends(self, known: Checkpoint | None, head: Checkpoint, proof: ConsistencyProof) -> bool:
        if known is None:
            return not proof.path and (head.size > 0 or head.root == EMPTY_ROOT)
        if known.size == head.size:
            return not proof.path
        if known.size == 0:
            return not proof.path
        return consistency_holds(known.size, head.size, known.root, head.root, proof.path)

    def _keep_evidence(self, head: Checkpoint, note: str) -> None:
        folder = self._state / _EVIDENCE / quote(head.origin, safe="")
        folder.mkdir(parents=True, exist_ok=True)
        if sum(1 for _ in folder.iterdir()) < _MAX_EVIDENCE:
            _write(folder / f"{head.size}-{head.root.hex()}", note)

    def _path(self, origin: str) -> Path:
        return self._state / _HEADS / quote(origin, safe="")


def _write(path: Path, note: str) -> None:
    """Durable when it returns, and whole whenever it is read."""
    half = path.with_name(f".{path.name}.half")
    with half.open("w") as file:
        file.write(note)
        file.flush()
        os.fsync(file.fileno())
    half.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

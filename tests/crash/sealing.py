"""Seals what a crash test left in the ledger, with a key of its own, and proves the whole log."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from policy.ledger.tree.keys import LocalNoteSigner
from policy.ledger.tree.seal import seal
from policy.ledger.verification.verify import verify

ORIGIN = "presswork.example/crash"


def seal_and_verify(database: Any) -> None:
    signer = LocalNoteSigner(ORIGIN, Ed25519PrivateKey.generate())
    with database.engine("sealer").begin() as conn:
        seal(conn, signer, [signer.vkey])
    with database.engine("auditor").connect() as conn:
        report = verify(conn, [signer.vkey])
    assert not report.problems, report.problems
    assert report.unsealed == 0
    assert report.entries > 0

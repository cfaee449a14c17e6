"""Witness without HTTP: every status of c2sp.org/tlog-witness, and a memory that is never lost."""

from __future__ import annotations

import base64

import pytest

from policy.errors import BrokenLedger, SigningUnavailable
from policy.ledger.tree.notes import Checkpoint, sign_checkpoint
from policy.ledger.tree.proofs import ConsistencyProof, prove_consistency
from policy.ledger.witnesses.witness import LocalWitness, make_witness
from policy.ledger.witnesses.witness_policy import WitnessPolicy
from tests.support.ledger import ORIGIN, Ledger, new_signer


@pytest.fixture
def ledger(database):
    ledger = Ledger(database)
    ledger.fill(3, 4, 300)
    return ledger


@pytest.fixture
def cosigner(ledger, tmp_path):
    make_witness(tmp_path / "w", "witness.example/w")
    cosigner = LocalWitness(tmp_path / "w", ledger.vkeys, clock=lambda: 1_679_315_147)
    yield cosigner
    cosigner.close()


def request(ledger, old, new, *, note=None):
    with ledger.auditor.connect() as conn:
        path = prove_consistency(conn, old, new) if 0 < old < new else ()
    note = note or ledger.value("select note from audit.checkpoints where size = :size", size=new)
    return str(ConsistencyProof(old, path, note)).encode()


def test_the_protocols_every_answer(ledger, cosigner):
    note = ledger.value("select note from audit.checkpoints where size = 3")
    foreign = sign_checkpoint(Checkpoint(ORIGIN, 3, bytes(32)), new_signer())
    elsewhere = sign_checkpoint(Checkpoint("other/log", 3, bytes(32)), new_signer("other/log"))
    assert cosigner.add_checkpoint(b"nonsense").status == 400
    assert cosigner.add_checkpoint(b"\xff\xfe").status == 400
    assert cosigner.add_checkpoint(request(ledger, 0, 3, note=elsewhere)).status == 404
    assert cosigner.add_checkpoint(request(ledger, 0, 3, note=foreign)).status == 403
    assert cosigner.add_checkpoint(request(ledger, 0, 3, note=note.replace("\n3\n", "\n4\n"))).status == 403
    assert cosigner.add_checkpoint(f"old 9\n\n{note}".encode()).status == 400
    assert cosigner.add_checkpoint(f"old 2\n\n{note}".encode())[:2] == (409, "0\n")
    zeros = base64.b64encode(bytes(32)).decode()
    assert cosigner.add_checkpoint(f"old 0\n{zeros}\n\n{note}".encode()).status == 422
    assert cosigner.add_checkpoint(("old 0\n" + f"{zeros}\n" * 64 + f"\n{note}").encode()).status == 400
    assert cosigner.add_checkpoint(request(ledger, 0, 3)).status == 200
    assert cosigner.add_checkpoint(request(ledger, 0, 307))[:2] == (409, "3\n")
    assert cosigner.add_checkpoint(request(ledger, 3, 3)).status == 200, "asked again it answers again"
    assert cosigner.add_checkpoint(request(ledger, 3, 307)).status == 200
    assert cosigner.add_checkpoint(request(ledger, 3, 7))[:2] == (409, "307\n"), "never a smaller one"
    assert cosigner.newest(ORIGIN).size == 307


def test_a_cosignature_says_when_and_fits_its_head_alone(ledger, cosigner):
    line = cosigner.add_checkpoint(request(ledger, 0, 7)).text
    policy = WitnessPolicy.parse(f"witness w {cosigner.signer.vkey}\nquorum w")
    notes = dict(ledger.rows("select size, note from audit.checkpoints"))
    assert policy.cosigners(notes[7] + line) == {"w": 1_679_315_147}
    assert policy.cosigners(notes[7]) == {}
    with pytest.raises(BrokenLedger, match="does not fit the head"):
        policy.cosigners(notes[3] + line)
    assert ledger.verify().intact


def test_a_witness_remembers_across_its_end_and_does_not_begin_without_its_memory(ledger, cosigner, tmp_path):
    cosigner.add_checkpoint(request(ledger, 0, 7))
    with pytest.raises(SigningUnavailable, match="another process is the witness"):
        LocalWitness(tmp_path / "w", ledger.vkeys)
    cosigner.close()
    again = LocalWitness(tmp_path / "w", ledger.vkeys)
    assert again.newest(ORIGIN).size == 7
    again.close()
    for path in (tmp_path / "w" / "heads").iterdir():
        path.unlink()
    (tmp_path / "w" / "heads").rmdir()
    with pytest.raises(BrokenLedger, match="it would cosign a second history"):
        LocalWitness(tmp_path / "w", ledger.vkeys)
    with pytest.raises(SigningUnavailable, match="holds a witness already"):
        make_witness(tmp_path / "w", "witness.example/w")
    with pytest.raises(SigningUnavailable, match="presswork witness init"):
        LocalWitness(tmp_path / "nobody", ledger.vkeys)

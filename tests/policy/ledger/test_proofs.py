"""Proofs cut from the database hold offline, for every leaf and every pair of checkpoints, and for nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policy.errors import BrokenLedger, LedgerError, UnknownKey
from policy.ledger.tree.merkle import consistency_holds
from policy.ledger.tree.notes import open_checkpoint
from policy.ledger.tree.proofs import (
    ConsistencyProof,
    InclusionProof,
    check,
    check_extension,
    prove,
    prove_consistency,
    prove_extension,
)
from tests.support.ledger import Ledger, failed, new_signer


@pytest.fixture
def ledger(database):
    ledger = Ledger(database)
    ledger.fill(1, 6, 249, 300, 44)  # 600 leaves: two full tiles and a rest
    return ledger


def leaves(ledger):
    return ledger.rows(
        "select s.index, e.event_id::text, e.body from audit.sequence s join audit.entries e on e.id = s.entry_id"
    )


def heads(ledger):
    return [open_checkpoint(row.note, ledger.vkeys) for row in ledger.rows("select note from audit.checkpoints")]


def test_every_event_can_be_proven_to_somebody_with_the_public_key(ledger):
    with ledger.auditor.connect() as conn:
        for index, event_id, body in leaves(ledger)[::7]:
            proof = InclusionProof.parse(str(prove(conn, event_id)))
            assert proof.index == index
            assert check(proof, bytes(body), ledger.vkeys).size == 600


def test_a_proof_can_be_under_an_older_checkpoint(ledger):
    index, event_id, body = leaves(ledger)[3]
    with ledger.auditor.connect() as conn:
        assert check(prove(conn, event_id, size=256), bytes(body), ledger.vkeys).size == 256
        with pytest.raises(LedgerError, match=f"no checkpoint of 1 leaves that covers leaf {index}"):
            prove(conn, event_id, size=1)
        with pytest.raises(LedgerError, match="no checkpoint of 255 leaves"):
            prove(conn, event_id, size=255)


def test_every_checkpoint_is_proven_to_extend_every_earlier_one(ledger):
    signed = heads(ledger)
    with ledger.auditor.connect() as conn:
        for place, new in enumerate(signed):
            for old in signed[: place + 1]:
                path = prove_consistency(conn, old.size, new.size)
                assert consistency_holds(old.size, new.size, old.root, new.root, path)


def test_what_is_not_sealed_cannot_be_proven(ledger):
    ledger.append(failed(1))
    unsealed = ledger.value("select event_id::text from audit.entries order by id desc limit 1")
    with ledger.auditor.connect() as conn:
        for event_id in (unsealed, "00000000-0000-0000-0000-000000000000"):
            with pytest.raises(LedgerError, match=f"no sealed event {event_id}"):
                prove(conn, event_id)
        for old, new in [(0, 600), (601, 602), (600, 601), (7, 1), (-1, 600)]:
            with pytest.raises(LedgerError, match=f"cannot compare {old} with {new}"):
                prove_consistency(conn, old, new)


def test_a_proof_of_something_else_does_not_hold(ledger):
    (_, event_id, body), (_, _, other), *_ = leaves(ledger)
    with ledger.auditor.connect() as conn:
        proof = prove(conn, event_id)
    with pytest.raises(BrokenLedger, match="not leaf 0"):
        check(proof, bytes(other), ledger.vkeys)
    with pytest.raises(BrokenLedger, match="not leaf 1"):
        check(replace(proof, index=1), bytes(body), ledger.vkeys)
    with pytest.raises(BrokenLedger, match="not leaf 0"):
        check(replace(proof, path=proof.path[:-1]), bytes(body), ledger.vkeys)
    with pytest.raises(UnknownKey):
        check(proof, bytes(body), [new_signer().vkey])


def test_a_malformed_proof_is_refused(ledger):
    with ledger.auditor.connect() as conn:
        written = str(prove(conn, leaves(ledger)[0].event_id))
    malformed = [
        written.replace("tlog-proof@v1", "tlog-proof@v2"),
        written.replace("index 0", "index 00"),
        written.replace("index 0", "index -1"),
        written.replace("index 0", "index"),
        written.replace("index 0\n", ""),
        written.replace("=\n", "\n", 1),
        written.replace("\n\n", "\n"),
        "",
    ]
    for text in malformed:
        with pytest.raises(BrokenLedger, match="not a"):
            check(InclusionProof.parse(text), b"", ledger.vkeys)


def test_extra_data_is_skipped(ledger):
    with ledger.auditor.connect() as conn:
        proof = prove(conn, leaves(ledger)[0].event_id)
    assert InclusionProof.parse(str(proof).replace("\n", "\nextra AAAA\n", 1)) == proof


def test_missing_stored_hashes_are_named(ledger):
    event_id = leaves(ledger)[0].event_id
    ledger.tamper("delete from audit.nodes")
    with ledger.auditor.connect() as conn, pytest.raises(BrokenLedger, match="stored hashes of level 1 are missing"):
        prove(conn, event_id)


def test_whoever_kept_an_old_checkpoint_is_proven_that_the_new_one_extends_it(ledger):
    notes = dict(ledger.rows("select size, note from audit.checkpoints"))
    with ledger.auditor.connect() as conn:
        written = str(prove_extension(conn, 256, 600, ledger.vkeys))
        with pytest.raises(LedgerError, match="no checkpoint of 255 leaves"):
            prove_extension(conn, 255, 600, ledger.vkeys)
        with pytest.raises(LedgerError, match="no checkpoint of 601 leaves"):
            prove_extension(conn, 256, 601, ledger.vkeys)
        with pytest.raises(LedgerError, match="cannot compare 600 with 256"):
            prove_extension(conn, 600, 256, ledger.vkeys)
    assert check_extension(ConsistencyProof.parse(written), notes[256], ledger.vkeys).size == 600
    with pytest.raises(BrokenLedger, match="says nothing of 7"):
        check_extension(ConsistencyProof.parse(written), notes[7], ledger.vkeys)
    bent = replace(ConsistencyProof.parse(written), path=(bytes(32),))
    with pytest.raises(BrokenLedger, match="does not begin with the 256 leaves"):
        check_extension(bent, notes[256], ledger.vkeys)
    with pytest.raises(BrokenLedger, match="'old NUMBER' is missing"):
        ConsistencyProof.parse(written.replace("old ", "old: "))


def test_a_database_that_was_rewritten_cannot_prove_that_it_extends_what_it_signed(ledger):
    ledger.tamper("update audit.sequence set leaf = sha256('x') where index = 540")
    with ledger.auditor.connect() as conn, pytest.raises(BrokenLedger, match="does not begin with the 556 leaves"):
        prove_extension(conn, 556, 600, ledger.vkeys)

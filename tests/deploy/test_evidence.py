"""`presswork audit consistency` and `pack`, as a person or a script calls it."""

from __future__ import annotations

import hashlib

import pytest

from policy.ledger.tree.proofs import ConsistencyProof, check_extension
from tests.deploy.audit.test_audit_command import Audited


@pytest.fixture
def ledger(database, s3, settings_for, tmp_path):
    ledger = Audited(database, settings_for, tmp_path / "keys")
    ledger.fill(3, 4)
    return ledger


def test_the_extension_of_a_checkpoint_is_proven_to_whoever_kept_it(ledger):
    result = ledger.call("consistency", "3", "7")
    assert result.exit_code == 0, result.output
    kept = ledger.value("select note from audit.checkpoints where size = 3")
    assert check_extension(ConsistencyProof.parse(result.stdout), kept, ledger.vkeys).size == 7
    for sizes, said in {("4", "7"): "no checkpoint of 4", ("3", "8"): "no checkpoint of 8",
                        ("7", "3"): "the old is the smaller"}.items():  # fmt: skip
        refused = ledger.call("consistency", *sizes)
        assert (refused.exit_code, said in refused.output) == (1, True), refused.output
    assert ledger.call("consistency", "0", "7").exit_code == 2


def test_a_pack_is_written_and_checked(ledger, tmp_path):
    path = tmp_path / "evidence.zip"
    result = ledger.call("pack", "--asset", "item-3", "-o", str(path))
    assert result.exit_code == 0, result.output
    assert "1 event under the checkpoint of 7 leaves" in result.output
    assert hashlib.sha256(path.read_bytes()).hexdigest() in result.output
    assert ledger.call("pack", "--asset", "item-3", "--request", "x", "-o", str(path)).exit_code == 2
    unknown = ledger.call("pack", "--asset", "nobody", "-o", str(tmp_path / "other.zip"))
    assert unknown.exit_code == 1
    assert "no sealed event is about asset nobody" in unknown.output


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("-o", "/nowhere/evidence.zip"), 1, "cannot write /nowhere/evidence.zip: No such file or directory"),
        (("--from", "yesterday", "-o", "evidence.zip"), 2, "write a day (2026-11-21) or a moment with its zone"),
        (("--from", "2026-11-22", "--to", "2026-11-21", "-o", "evidence.zip"), 2, "--to must be after --from"),
        (("--from", "2001-01-01", "--to", "2001-01-02", "-o", "evidence.zip"), 1, "no sealed event lies in that range"),
        (("--checkpoint", "5", "-o", "evidence.zip"), 1, "no checkpoint of 5 leaves"),
    ],
)  # fmt: skip
def test_a_pack_that_cannot_be_made_says_why(ledger, tmp_path, monkeypatch, arguments, code, said):
    monkeypatch.chdir(tmp_path)
    result = ledger.call("pack", *arguments)
    assert (result.exit_code, said in result.output) == (code, True), result.output
    assert not list(tmp_path.glob("evidence*"))


def test_a_head_that_does_not_exist_is_answered_with_those_next_to_it(ledger):
    for size, near in {"5": "the nearest: 3 and 7", "1": "the nearest: 3", "9": "the nearest: 7"}.items():
        result = ledger.call("checkpoint", "--size", size)
        assert (result.exit_code, near in result.output) == (1, True), result.output


def test_a_pack_of_a_log_that_was_tampered_with_does_not_prove_itself(ledger, tmp_path):
    ledger.tamper("update audit.entries set body = body || ' ' where id = 4")
    result = ledger.call("pack", "-o", str(tmp_path / "evidence.zip"))
    assert result.exit_code == 1
    assert "PROBLEM: leaf 3" in result.output

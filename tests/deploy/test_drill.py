"""Tampering drill: the offline verifier names every change of a superuser, and accepts an unchanged log."""

from __future__ import annotations

import random

import pytest

from deploy.drill import run as drill
from deploy.drill.pack_cases import FORGERIES
from deploy.drill.run import RealLog
from deploy.drill.tampering_cases import CASES
from policy.errors import BrokenLedger, LedgerError
from tests.support.ledger import Ledger, failed, refused


@pytest.fixture(scope="module")
def outcomes(stack, tmp_path_factory):
    return {outcome.case: outcome for outcome in drill.drill(stack.postgres, tmp_path_factory.mktemp("drill"))}


def test_a_log_that_nobody_touched_is_not_accused(outcomes):
    assert outcomes["no change, for comparison"].problems == ()


@pytest.mark.parametrize("case", [case.name for case in (*CASES, *FORGERIES)])
def test_the_offline_verifier_names_the_change(outcomes, case):
    assert outcomes[case].named, outcomes[case].problems


def test_there_are_at_least_ten_kinds():
    assert len(CASES) >= 10
    assert len(FORGERIES) >= 10


@pytest.fixture
def ledger(database):
    """A log as they are: tenants in no order, many events in one transaction, heads of any size."""
    ledger, dice = Ledger(database), random.Random(7)
    for size in (3, 40, 1, 260, 7, 80):
        for number in range(size):
            ledger.append(dice.choice([failed, refused])(number), tenant=dice.choice(["acme", "globex", "initech"]))
        ledger.seal()
    return ledger


def real(ledger, limit=10_000):
    return RealLog(ledger.auditor.connect, ledger.vkeys, limit)


def test_copies_of_a_real_log_are_tampered_with_and_the_log_is_not(ledger, stack, tmp_path):
    before = ledger.rows("select * from audit.entries order by id"), ledger.rows("select * from audit.checkpoints")
    outcomes = list(drill.drill(stack.postgres, tmp_path, real(ledger)))
    assert [outcome.case for outcome in outcomes if outcome.applicable and not outcome.named] == [outcomes[0].case]
    assert outcomes[0].problems == ()
    assert [outcome.case for outcome in outcomes if not outcome.applicable] == [
        "rewrite everything, signed with the real key"
    ]
    assert sum(outcome.named is not None for outcome in outcomes) >= 10
    after = ledger.rows("select * from audit.entries order by id"), ledger.rows("select * from audit.checkpoints")
    assert before == after


def test_a_real_log_is_copied_up_to_a_head_and_no_further_than_asked(ledger, stack, tmp_path):
    with pytest.raises(LedgerError, match="no head of at most 2 leaves"):
        next(drill.drill(stack.postgres, tmp_path, real(ledger, limit=2)))
    with pytest.raises(LedgerError, match="at least two heads"):
        next(drill.drill(stack.postgres, tmp_path, real(ledger, limit=10)))
    outcomes = drill.drill(stack.postgres, tmp_path, real(ledger, limit=50))
    assert next(outcomes).problems == ()
    outcomes.close()


def test_a_real_log_that_is_not_intact_is_no_subject_for_a_drill(ledger, stack, tmp_path):
    ledger.tamper("update audit.entries set tenant = 'rival' where id = 7")
    with pytest.raises(BrokenLedger, match="is not intact"):
        next(drill.drill(stack.postgres, tmp_path, real(ledger)))

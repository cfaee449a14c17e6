"""Incremental verification: from a kept head on; what came later is verified as ever, and the log below is that log."""

from __future__ import annotations

import pytest

from policy.ledger.flaws import Flaw
from policy.ledger.tree.notes import open_checkpoint
from policy.ledger.verification.verify import verify
from tests.support.ledger import Ledger, failed, refused

KEPT = 300  # past a stored node of 256 leaves


@pytest.fixture
def ledger(database):
    ledger = Ledger(database)
    ledger.fill(KEPT, 5, 300)
    ledger.append(refused(16), failed(17))
    return ledger


def since(ledger, size=KEPT):
    """The report of what came after the head of so many leaves, kept before anybody tampered."""
    note = next(note for (kept, _), note in ledger.anchor.kept.items() if kept == size)
    with ledger.auditor.connect() as conn:
        return verify(conn, ledger.vkeys, [ledger.anchor], kept=open_checkpoint(note, ledger.vkeys))


def test_only_what_came_since_is_looked_at(ledger):
    report = since(ledger)
    assert report.intact, report.problems
    assert (report.since, report.entries, report.sealed, report.unsealed) == (KEPT, 305 + 2, 605, 2)
    assert (report.checkpoints, report.proven) == (2, 605)
    assert report.root == ledger.verify().root


def test_from_the_newest_head_on_there_is_what_waits(ledger):
    report = since(ledger, 605)
    assert (report.intact, report.entries, report.proven, report.root) == (True, 2, 605, ledger.verify().root)


@pytest.mark.parametrize(
    ("statement", "flaw"),
    [
        ("update audit.entries set body = convert_to(replace(convert_from(body, 'UTF8'), 'item-', 'item_'), 'UTF8')"
         " where id = 400", Flaw.ENTRY_EDITED),
        ("delete from audit.entries where id = 301", Flaw.ENTRY_DELETED),
        ("update audit.nodes set hash = sha256('x') where level = 1 and index = 1", Flaw.NODE_EDITED),
        ("delete from audit.checkpoints where size = 305", Flaw.CHECKPOINT_MISSING),
        ("delete from audit.pending where entry_id = 606", Flaw.ENTRY_UNTRACKED),
        ("update audit.sequence set leaf = sha256('x') where index = 299", Flaw.ROOT_MISMATCH),
        ("update audit.nodes set hash = sha256('x') where level = 1 and index = 0", Flaw.ROOT_MISMATCH),
        ("delete from audit.sequence where index >= 290", Flaw.ROOT_MISMATCH),
        ("insert into audit.entries (id, event_id, tenant, kind, actor, subjects, recorded_at, body)"
         " overriding system value select -5, uuidv7(), tenant, kind, actor, subjects, recorded_at, body"
         " from audit.entries where id = 3", Flaw.ENTRY_UNTRACKED),
        ("delete from audit.entries where id = 7", Flaw.ENTRY_DELETED),
    ],
)  # fmt: skip
def test_tampering_with_the_later_part_or_with_the_tree_below_is_found(ledger, statement, flaw):
    ledger.tamper(statement)
    assert flaw in {problem.flaw for problem in since(ledger).problems}


def test_bytes_edited_before_the_kept_head_are_found_by_a_whole_verification_only(ledger):
    ledger.tamper("update audit.entries set body = body || ' ' where id = 3")
    assert since(ledger).intact
    assert not ledger.verify().intact


def test_a_database_from_before_the_kept_head_is_told(ledger):
    ledger.tamper(
        "delete from audit.sequence where index >= 200",
        "delete from audit.nodes",
        "delete from audit.checkpoints",
        "delete from audit.entries where id > 200",
    )
    report = since(ledger)
    assert {problem.flaw for problem in report.problems} >= {Flaw.ROOT_MISMATCH, Flaw.DATABASE_BEHIND}
    assert report.proven == 0

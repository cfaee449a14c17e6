"""Sealing: the order that slow transactions cannot disturb, the tree, and dying in the middle."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time

import pytest
from sqlalchemy import create_engine, event, text

from policy.errors import BrokenLedger, LedgerBehind, UnknownKey
from policy.ledger.append import append
from policy.ledger.tree.merkle import MerkleTree
from policy.ledger.tree.notes import open_checkpoint
from policy.ledger.tree.seal import lag_seconds, must_hold, seal
from tests.support.ledger import Ledger, failed, lock_up, new_signer, refused


@pytest.fixture
def ledger(database):
    return Ledger(database)


def leaves(ledger):
    rows = ledger.rows("select s.leaf from audit.sequence s order by s.index")
    return [bytes(row.leaf) for row in rows]


def root_of(hashes):
    tree = MerkleTree()
    for leaf in hashes:
        tree.add(leaf)
    return tree.root()


def test_a_seal_signs_the_tree_of_everything_committed(ledger):
    ledger.append(*(failed(n) for n in range(7)))
    sealed = ledger.seal()
    assert sealed.entries == sealed.checkpoint.size == 7
    assert open_checkpoint(sealed.note, ledger.vkeys) == sealed.checkpoint
    assert sealed.checkpoint.root == root_of(leaves(ledger))
    entries = [bytes(row.leaf) for row in ledger.rows("select leaf from audit.entries order by id")]
    assert leaves(ledger) == entries
    assert ledger.value("select count(*) from audit.pending") == 0


def test_without_new_entries_nothing_is_signed(ledger):
    assert ledger.seal() is None
    ledger.fill(1)
    assert ledger.seal() is None
    assert ledger.value("select count(*) from audit.checkpoints") == 1


def test_a_slow_transaction_is_sealed_late_and_never_skipped_or_slipped_in(ledger):
    slow = ledger.worker.connect()
    append(slow, tenant="acme", actor="worker:slow", events=[refused(1), failed(2)])
    ledger.append(failed(3), failed(4))
    first = ledger.seal()
    assert first.checkpoint.size == 2, "what is not committed is not sealed"
    assert ledger.seal() is None
    ledger.append(failed(5))
    slow.commit()
    slow.close()
    second = ledger.seal()
    assert second.checkpoint.size == 5
    ids = [row.entry_id for row in ledger.rows("select entry_id from audit.sequence order by index")]
    assert ids == [3, 4, 1, 2, 5], "sealed leaves stay where they are, the slow ones follow in their own order"
    assert root_of(leaves(ledger)[:2]) == first.checkpoint.root
    assert ledger.verify().intact


def test_many_small_seals_and_a_few_large_ones_make_the_same_tree(ledger):
    ledger.append(*(failed(n) for n in range(1_100)))
    sizes = []
    for limit in (1, 254, 1, 1, 255, 400, 1_000):
        sealed = ledger.seal(limit=limit)
        sizes.append(sealed.checkpoint.size)
        assert sealed.checkpoint.root == root_of(leaves(ledger)[: sealed.checkpoint.size])
    assert sizes == [1, 255, 256, 257, 512, 912, 1_100]
    assert ledger.value("select count(*) from audit.nodes") == 4
    assert ledger.verify().intact


def test_sealing_reads_the_tail_of_the_log_and_not_the_log(ledger):
    ledger.fill(2_000)
    ledger.append(failed(1))
    returned = []
    event.listen(ledger.sealer, "after_cursor_execute", lambda *args: returned.append(max(args[1].rowcount, 0)))
    ledger.seal()
    assert sum(returned) < 2 * 256 + 10


def test_two_sealers_never_work_at_once(ledger):
    ledger.append(failed(1))
    with ledger.superuser.begin() as other:
        lock_up(other)
        assert ledger.seal() is None
    assert ledger.seal().entries == 1


class _DiesSigning:
    """A key that kills its process when it is used: leaves and nodes are written, the checkpoint is not."""

    def __init__(self, vkey):
        self.vkey = vkey

    def sign(self, message):
        os.kill(os.getpid(), signal.SIGKILL)


def _seal_and_die(url, vkey):
    with create_engine(url).begin() as conn:
        seal(conn, _DiesSigning(vkey), [vkey])


def _sealed_when_the_dead_one_is_gone(ledger):
    """A killed sealer's session holds its lock until Postgres sees the closed socket. Meanwhile nothing is sealed."""
    for _ in range(300):
        if (sealed := ledger.seal()) is not None:
            return sealed
        time.sleep(0.1)
    raise AssertionError("the lock of a killed sealer was never given up")


def test_killed_between_leaf_and_checkpoint_the_next_sealer_signs_the_same_root(ledger):
    ledger.fill(5)
    ledger.append(*(failed(n) for n in range(20)))
    expected = [bytes(row.leaf) for row in ledger.rows("select leaf from audit.entries order by id")]
    child = multiprocessing.get_context("spawn").Process(
        target=_seal_and_die, args=(ledger.database.url("sealer"), ledger.signer.vkey)
    )
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    sealed = _sealed_when_the_dead_one_is_gone(ledger)
    assert sealed.checkpoint.root == root_of(expected)
    assert ledger.verify().intact


@pytest.mark.parametrize(
    "edit",
    ["update audit.sequence set leaf = sha256('x') where index = 2", "delete from audit.sequence where index = 299",
     "update audit.nodes set hash = sha256('x')", "delete from audit.nodes",
     "update audit.checkpoints set root = sha256('x')", "update audit.checkpoints set size = 299"],
)  # fmt: skip
def test_a_tree_that_does_not_add_up_is_not_signed_on(ledger, edit):
    ledger.fill(300)
    ledger.tamper(edit)
    ledger.append(failed(1))
    if edit.endswith("index = 2"):  # below the last full tile: the stored node speaks for it, `verify` sees it
        assert ledger.seal().entries == 1
        assert not ledger.verify().intact
    else:
        with pytest.raises(BrokenLedger):
            ledger.seal()
        assert ledger.value("select count(*) from audit.pending") == 1


def test_a_head_signed_by_an_unknown_key_is_not_built_upon(ledger):
    ledger.fill(3)
    ledger.signer = new_signer()
    ledger.append(failed(1))
    with pytest.raises(UnknownKey, match="the sealer's own key"):
        ledger.seal()
    ledger.vkeys = (ledger.signer.vkey,)
    with pytest.raises(UnknownKey, match="none of which is a key we were told to trust"):
        ledger.seal()


def test_a_rotated_key_goes_on_where_the_old_one_stopped(ledger):
    ledger.fill(3)
    new = new_signer()
    ledger.vkeys, ledger.signer = (*ledger.vkeys, new.vkey), new
    ledger.fill(2)
    report = ledger.verify()
    assert report.intact
    assert report.proven == 5


def test_a_database_that_lacks_a_signed_head_is_behind(ledger):
    ledger.fill(3, 2)
    heads = [open_checkpoint(row.note, ledger.vkeys) for row in ledger.rows("select note from audit.checkpoints")]
    with ledger.sealer.connect() as conn:
        for head in heads:
            must_hold(conn, head)
    ledger.tamper("delete from audit.checkpoints where size = 5")
    with ledger.sealer.connect() as conn, pytest.raises(LedgerBehind, match=r"of 5 entries.*its newest has 3"):
        must_hold(conn, heads[1])
    ledger.tamper("update audit.checkpoints set root = sha256('x') where size = 3")
    with ledger.sealer.connect() as conn, pytest.raises(LedgerBehind, match="another root of that size"):
        must_hold(conn, heads[0])


def test_the_lag_is_the_age_of_the_oldest_unsealed_entry(ledger):
    with ledger.sealer.connect() as conn:
        assert lag_seconds(conn) == 0.0
    ledger.append(failed(1))
    ledger.tamper("update audit.entries set recorded_at = recorded_at - interval '1 hour'")
    ledger.append(failed(2))
    with ledger.sealer.connect() as conn:
        assert 3_600 <= lag_seconds(conn) < 3_700
    ledger.seal()
    with ledger.sealer.connect() as conn:
        assert lag_seconds(conn) == 0.0


def test_an_entry_deleted_before_it_was_sealed_does_not_stop_the_sealer(ledger):
    ledger.append(failed(1), failed(2))
    ledger.tamper("delete from audit.entries where id = 1")
    assert ledger.seal().entries == 1
    assert ledger.rows("select entry_id from audit.pending") == [(1,)], "left for the auditor to see"


def test_what_was_restored_as_pending_although_sealed_is_not_sealed_twice(ledger):
    ledger.fill(2)
    with ledger.superuser.begin() as conn:
        conn.execute(text("insert into audit.pending values (1)"))
    assert ledger.seal() is None
    ledger.append(failed(3))
    assert ledger.seal().checkpoint.size == 3

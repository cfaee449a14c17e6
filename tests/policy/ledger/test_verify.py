"""Verification: an untouched log is intact; each way to tamper with one, by a superuser, is found and named."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from policy.ledger.flaws import MAX_PROBLEMS, Flaw
from policy.ledger.tree.merkle import MerkleTree, leaf_hash
from policy.ledger.tree.notes import Checkpoint, sign_checkpoint
from policy.ledger.verification.verify import verify
from tests.support.ledger import Ledger, MemoryAnchor, failed, new_signer, refused

SWAP = (
    "update audit.entries set {0} = case id when 3 then (select {0} from audit.entries where id = 8) "
    "else (select {0} from audit.entries where id = 3) end where id in (3, 8)"
)
INSERT = (
    "insert into audit.entries (event_id, tenant, kind, actor, subjects, recorded_at, body) "
    "select uuidv7(), tenant, kind, actor, subjects, recorded_at, body from audit.entries where id = 3"
)
SHIFT = "update audit.sequence set index = index + 1000 where index > 2"
SHIFT_BACK = "update audit.sequence set index = index - 1000 + {} where index >= 1000"

# What is done, as a superuser with the triggers asleep, to a log of three checkpoints (5 + 5 + 5 entries,
# entry n is leaf n - 1) with 2 entries that wait; which flaws it shows; which entry is named (None: a range).
EDITS = {
    "a body": (["update audit.entries set body = convert_to(replace(convert_from(body, 'UTF8'), 'studio', 'other'), "
                "'UTF8') where id = 4"], {Flaw.ENTRY_EDITED}, 4),
    "a body and the leaf in the sequence": (
        ["update audit.entries set body = convert_to(replace(convert_from(body, 'UTF8'), 'studio', 'other'), "
         "'UTF8') where id = 4",
         "update audit.sequence s set leaf = e.leaf from audit.entries e where e.id = s.entry_id"],
        {Flaw.ROOT_MISMATCH}, None),
    "a body that waits": (["update audit.entries set body = '{}' where id = 16"], {Flaw.BODY_UNREADABLE}, 16),
    "column tenant": (["update audit.entries set tenant = 'rival' where id = 4"], {Flaw.COLUMN_EDITED}, 4),
    "column kind": (["update audit.entries set kind = 'item.released' where id = 4"], {Flaw.COLUMN_EDITED}, 4),
    "column actor": (["update audit.entries set actor = 'nobody' where id = 4"], {Flaw.COLUMN_EDITED}, 4),
    "column subjects": (["update audit.entries set subjects = '{}' where id = 4"], {Flaw.COLUMN_EDITED}, 4),
    "column recorded_at": (["update audit.entries set recorded_at = recorded_at - interval '1 microsecond' "
                            "where id = 4"], {Flaw.COLUMN_EDITED}, 4),
    "column event_id": (["update audit.entries set event_id = gen_random_uuid() where id = 3"],
                        {Flaw.COLUMN_EDITED}, 3),
    "a column of an entry that waits": (["update audit.entries set tenant = 'rival' where id = 16"],
                                        {Flaw.COLUMN_EDITED}, 16),
    "the leaf of an entry": (["alter table audit.entries alter leaf drop expression",
                              "update audit.entries set leaf = sha256('x') where id = 4"], {Flaw.LEAF_EDITED}, 4),
    "a leaf in the sequence": (["update audit.sequence set leaf = sha256('x') where index = 3"], {Flaw.LEAF_EDITED}, 4),
    "an event id in the sequence": (["update audit.sequence set event_id = gen_random_uuid() where index = 2"],
                                    {Flaw.COLUMN_EDITED}, 3),
    "private text": (["update audit.private set value = 'a harmless plan' where field = 'prompt' and event_id = "
                      "(select event_id from audit.entries where id = 4)"], {Flaw.PRIVATE_EDITED}, 4),
    "the salt of private text": (["update audit.private set salt = '0123456789abcdef' where field = 'prompt' and "
                                  "event_id = (select event_id from audit.entries where id = 4)"],
                                 {Flaw.PRIVATE_EDITED}, 4),
    "private text removed": (["delete from audit.private where field = 'prompt' and event_id = "
                              "(select event_id from audit.entries where id = 4)"], {Flaw.PRIVATE_MISSING}, 4),
    "private text added": (["insert into audit.private select event_id, 'note', '0123456789abcdef', 'x' "
                            "from audit.entries where id = 4"], {Flaw.PRIVATE_UNCLAIMED}, 4),
    "private text of nobody": (["insert into audit.private values (gen_random_uuid(), 'x', '0123456789abcdef', 'x')"],
                               {Flaw.PRIVATE_UNCLAIMED}, None),
    "an entry deleted": (["delete from audit.entries where id = 3"], {Flaw.ENTRY_DELETED}, 3),
    "an entry and its leaf deleted": (["delete from audit.entries where id = 3",
                                       "delete from audit.sequence where index = 2"], {Flaw.LEAVES_MISSING}, None),
    "an entry and its leaf deleted and the gap closed": (
        ["delete from audit.entries where id = 3", "delete from audit.sequence where index = 2",
         SHIFT, SHIFT_BACK.format(-1)], {Flaw.ROOT_MISMATCH, Flaw.TAIL_CUT}, None),
    "a leaf taken out of the sequence": (["delete from audit.sequence where index = 2"],
                                         {Flaw.LEAVES_MISSING, Flaw.ENTRY_UNTRACKED}, 3),
    "a waiting entry deleted": (["delete from audit.entries where id = 17"], {Flaw.PENDING_ORPHANED}, 17),
    "a waiting entry taken from the sealer": (["delete from audit.pending where entry_id = 17"],
                                              {Flaw.ENTRY_UNTRACKED}, 17),
    "a sealed entry made to wait": (["insert into audit.pending values (3)"], {Flaw.PENDING_SEALED}, 3),
    "the tail of entries cut off": (["delete from audit.entries where id in (14, 15)"], {Flaw.ENTRY_DELETED}, 15),
    "the tail cut off with its leaves": (["delete from audit.entries where id in (14, 15)",
                                          "delete from audit.sequence where index >= 13"], {Flaw.TAIL_CUT}, None),
    "the tail cut off with its leaves and checkpoint": (
        ["delete from audit.entries where id between 11 and 15", "delete from audit.sequence where index >= 10",
         "delete from audit.checkpoints where size = 15"], {Flaw.DATABASE_BEHIND}, None),
    "everything deleted": (["delete from audit.entries", "delete from audit.sequence", "delete from audit.checkpoints",
                            "delete from audit.private", "delete from audit.pending"], {Flaw.DATABASE_BEHIND}, None),
    "two bodies swapped": ([SWAP.format("body")], {Flaw.ENTRY_EDITED, Flaw.COLUMN_EDITED}, 3),
    "two tenants' events swapped": (["update audit.entries set event_id = gen_random_uuid() where id in (3, 8)",
                                     SWAP.format("body"), SWAP.format("subjects"), SWAP.format("kind")],
                                    {Flaw.ENTRY_EDITED, Flaw.COLUMN_EDITED}, 3),
    "leaves reordered within a seal": (
        ["update audit.sequence set index = 99 where index = 1", "update audit.sequence set index = 1 where index = 2",
         "update audit.sequence set index = 2 where index = 99"], {Flaw.LEAVES_REORDERED, Flaw.ROOT_MISMATCH}, 2),
    "leaves reordered across seals": (
        ["update audit.sequence set index = 99 where index = 1", "update audit.sequence set index = 1 where index = 8",
         "update audit.sequence set index = 8 where index = 99"], {Flaw.LEAVES_REORDERED, Flaw.ROOT_MISMATCH}, None),
    "an entry inserted past the triggers": ([INSERT], {Flaw.ENTRY_UNTRACKED, Flaw.COLUMN_EDITED}, 18),
    "a leaf inserted at the end": (
        [INSERT, "insert into audit.sequence select 15, id, event_id, leaf from audit.entries where id = 18"],
        {Flaw.LEAVES_UNSIGNED, Flaw.COLUMN_EDITED}, 18),
    "a leaf inserted in the middle": (
        [INSERT, SHIFT, SHIFT_BACK.format(1),
         "insert into audit.sequence select 3, id, event_id, leaf from audit.entries where id = 18"],
        {Flaw.ROOT_MISMATCH, Flaw.COLUMN_EDITED, Flaw.LEAVES_REORDERED}, None),
    "the root of a checkpoint": (["update audit.checkpoints set root = sha256('x') where size = 10"],
                                 {Flaw.CHECKPOINT_FORGED, Flaw.ANCHOR_DIFFERS}, None),
    "the note of a checkpoint": (["update audit.checkpoints set note = replace(note, E'\\n10\\n', E'\\n11\\n')"],
                                 {Flaw.CHECKPOINT_FORGED}, None),
    "a note replaced by another": (["update audit.checkpoints set note = (select note from audit.checkpoints "
                                    "where size = 5) where size = 10"], {Flaw.CHECKPOINT_FORGED}, None),
    "a checkpoint deleted": (["delete from audit.checkpoints where size = 10"], {Flaw.CHECKPOINT_MISSING}, None),
}  # fmt: skip


@pytest.fixture
def ledger(database):
    ledger = Ledger(database)
    ledger.fill(5, 5, 5)
    ledger.append(refused(16), failed(17))
    return ledger


def flaws(report):
    return {problem.flaw for problem in report.problems}


def test_an_untouched_log_is_intact_and_counted(ledger):
    report = ledger.verify()
    assert report.intact
    assert (report.entries, report.sealed, report.unsealed, report.checkpoints) == (17, 15, 2, 3)
    assert (report.proven, report.anchored) == (15, {"memory": 15})
    assert report.root == ledger.value("select root from audit.checkpoints where size = 15")
    assert report.unsealed_seconds > 0


def test_an_empty_log_is_intact(database):
    report = Ledger(database).verify()
    assert report.intact
    assert (report.entries, report.checkpoints, report.anchored, report.sealed_at) == (0, 0, {"memory": 0}, None)


@pytest.mark.parametrize("edit", EDITS)
def test_tampering_is_found_and_the_entry_is_named(ledger, edit):
    statements, expected, entry_id = EDITS[edit]
    names = {row.id: str(row.event_id) for row in ledger.rows("select id, event_id from audit.entries")}
    ledger.tamper(*statements)
    report = ledger.verify()
    assert not report.intact
    assert expected <= flaws(report), report.problems
    if entry_id is not None:
        accused = [p for p in report.problems if p.entry_id == entry_id]
        assert accused, report.problems
        if entry_id in names and "event_id" not in str(statements):
            assert all(names[entry_id] in p.message for p in accused if p.event_id)


def test_only_the_guilty_entry_is_named(ledger):
    ledger.tamper(*EDITS["a body"][0])
    (problem,) = ledger.verify().problems
    row = ledger.rows("select * from audit.entries where id = 4")[0]
    assert (problem.index, problem.entry_id, problem.event_id, problem.kind) == (3, 4, str(row.event_id), row.kind)
    for word in (str(row.event_id), row.kind, "leaf 3", row.recorded_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")):
        assert word in problem.message


def test_a_range_that_does_not_hash_to_its_root_names_its_events(ledger):
    ledger.tamper(*EDITS["a body and the leaf in the sequence"][0])
    (problem,) = ledger.verify().problems
    assert "leaves 0 to 4" in problem.message
    assert str(ledger.value("select event_id from audit.entries where id = 4")) in problem.message


def test_several_tamperings_are_all_named(ledger):
    ledger.tamper(
        "update audit.entries set tenant = 'rival' where id = 2",
        "delete from audit.entries where id = 7",
        "update audit.entries set body = body || ' ' where id = 12",
    )
    assert {(p.flaw, p.entry_id) for p in ledger.verify().problems} == {
        (Flaw.COLUMN_EDITED, 2),
        (Flaw.ENTRY_DELETED, 7),
        (Flaw.ENTRY_EDITED, 12),
    }


def test_a_log_rewritten_and_signed_again_with_another_key_is_no_longer_ours(ledger):
    thief = new_signer()
    row = ledger.rows("select * from audit.checkpoints where size = 15")[0]
    note = sign_checkpoint(Checkpoint(thief.vkey.name, 15, bytes(row.root)), thief)
    ledger.tamper("update audit.checkpoints set note = :note where size = 15", note=note)
    report = ledger.verify()
    assert Flaw.CHECKPOINT_UNKNOWN_KEY in flaws(report)
    assert thief.vkey.id.hex() in report.problems[0].message


def test_a_log_rewritten_from_end_to_end_with_the_real_key_meets_the_anchor(ledger):
    """Even somebody who holds the database and the sealer's key cannot reach the anchor."""
    rewrite = "convert_to(replace(convert_from(body, 'UTF8'), 'studio', 'other'), 'UTF8')"
    ledger.tamper(
        f"update audit.entries set body = {rewrite}",
        "update audit.sequence s set leaf = e.leaf from audit.entries e where e.id = s.entry_id",
    )
    tree = MerkleTree()
    for row in ledger.rows("select e.body, s.index from audit.sequence s join audit.entries e on e.id = s.entry_id "
                           "order by s.index"):  # fmt: skip
        tree.add(leaf_hash(row.body))
        if tree.size % 5 == 0:
            note = sign_checkpoint(Checkpoint(ledger.signer.vkey.name, tree.size, tree.root()), ledger.signer)
            ledger.tamper("update audit.checkpoints set root = :root, note = :note where size = :size",
                          root=tree.root(), note=note, size=tree.size)  # fmt: skip
    report = ledger.verify()
    assert flaws(report) == {Flaw.ANCHOR_DIFFERS}
    with ledger.auditor.connect() as conn:
        assert verify(conn, ledger.vkeys).intact, "without the anchor nobody could tell"


def test_a_database_rolled_back_to_yesterday_is_behind_its_anchor(ledger):
    later = ledger.seal()
    ledger.anchor.put(later.checkpoint, later.note)
    ledger.tamper(
        "delete from audit.checkpoints where size = 17",
        "delete from audit.sequence where index >= 15",
        "insert into audit.pending values (16), (17)",
    )
    (problem,) = ledger.verify().problems
    assert problem.flaw == Flaw.DATABASE_BEHIND
    assert "checkpoint of 17 leaves, the database's newest has 15" in problem.message


def test_an_anchored_note_that_nobody_signed_is_found(ledger):
    (size, root) = max(ledger.anchor.kept)
    ledger.anchor.kept[size, root] = sign_checkpoint(Checkpoint(ledger.signer.vkey.name, size, root), new_signer())
    assert flaws(ledger.verify()) == {Flaw.ANCHOR_DIFFERS}


def test_an_edited_node_of_the_stored_tree_is_found(database):
    ledger = Ledger(database)
    ledger.fill(600)
    ledger.tamper("update audit.nodes set hash = sha256('x') where index = 1")
    (problem,) = ledger.verify().problems
    assert problem.flaw == Flaw.NODE_EDITED
    ledger.tamper("delete from audit.nodes where index = 1")
    (problem,) = ledger.verify().problems
    assert "is missing" in problem.message
    ledger.tamper("insert into audit.nodes values (1, 1, sha256('x')), (1, 7, sha256('x'))")
    assert [p.flaw for p in ledger.verify().problems] == [Flaw.NODE_EDITED] * 2


def test_events_that_arrive_while_verifying_are_no_false_alarm(ledger):
    class Busy(type(ledger.anchor)):
        def newest(self):
            found = super().newest()
            ledger.append(failed(99))
            sealed = ledger.seal()
            self.put(sealed.checkpoint, sealed.note)
            return found

        def __iter__(self):
            ledger.append(failed(98))
            sealed = ledger.seal()
            self.put(sealed.checkpoint, sealed.note)
            return super().__iter__()

    ledger.anchor = Busy(kept=ledger.anchor.kept)
    assert ledger.verify().intact


def test_two_anchors_that_disagree_are_both_named(ledger):
    second = MemoryAnchor(name="second")
    ahead = {root: Checkpoint(ledger.signer.vkey.name, 99, root) for root in (b"\1" * 32, b"\2" * 32)}
    for anchor, checkpoint in zip((ledger.anchor, second), ahead.values(), strict=True):
        anchor.put(checkpoint, sign_checkpoint(checkpoint, ledger.signer))
    with ledger.auditor.connect() as conn:
        report = verify(conn, ledger.vkeys, [ledger.anchor, second])
    assert report.anchored == {"memory": 99, "second": 99}
    assert [p.flaw for p in report.problems] == [Flaw.DATABASE_BEHIND, Flaw.DATABASE_BEHIND, Flaw.ANCHORS_DISAGREE]
    assert "'second' holds root 0202" in report.problems[-1].message
    assert "'memory' 0101" in report.problems[-1].message


def test_a_log_rewritten_from_end_to_end_is_not_listed_entry_by_entry(database):
    ledger = Ledger(database)
    ledger.fill(MAX_PROBLEMS + 20)
    ledger.tamper("update audit.entries set tenant = 'rival'")
    report = ledger.verify()
    assert (len(report.problems), report.left_out) == (MAX_PROBLEMS, 20)
    assert not report.intact


def test_progress_reaches_the_end(database):
    ledger = Ledger(database)
    ledger.fill(2_500)
    seen = []
    with ledger.auditor.connect() as conn:
        verify(conn, ledger.vkeys, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(2_000, 2_500), (2_500, 2_500)]


def test_verifying_writes_nothing(ledger):
    with ledger.superuser.connect() as conn:
        verify(conn, ledger.vkeys, [ledger.anchor])
        with pytest.raises(Exception, match="read-only transaction"):
            conn.execute(text("insert into audit.pending values (77)"))

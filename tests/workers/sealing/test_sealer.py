"""Sealer's loop: it anchors after the commit, catches up, and never signs a second history."""

from __future__ import annotations

import threading

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from policy.ledger.tree.keys import load_vkeys, make_key_files
from policy.ledger.tree.notes import Checkpoint, open_checkpoint, sign_checkpoint
from policy.ledger.verification.verify import verify
from tests.support.ledger import ORIGIN, Ledger, MemoryAnchor, failed
from tests.support.line import eventually
from workers.loop import Loop
from workers.sealing import loop as sealing_loop
from workers.sealing.anchors import StoreAnchor
from workers.sealing.sealer import Sealer, make_sealer
from workers.store import ObjectStore


@pytest.fixture
def ledger(database):
    return Ledger(database)


@pytest.fixture
def sealer(ledger):
    return fresh_sealer(ledger)


def fresh_sealer(ledger, **options):
    """A sealer as it is when its process begins."""
    return Sealer(ledger.sealer, ledger.keys, [ledger.anchor], anchor_pause_seconds=0, **options)


def run_and_log(sealer):
    with capture_logs() as lines:
        sealed = sealer.run_once()
    return sealed, [line["event"] for line in lines]


def anchored_sizes(ledger):
    return [one.size for one in ledger.anchor]


def counted(name, **labels):
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_a_turn_seals_anchors_and_counts(ledger, sealer):
    before = counted("presswork_sealed_entries_total")
    ledger.append(failed(1), failed(2))
    assert run_and_log(sealer) == (2, ["sealed"])
    assert run_and_log(sealer) == (0, [])
    assert anchored_sizes(ledger) == [2]
    assert counted("presswork_sealed_entries_total") - before == 2
    assert ledger.verify().intact


def test_a_turn_seals_more_than_one_transaction_may_hold(ledger):
    ledger.append(*(failed(n) for n in range(8)))
    assert fresh_sealer(ledger, limit=3).run_once() == 8
    assert ledger.value("select count(*) from audit.checkpoints") == 3
    assert anchored_sizes(ledger) == [8], "the newest head covers all before it"


def test_killed_between_commit_and_anchor_the_next_process_anchors(ledger):
    ledger.fill(3, anchored=False)
    assert fresh_sealer(ledger).run_once() == 0
    assert anchored_sizes(ledger) == [3]


def test_with_the_anchor_away_the_log_goes_on_with_an_alarm_and_catches_up(ledger, sealer):
    ledger.fill(1)
    sealer.run_once()
    before = counted("presswork_anchor_failures_total", place="memory")
    ledger.anchor.away = True
    for _ in range(3):
        ledger.append(failed(1))
        sealed, events = run_and_log(sealer)
        assert sealed == 1
        assert "anchor_unavailable" in events
    assert counted("presswork_anchor_failures_total", place="memory") > before
    ledger.anchor.away = False
    assert sealer.run_once() == 0
    assert anchored_sizes(ledger) == [4, 1]
    assert ledger.verify().intact


def test_with_one_of_two_anchors_away_the_other_is_enough_and_the_first_catches_up(ledger):
    away = MemoryAnchor(name="second", away=True)
    sealer = Sealer(ledger.sealer, ledger.keys, [away, ledger.anchor], anchor_pause_seconds=0)
    ledger.append(failed(1))
    before = counted("presswork_anchor_failures_total", place="second")
    sealed, events = run_and_log(sealer)
    assert sealed == 1
    assert "anchor_unavailable" in events
    assert counted("presswork_anchor_failures_total", place="second") > before
    assert (anchored_sizes(ledger), away.kept) == ([1], {})
    away.away = False
    assert run_and_log(sealer) == (0, [])
    assert [one.size for one in away] == [1]


def test_either_anchor_that_knows_more_stops_the_sealer(ledger):
    second = MemoryAnchor(name="second")
    other = Checkpoint(ORIGIN, 7, b"\1" * 32)
    second.put(other, note_of(ledger, other))
    ledger.append(failed(1))
    with capture_logs() as lines:
        assert Sealer(ledger.sealer, ledger.keys, [ledger.anchor, second], anchor_pause_seconds=0).run_once() == 0
    assert lines[0]["error"] == "LedgerBehind"


def test_a_process_that_never_reached_the_anchor_signs_nothing(ledger):
    ledger.append(failed(1))
    ledger.anchor.away = True
    sealer = fresh_sealer(ledger)
    assert run_and_log(sealer) == (0, ["anchor_unavailable", "seal_refused"])
    ledger.append(failed(2))  # appending never waits for the sealer
    ledger.anchor.away = False
    assert sealer.run_once() == 2


@pytest.mark.parametrize("restarted", [True, False], ids=["restarted", "kept running"])
def test_on_a_database_restored_from_yesterday_it_refuses_to_sign(ledger, sealer, restarted):
    ledger.append(failed(1))
    sealer.run_once()
    ledger.append(failed(2))
    sealer.run_once()
    roll_back_to_the_first_checkpoint(ledger)
    if restarted:
        sealer = fresh_sealer(ledger)
    ledger.append(failed(3))
    with capture_logs() as lines:
        assert sealer.run_once() == 0
    assert [(line["event"], line["error"]) for line in lines] == [("seal_refused", "LedgerBehind")]
    assert ledger.value("select count(*) from audit.checkpoints") == 1
    assert ledger.value("select count(*) from audit.pending") == 2


def test_a_database_cut_behind_its_anchor_is_noticed_while_nothing_happens(ledger, sealer):
    ledger.append(failed(1), failed(2))
    sealer.run_once()
    ledger.tamper("delete from audit.checkpoints", "delete from audit.sequence", "delete from audit.entries")
    assert run_and_log(sealer) == (0, ["seal_refused"])


def test_a_sealer_that_slept_through_the_other_ones_work_notices_a_restore(ledger, sealer):
    ledger.append(failed(1))
    sealer.run_once()
    ledger.append(failed(2))
    fresh_sealer(ledger).run_once()
    roll_back_to_the_first_checkpoint(ledger)
    ledger.append(failed(3))
    sealer.run_once()
    fresh_sealer(ledger).run_once()
    assert ledger.value("select count(*) from audit.checkpoints") == 1


def test_a_restored_copy_that_went_its_own_way_is_refused(ledger):
    """Same size, another root: a copy on which somebody sealed without asking the anchor."""
    ledger.append(failed(1))
    sealed = ledger.seal()
    other = Checkpoint(sealed.checkpoint.origin, 1, b"\1" * 32)
    ledger.anchor.put(other, note_of(ledger, other))
    ledger.append(failed(2))
    with capture_logs() as lines:
        assert fresh_sealer(ledger).run_once() == 0
    assert lines[0]["error"] == "LedgerBehind"
    assert "another root" in lines[0]["reason"]


def test_an_anchored_note_by_an_unknown_key_stops_the_sealer(ledger):
    foreign = Ledger(ledger.database)
    other = Checkpoint(ORIGIN, 7, b"\1" * 32)
    ledger.anchor.put(other, note_of(foreign, other))
    ledger.append(failed(1))
    with capture_logs() as lines:
        assert fresh_sealer(ledger).run_once() == 0
    assert lines[0]["error"] == "UnknownKey"


def test_two_sealers_share_the_work(ledger):
    one, other = fresh_sealer(ledger), fresh_sealer(ledger)
    for n, next_one in enumerate([one, other, other, one, one, other], start=1):
        ledger.append(failed(n))
        assert next_one.run_once() == 1
    assert anchored_sizes(ledger) == [6, 5, 4, 3, 2, 1]
    assert ledger.verify().intact


def test_it_asks_the_anchor_before_it_signs_and_not_while_it_idles(ledger, sealer):
    for n in range(3):
        ledger.append(failed(n))
        for _ in range(4):
            sealer.run_once()
    assert ledger.anchor.asked == 3


def test_an_entry_deleted_before_it_was_sealed_does_not_make_the_others_wait(ledger, sealer):
    ledger.append(failed(1), failed(2))
    ledger.tamper("delete from audit.entries where id = 1")
    assert sealer.run_once() == 1


def test_the_lag_is_measured_when_sealing_is_refused_too(ledger):
    ledger.append(failed(1))
    ledger.tamper("update audit.entries set recorded_at = recorded_at - interval '1 hour'")
    ledger.anchor.away = True
    fresh_sealer(ledger).run_once()
    assert counted("presswork_seal_lag_seconds") >= 3_600


def test_a_database_that_is_away_is_tried_again(ledger, sealer):
    ledger.append(failed(1))
    with ledger.superuser.begin() as conn:
        conn.exec_driver_sql("alter table audit.pending rename to gone")
    taking = Loop("sealer", lambda: sealer.run_once() > 0, pause_seconds=0.01)
    stop = threading.Event()
    with capture_logs() as lines:
        running = threading.Thread(target=taking.run, args=(stop,))
        running.start()
        eventually(lambda: lines)
        stop.set()
        running.join()
    assert {line["event"] for line in lines} == {"round_failed"}
    with ledger.superuser.begin() as conn:
        conn.exec_driver_sql("alter table audit.gone rename to pending")
    assert sealer.run_once() == 1


def test_from_settings_it_anchors_in_the_object_store_and_stops_after_a_last_round(ledger, settings_for, tmp_path):
    files = make_key_files(tmp_path, origin=ORIGIN)
    settings = settings_for("sealer", ledger_origin=ORIGIN, ledger_key=files.key, ledger_vkeys=files.vkeys)
    ledger.append(failed(1))
    stop = threading.Event()
    stop.set()
    sealing_loop.serve(settings, stop)
    vkeys = load_vkeys(files.vkeys)
    ledger.append(failed(2))
    make_sealer(settings).run_once()
    anchor = StoreAnchor(ObjectStore(settings_for("auditor")), ORIGIN)
    assert [one.size for one in anchor] == [2, 1]
    with ledger.auditor.connect() as conn:
        report = verify(conn, vkeys, [anchor])
    assert report.intact
    assert report.anchored == {"store": 2}
    newest = anchor.newest()
    assert open_checkpoint(anchor.note(newest), vkeys) == Checkpoint(ORIGIN, newest.size, newest.root)


def test_missing_or_contradicting_settings_are_named(settings_for, tmp_path):
    with pytest.raises(SystemExit, match="PRESSWORK_LEDGER_KEY"):
        make_sealer(settings_for("sealer"))
    files = make_key_files(tmp_path, origin=ORIGIN)
    settings = settings_for("sealer", ledger_origin="another/log", ledger_key=files.key, ledger_vkeys=files.vkeys)
    with pytest.raises(SystemExit, match=r"add the line another/log\+"):
        make_sealer(settings)


def note_of(ledger, checkpoint):
    return sign_checkpoint(checkpoint, ledger.signer)


def roll_back_to_the_first_checkpoint(ledger):
    """What a restored backup looks like: the later checkpoint is gone, its entry waits again."""
    ledger.tamper(
        "delete from audit.checkpoints where size = 2",
        "delete from audit.sequence where index = 1",
        "insert into audit.pending select max(id) from audit.entries",
    )

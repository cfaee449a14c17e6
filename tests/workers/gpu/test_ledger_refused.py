"""Releases wait while the sealer refuses: nothing is drawn, nothing is released, and all goes on afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from policy.ledger.tree import refusal
from policy.ledger.tree.seal import seal
from tests.support.fakes import FakeSampler
from tests.support.ledger import Ledger, failed
from tests.support.line import Line
from tests.support.worker import Works
from tests.workers.gpu.test_at_fault import Clock, presence_of, run_all
from workers import metrics
from workers.gpu.standing import Standing
from workers.sealing.sealer import Sealer
from workers.states import BatchState, ItemState


@pytest.fixture
def works(line: Line, settings_for, s3) -> Iterator[Works]:
    yield Works(line, settings_for, s3)
    metrics.report("worker", None)
    metrics.report("sealer", None)


@pytest.fixture
def ledger(works: Works) -> Ledger:
    return Ledger(works.line.database)


def behind(ledger: Ledger) -> None:
    """The anchor knows a head that the database lacks, as after a restore."""
    ledger.append(*(failed(n) for n in range(3)))
    with ledger.sealer.connect() as conn:  # sealed, anchored, and lost
        sealed = seal(conn, ledger.signer, ledger.vkeys)
        assert sealed is not None
        ledger.anchor.put(sealed.checkpoint, sealed.note)
        conn.rollback()


def sealer_of(ledger: Ledger) -> Sealer:
    return Sealer(ledger.sealer, ledger.keys, [ledger.anchor], anchor_pause_seconds=0)


def test_on_a_restored_database_workers_pause_and_go_on_once_it_seals(works: Works, ledger: Ledger) -> None:
    behind(ledger)
    sealer_of(ledger).run_once()
    assert metrics.problems()["sealer"] == "seal_refused"
    worker, clock, told = works.executor(), Clock(), []
    worker.standing = Standing(clock=clock)
    works.line.submit("acme", 4)
    for batch_id in works.look():
        worker.run(batch_id)
    assert (worker.sampler.claims, works.line.states()[ItemState.RELEASED]) == ([], 0)
    assert metrics.problems()["worker"] == "ledger_refused"
    clock.seconds += 600
    presence_of(worker, told).tick()
    assert not worker.standing.is_ready, "a pause does not end while the sealer still refuses"
    ledger.anchor.kept.clear()  # the operator began a new log
    assert sealer_of(ledger).run_once() > 0
    assert "sealer" not in metrics.problems()
    clock.seconds += 600
    presence_of(worker, told).tick()
    run_all(works, worker)
    works.assert_settled_once(4)


def test_what_is_in_flight_when_the_sealer_refuses_is_given_back_and_not_counted(works: Works, ledger: Ledger) -> None:
    def refuse(*_: object) -> None:
        with ledger.sealer.begin() as conn:
            refusal.note(conn, "LedgerBehind: a test")

    worker = works.executor(FakeSampler(between=refuse))
    batch_id = works.batch(2)
    worker.run(batch_id)
    assert works.line.states() == {ItemState.PLANNED: 2}
    batch = works.line.batch(batch_id)
    assert batch.state == BatchState.DISPATCHED
    (returned,) = works.line.events("batch.returned")
    assert returned.event["reason"] == "ledger_refused"
    assert works.line.events("item.released") == []
    with ledger.sealer.begin() as conn:
        refusal.note(conn, None)
    works.line.lease_runs_out(batch_id)
    run_all(works, works.executor(worker="worker-2"))
    works.assert_settled_once(2)


def test_the_note_is_written_when_it_changes_and_by_the_sealer_alone(works: Works, ledger: Ledger) -> None:
    since = "select refused_at from audit.seal_refusal"
    with ledger.sealer.begin() as conn:
        refusal.note(conn, "UnknownKey: a test")
    first = ledger.value(since)
    with ledger.sealer.begin() as conn:
        refusal.note(conn, "UnknownKey: a test")
    assert ledger.value(since) == first
    with ledger.worker.begin() as conn:
        assert refusal.reason(conn) == "UnknownKey: a test"
        with pytest.raises(Exception, match="permission denied"):
            refusal.note(conn, None)
    with ledger.sealer.begin() as conn:
        refusal.note(conn, None)
    assert ledger.value(since) is None

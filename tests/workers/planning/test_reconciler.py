"""The reconciler: at once on NOTIFY, by polling whatever happens, and through outages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import REGISTRY

from tests.support.fakes import RecordingQueue
from tests.support.line import LEASE, Line, eventually, released
from workers.errors import BrokerUnavailable
from workers.jobs.claim import claim
from workers.jobs.settle import settle
from workers.planning import reconciler
from workers.settings import Settings
from workers.states import BatchState, ItemState


@contextmanager
def serving(line: Line, queue: RecordingQueue, settings: Settings) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=reconciler.serve, args=(line.worker, queue, settings, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        line.wake()
        thread.join(timeout=20)
        assert not thread.is_alive()


def test_an_overdue_batch_is_sent_again(line: Line, settings):
    batch_id = line.dispatch(line.submit("acme", 1))
    queue = RecordingQueue()
    assert reconciler.run_once(line.worker, queue, settings) == 0
    line.lease_runs_out(batch_id)
    assert reconciler.run_once(line.worker, queue, settings) == 1
    assert queue.batch_ids == [batch_id]


def test_what_the_broker_did_not_take_is_sent_at_the_next_look(line: Line, settings):
    batch_id = line.dispatch(line.submit("acme", 1))
    line.lease_runs_out(batch_id)
    broken, mended = RecordingQueue(fail_after=0, error=BrokerUnavailable("gone")), RecordingQueue()
    reconciler.run_once(line.worker, broken, settings)
    reconciler.run_once(line.worker, mended, settings)
    assert (broken.batch_ids, mended.batch_ids) == ([], [batch_id])
    assert line.batch(batch_id).attempt == 0


def test_a_submission_is_planned_at_once(line: Line, settings_for):
    """It polls once in ten minutes: only the NOTIFY can have brought it."""
    queue = RecordingQueue()
    with serving(line, queue, settings_for("worker", poll_seconds=600)):
        eventually(line.is_listened_to)
        line.submit("acme", 2)
        eventually(lambda: queue.batch_ids)
    assert line.states() == {ItemState.PLANNED: 2}


def test_a_settlement_makes_room_at_once(line: Line, settings_for):
    queue = RecordingQueue()
    with serving(line, queue, settings_for("worker", poll_seconds=600, window=1, max_batch=1)):
        eventually(line.is_listened_to)
        line.submit("acme", 3)
        for done in range(3):
            eventually(lambda done=done: len(queue.batch_ids) > done)
            with line.worker.begin() as conn:
                held = claim(conn, queue.batch_ids[done], LEASE, "worker-1")
                settle(conn, held, [released(held, item) for item in held.items])
    assert line.states() == {ItemState.RELEASED: 3}


def test_what_nobody_announces_is_found_by_polling(line: Line, settings_for):
    """A lease that runs out makes no noise."""
    held = line.claimed()
    queue = RecordingQueue()
    with serving(line, queue, settings_for("worker", poll_seconds=0.05)):
        line.lease_runs_out(held.batch_id)
        eventually(lambda: queue.batch_ids == [held.batch_id])
    assert line.batch(held.batch_id).state == BatchState.DISPATCHED


def test_it_goes_on_after_every_connection_was_cut(line: Line, settings_for):
    queue = RecordingQueue()
    with serving(line, queue, settings_for("worker", poll_seconds=0.05)):
        for images in (1, 2, 3):
            eventually(line.is_listened_to)
            line.cut_connections("presswork_worker")
            line.submit("acme", images)
            eventually(lambda images=images: len(queue.batch_ids) == images)
    assert line.states() == {ItemState.PLANNED: 6}


def test_two_reconcilers_send_each_batch_once(line: Line, settings_for):
    queue = RecordingQueue()
    settings = settings_for("worker", poll_seconds=0.05, max_batch=1, window=50)
    with serving(line, queue, settings), serving(line, queue, settings):
        line.submit("acme", 20)
        eventually(lambda: len(queue.batch_ids) >= 20)
    assert len(queue.batch_ids) == len(set(queue.batch_ids)) == 20


def test_dashboards_read_depth_age_and_batches_in_flight(line: Line, settings_for):
    settings = settings_for("worker", max_batch=1)
    line.submit("acme", 3)
    line.claimed(1)
    reconciler._measure(line.worker, settings)
    gauge = REGISTRY.get_sample_value
    assert gauge("presswork_pending_items", {"queue": "gpu", "priority": "bulk"}) == 3
    assert gauge("presswork_open_batches", {"queue": "gpu", "state": "running"}) == 1
    assert gauge("presswork_oldest_pending_seconds", {"queue": "gpu"}) > 0
    line.dispatch(line.pending())
    reconciler._measure(line.worker, settings)
    assert gauge("presswork_pending_items", {"queue": "gpu", "priority": "bulk"}) == 0
    assert gauge("presswork_oldest_pending_seconds", {"queue": "gpu"}) == 0

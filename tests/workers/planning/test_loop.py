"""Planner's loop: at once on NOTIFY, by polling whatever happens, and through outages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.fakes import RecordingQueue
from tests.support.line import LEASE, Line, eventually, released
from workers.jobs.claim import claim
from workers.jobs.settle import settle
from workers.planning.loop import make_loop
from workers.settings import Settings
from workers.states import BatchState, ItemState


@contextmanager
def serving(line: Line, queue: RecordingQueue, settings: Settings) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=make_loop(line.worker, queue, settings).run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        line.wake()
        thread.join(timeout=60)
        assert not thread.is_alive()


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


def test_it_rests_only_while_no_batch_is_open(line: Line, settings_for):
    """It rests for ten minutes. A submission ends the rest; with its batch open it polls, and sees the lease end."""
    queue = RecordingQueue()
    with serving(line, queue, settings_for("worker", poll_seconds=0.05, rest_seconds=600)):
        eventually(line.is_listened_to)
        line.submit("acme", 1)
        eventually(lambda: len(queue.batch_ids) == 1)
        line.lease_runs_out(queue.batch_ids[0])
        eventually(lambda: len(queue.batch_ids) == 2)


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


def test_a_stop_is_heard_though_nothing_is_announced(line: Line, settings_for):
    """A signal does not interrupt a wait for notifications, and a container that is slow to stop is killed."""
    stop = threading.Event()
    loop = make_loop(line.worker, RecordingQueue(), settings_for("worker", poll_seconds=600))
    thread = threading.Thread(target=loop.run, args=(stop,))
    thread.start()
    eventually(line.is_listened_to)
    stop.set()
    thread.join(timeout=60)
    assert not thread.is_alive()


def test_more_overdue_batches_than_one_look_takes_are_sent_without_a_pause(line: Line, settings_for, monkeypatch):
    """It polls once in ten minutes, and a lease that runs out makes no noise."""
    monkeypatch.setattr("workers.jobs.expire.AT_ONCE", 2)
    monkeypatch.setattr("workers.planning.loop.AT_ONCE", 2)
    overdue = [line.dispatch(line.submit("acme", 1)) for _ in range(5)]
    for batch_id in overdue:
        line.lease_runs_out(batch_id)
    queue = RecordingQueue()
    with serving(line, queue, settings_for("worker", poll_seconds=600)):
        eventually(lambda: set(queue.batch_ids) == set(overdue))

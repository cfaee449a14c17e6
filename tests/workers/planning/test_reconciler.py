"""Reconciler: overdue batches and lost messages, sent again."""

from __future__ import annotations

from tests.support.fakes import RecordingQueue
from tests.support.line import Line
from workers.errors import BrokerUnavailable
from workers.planning import reconciler


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

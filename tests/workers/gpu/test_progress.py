"""Progress: what is finished is settled while the batch goes on, and outlives the attempt that made it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.line import Line
from tests.support.worker import Works
from workers import metrics
from workers.states import BatchState, ItemState
from workers.store import ObjectStore

PLENTY = 60


@pytest.fixture
def works(line: Line, settings_for, s3) -> Works:
    yield Works(line, settings_for, s3)
    metrics.report("worker", None)


class Killed(BaseException):
    """As good as SIGKILL inside one process."""


def test_pictures_that_are_finished_when_the_store_refuses_the_next_are_kept(works: Works):
    """Nothing that was finished is drawn a second time, wherever in the batch the store turns."""
    store = ObjectStore(works.settings_for("worker"))
    put, done = store.put, []

    def turns(key: str, *rest: Any, **more: Any) -> str:
        if len(done) == 2:
            return ObjectStore(works.settings_for("api")).put(key, *rest, **more)
        done.append(key)
        return put(key, *rest, **more)

    store.put = turns  # type: ignore[method-assign]
    batch_id = works.batch(5)
    works.executor(store=store, worker="bad").run(batch_id)
    assert works.line.states() == {ItemState.RELEASED: 2, ItemState.PLANNED: 3}
    good = works.executor(worker="good")
    good.run(batch_id)
    works.assert_settled_once(5)
    assert len(good.sampler.claims[0].items) == 3


def test_a_worker_killed_again_and_again_makes_progress_and_nothing_fails(works: Works):
    """O04, O09, row 51: killed in the middle of every attempt that lasts longer than three pictures."""
    ids = works.line.submit("acme", 8)
    batch_id = works.line.dispatch(ids)
    attempts = 0
    while works.line.batch(batch_id).state != BatchState.FINISHED:
        attempts += 1
        assert attempts < PLENTY
        alive = iter(range(3))  # pictures until the platform kills it

        def probe(point, _held, alive=alive):
            if point == "finishing" and next(alive, None) is None:
                raise Killed

        executor = works.executor(worker=f"worker-{attempts}", probe=probe)
        executor.settle_every_seconds = 0.0
        try:
            executor.run(batch_id)
        except Killed:
            works.line.lease_runs_out(batch_id)
            works.look()
    works.assert_settled_once(8)
    assert attempts <= 6


def test_what_an_attempt_settled_outlives_the_loss_of_its_lease(works: Works):
    """Two pictures are settled, then another attempt takes the batch: only the objects of the others are deleted."""
    batch_id = works.batch(4)
    count = iter(range(10))

    def probe(point, held):
        if point == "finishing" and next(count) == 1:
            works.taken_over(held)

    works.executor(probe=probe, worker="late").run(batch_id)
    works.assert_settled_once(4)


def test_a_lease_that_is_lost_after_a_part_was_settled_keeps_that_part(works: Works, monkeypatch):
    batch_id = works.batch(4)
    late = works.executor(worker="late")
    late.settle_every_seconds = 0.0
    count = iter(range(10))

    def probe(point, held):
        if point == "finishing" and next(count) == 1:
            works.taken_over(held)

    late.probe = late.finisher.probe
    late.finisher = works.executor(probe=probe, worker="late").finisher
    late.run(batch_id)
    works.assert_settled_once(4)
    attempts = sorted(event.event["attempt"] for event in works.line.events("item.released"))
    assert attempts == [1, 1, 2, 2]

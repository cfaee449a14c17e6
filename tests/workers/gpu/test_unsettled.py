"""Claims that end without a settlement: given back, failed or counted, by the error that ended them."""

from __future__ import annotations

import pytest

from tests.support.fakes import FakeSampler
from tests.support.line import Line, eventually
from tests.support.worker import Works
from workers.errors import LeaseLost, StoreUnavailable
from workers.jobs.fleet.faults import Fault
from workers.states import BatchState, ItemState

PLENTY = 60  # claims: a queue that is not empty by then never will be


@pytest.fixture
def works(line: Line, settings_for, s3) -> Works:
    return Works(line, settings_for, s3)


def test_a_worker_that_shuts_down_gives_its_batch_back_at_once_and_uncounted(works: Works):
    executor = works.executor()
    executor.sampler = FakeSampler(between=lambda *_: executor.draining.set())
    batch_id = works.batch(2)
    executor.run(batch_id)
    batch = works.line.batch(batch_id)
    assert (batch.state, batch.attempt, batch.given_back) == (BatchState.DISPATCHED, 1, 1)
    assert works.line.events("batch.returned")[0].event["reason"] == "draining"
    assert works.look() == [batch_id], "it is due without a wait"
    works.executor(worker="worker-2").run(batch_id)
    works.assert_settled_once(2)


def test_a_late_worker_is_refused_and_takes_its_objects_with_it(works: Works):
    """It was stopped while sampling, another made the batch meanwhile, and it never noticed."""
    sampler = FakeSampler(between=lambda held, _watch, step: works.taken_over(held) if step == 0 else None)
    works.executor(sampler).run(works.batch(2))
    assert {event.event["attempt"] for event in works.line.events("item.released")} == {2}
    works.assert_settled_once(2)


def test_a_late_worker_that_notices_stops_at_the_next_step(works: Works):
    steps: list[int] = []

    def between(held, watch, step):
        steps.append(step)
        if step == 0:
            works.taken_over(held)
            eventually(lambda: lost(watch))

    def lost(watch):
        try:
            watch.check()
        except LeaseLost:
            return True
        return False

    works.executor(FakeSampler(steps=50, between=between), lease_seconds=0.5).run(works.batch(2))
    assert steps == [0]
    works.assert_settled_once(2)


def test_an_unexpected_error_counts_the_claim(works: Works):
    def breaks(*_):
        raise ZeroDivisionError("in the middle of it")

    batch_id = works.batch(2)
    works.executor(FakeSampler(between=breaks)).run(batch_id)
    batch = works.line.batch(batch_id)
    assert (batch.state, batch.attempt, batch.given_back) == (BatchState.DISPATCHED, 1, 0)
    assert works.line.events("batch.expired")[0].event["reason"] == "error:ZeroDivisionError"
    assert works.look() == [batch_id]


def test_a_poison_item_is_isolated_and_fails_alone_with_its_reason(works: Works):
    def poison(held, *_):
        if "row-5" in {item.custom_id for item in held.items}:
            raise ZeroDivisionError

    ids = works.line.submit("acme", 8)
    sampler = FakeSampler(between=poison)
    executor = works.executor(sampler)
    while sent := works.look():
        assert len(sampler.claims) < PLENTY
        for batch_id in sent:
            executor.run(batch_id)
    assert works.line.states() == {ItemState.RELEASED: 7, ItemState.FAILED: 1}
    assert works.line.item(ids[4]).reason == "error:ZeroDivisionError"
    assert len(works.s3.keys()) == 7
    poisoned = [len(claim.items) for claim in sampler.claims if ids[4] in {item.id for item in claim.items}]
    assert poisoned == [8, 8, 4, 2, 1, 1]


def test_a_shared_service_that_fails_in_the_middle_pauses_the_worker_and_the_batch(works: Works):
    def gone(*_):
        raise StoreUnavailable("503")

    batch_id = works.batch(2)
    executor = works.executor(FakeSampler(between=gone), return_seconds=30)
    executor.run(batch_id)
    batch = works.line.batch(batch_id)
    assert (batch.state, batch.attempt, batch.given_back) == (BatchState.DISPATCHED, 1, 1)
    assert works.line.events("batch.returned")[0].event["reason"] == "store_unavailable"
    assert (executor.standing.fault, works.look()) == (Fault.SERVICE, [])
    works.line.lease_runs_out(batch_id)
    assert works.look() == [batch_id]

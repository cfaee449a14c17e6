"""Executor: one batch, start to end, and everything that can come in between."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.fakes import FakeSampler
from tests.support.line import Line, eventually, statements
from tests.support.worker import Works
from workers.crash import POINTS
from workers.jobs.cancel import cancel_item, cancel_request
from workers.states import BatchState, ItemState
from workers.store import ObjectStore


class Killed(BaseException):
    """As good as SIGKILL inside one process: nothing of ours catches it."""


@pytest.fixture
def works(line: Line, settings_for, s3) -> Works:
    return Works(line, settings_for, s3)


def cancels(works: Works, custom_id: str):
    """A step at which the item's tenant changes its mind."""

    def between(held, _watch, step):
        if step == 0:
            (item,) = [item for item in held.items if item.custom_id == custom_id]
            with works.line.as_tenant(item.tenant) as conn:
                assert cancel_item(conn, item.tenant, item.id, "test")

    return between


def test_a_batch_may_be_run_any_number_of_times(works: Works):
    batch_id = works.batch(2)
    sampler = FakeSampler()
    executor = works.executor(sampler)
    for _ in range(5):
        executor.run(batch_id)
    assert len(sampler.claims) == 1
    works.assert_settled_once(2)


def test_the_whole_way_costs_few_statements(works: Works):
    """In the middle of a request: 16 for the batch, one each for the budget, the breaker, and whether the request
    ends, and two that ask whether the ledger can be sealed.
    """
    batch_id = works.line.dispatch(works.line.submit("acme", 9)[:8])
    executor = works.executor(lease_seconds=300)
    executor.settle_every_seconds = 300.0  # a busy machine settles in parts, and renews its lease meanwhile
    with statements(works.line.worker) as sent:
        executor.run(batch_id)
    assert len(sent) <= 21, "\n".join(sent)
    assert works.line.states() == {ItemState.RELEASED: 8, ItemState.PENDING: 1}


def test_no_transaction_is_open_while_the_device_works(works: Works):
    open_transactions: list[int] = []
    sampler = FakeSampler(between=lambda *_: open_transactions.append(works.line.open_transactions()))
    works.executor(sampler).run(works.batch(2))
    assert open_transactions == [0, 0]


class CountingSampler(FakeSampler):
    """Knows how many batches are on the device at once."""

    inside = 0
    most = 0

    def sample(self, held, watch):
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            return super().sample(held, watch)
        finally:
            self.inside -= 1


def test_finishing_overlaps_sampling_and_sampling_never_itself(works: Works):
    """The first batch is not finished before the second is on the device, which holds one batch at a time."""
    first_samples, second_samples = threading.Event(), threading.Event()

    def between(held, *_):
        (first_samples if held.batch_id == first else second_samples).set()

    def probe(point, held):
        if point == "finishing" and held.batch_id == first:
            assert second_samples.wait(60), "finishing held the device"

    sampler = CountingSampler(steps=20, between=between)
    executor = works.executor(sampler, probe=probe)
    first, second = works.batch(2), works.batch(2)
    with ThreadPoolExecutor(2) as threads:
        one = threads.submit(executor.run, first)
        assert first_samples.wait(60)
        two = threads.submit(executor.run, second)
        one.result()
        two.result()
    assert sampler.most == 1
    works.assert_settled_once(4)


def test_a_cancel_between_two_steps_drops_that_item_and_no_other(works: Works):
    batch_id = works.batch(3)
    change_of_mind = cancels(works, "row-2")

    def between(held, watch, step):
        change_of_mind(held, watch, step)
        eventually(lambda: watch.cancelled)

    works.executor(FakeSampler(between=between), lease_seconds=0.5).run(batch_id)
    assert works.line.states() == {ItemState.RELEASED: 2, ItemState.CANCELLED: 1}
    assert len(works.s3.keys()) == 2
    assert works.line.batch(batch_id).state == BatchState.FINISHED


def test_a_cancel_that_the_worker_has_not_heard_of_leaves_no_object(works: Works):
    ids = works.line.submit("acme", 3)
    works.executor(FakeSampler(between=cancels(works, "row-2"))).run(works.line.dispatch(ids))
    assert works.line.states() == {ItemState.RELEASED: 2, ItemState.CANCELLED: 1}
    assert len(works.s3.keys()) == 2
    assert not any(ids[1] in key for key in works.s3.keys("released/"))


def test_a_request_cancelled_while_sampling_ends_its_batch(works: Works):
    def between(held, watch, step):
        if step == 0:
            with works.line.as_tenant("acme") as conn:
                cancel_request(conn, "acme", held.items[0].request_id, "test")
            eventually(lambda: len(watch.cancelled) == 2)

    batch_id = works.batch(2)
    works.executor(FakeSampler(between=between), lease_seconds=0.5).run(batch_id)
    assert works.line.states() == {ItemState.CANCELLED: 2}
    assert (works.line.batch(batch_id).state, works.s3.keys()) == (BatchState.FINISHED, [])


def test_a_worker_that_shuts_down_settles_what_is_off_the_device(works: Works):
    executor = works.executor(probe=lambda point, _held: executor.draining.set() if point == "sampled" else None)
    executor.run(works.batch(2))
    works.assert_settled_once(2)


def test_a_worker_that_shuts_down_claims_nothing_more(works: Works):
    executor = works.executor()
    executor.draining.set()
    batch_id = works.batch(1)
    executor.run(batch_id)
    assert (works.line.batch(batch_id).state, works.line.batch(batch_id).attempt) == (BatchState.DISPATCHED, 0)


def test_while_the_store_is_down_nothing_is_claimed(works: Works):
    gone = ObjectStore(works.settings_for("worker", s3_endpoint_url="http://127.0.0.1:9"))
    batch_id = works.batch(1)
    works.executor(store=gone).run(batch_id)
    assert (works.line.batch(batch_id).state, works.line.batch(batch_id).attempt) == (BatchState.DISPATCHED, 0)


def test_a_database_that_goes_away_before_the_settlement_is_waited_for(works: Works):
    def probe(point, _held):
        if point == "finished":
            works.line.cut_connections("presswork_worker")

    works.executor(probe=probe).run(works.batch(2))
    works.assert_settled_once(2)


@pytest.mark.parametrize("point", POINTS[1 : POINTS.index("copied")])  # those of a worker
def test_killed_at_any_point_the_batch_is_settled_once(works: Works, point: str):
    def probe(reached, _held):
        if reached == point:
            raise Killed

    batch_id = works.batch(2)
    with pytest.raises(Killed):
        works.executor(probe=probe).run(batch_id)
    works.line.lease_runs_out(batch_id)
    for sent in works.look():
        works.executor(worker="worker-2").run(sent)
    works.assert_settled_once(2)

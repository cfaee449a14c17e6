"""Fault attribution on the real services: an unwell worker stops itself, its healthy neighbour makes everything."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from tests.support.fakes import FakeSampler
from tests.support.line import Line
from tests.support.worker import Works
from workers import metrics
from workers.database import transact
from workers.errors import DeviceFailed, ModelMissing
from workers.gpu.executor import Executor
from workers.gpu.presence import Presence
from workers.gpu.standing import DEVICE_OUT, UNEXPECTED_ERRORS, Standing
from workers.jobs.fleet import members as fleet
from workers.jobs.fleet.faults import Fault
from workers.sampling.types import OUT_OF_MEMORY
from workers.states import BatchState, ItemState
from workers.store import ObjectStore

PLENTY = 60  # runs: a queue that is not empty by then never will be


class Clock:
    """A clock that tests move."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def works(line: Line, settings_for, s3) -> Works:
    yield Works(line, settings_for, s3)
    metrics.report("worker", None)


def raises(error: Exception):
    def between(*_: Any) -> None:
        raise error

    return FakeSampler(between=between)


def presence_of(executor: Executor, told: list[bool]) -> Presence:
    return Presence(
        executor.engine,
        executor.settings,
        executor.standing,
        executor.finisher.store,
        executor.worker,
        executor.device,
        executor.device_class,
        take_messages=told.append,
    )


def run_all(works: Works, *executors: Executor, **settings: Any) -> int:
    """Every message goes to the executors in turn, first come first served; how many messages."""
    n = 0
    while sent := _due(works, **settings):
        for batch_id in sent:
            n += 1
            assert n < PLENTY
            for executor in executors:
                executor.run(batch_id)
    return n


def _due(works: Works, **settings: Any) -> list[str]:
    for waiting in works.line.batch_ids(BatchState.DISPATCHED):
        works.line.lease_runs_out(waiting)
    return works.look(**settings)


def test_a_worker_without_the_model_is_offered_its_recipe_once_and_the_other_makes_all(works: Works):
    """O01: 32 rows, a good and a bad worker, the bad one always first."""
    bad = works.executor(raises(ModelMissing("no model folder called studio")), worker="bad")
    good = works.executor(worker="good")
    works.line.submit("acme", 32)
    run_all(works, bad, good)
    works.assert_settled_once(32)
    assert len(bad.sampler.claims) == 1
    (returned,) = works.line.events("batch.returned")
    assert returned.event["reason"] == "model_missing"
    assert bad.standing.is_ready, "it may make other recipes"


def test_what_no_worker_can_make_waits_with_an_alarm_and_fails_after_its_time(works: Works):
    """Two workers, neither has the model. Other recipes are not held up meanwhile."""
    workers = [works.executor(raises(ModelMissing("none")), worker=f"bad-{n}") for n in (1, 2)]
    for _ in range(13):  # of three rows each: no breaker watches so few
        works.line.submit("acme", 3)
    (first, *planned) = works.look(max_batch=1)
    for worker in workers:
        worker.run(first)
    with works.line.worker.connect() as conn:
        ((recipe_id, (reason, _)),) = fleet.nobody_can(conn, "gpu").items()
    assert (recipe_id, reason) == (works.line.batch(first).recipe_id, "model_missing")
    assert works.look(max_batch=1, window=20) == [first], "no more of it is planned"
    assert len(works.line.batch_ids(BatchState.DISPATCHED)) == 1 + len(planned)
    assert works.line.states()[ItemState.FAILED] == 0
    patient = works.settings_for("worker", unservable_seconds=0)
    for worker in workers:
        worker.settings = patient
    run_all(works, *workers, unservable_seconds=0)
    assert works.line.states() == {ItemState.FAILED: 39}
    assert {event.event["reason"] for event in works.line.events("item.failed")} == {"model_missing"}


def test_a_picture_too_large_for_this_worker_is_made_by_one_with_more_memory(works: Works):
    small = works.executor(FakeSampler(faults={"row-2": OUT_OF_MEMORY}), worker="small")
    works.line.submit("acme", 3)
    run_all(works, small, works.executor(worker="large"))
    works.assert_settled_once(3)
    released = works.line.events("item.released")
    assert sorted(event.event["attempt"] for event in released) == [1, 1, 2], "what fitted is kept"


def test_a_worker_that_the_store_refuses_draws_nothing_and_asks_ever_more_seldom(works: Works):
    """O02: a wrong secret."""
    clock, told = Clock(), []
    refused = ObjectStore(works.settings_for("worker", s3_secret_access_key="wrong"))
    bad = works.executor(store=refused, worker="bad")
    bad.standing = Standing(clock=clock)
    presence = presence_of(bad, told)
    works.line.submit("acme", 8)
    works.line.submit("acme", 8)
    pauses = []
    for batch_id in works.look():
        bad.run(batch_id)
    for _ in range(4):
        presence.tick()
        assert not bad.standing.is_ready
        before = clock.seconds
        while not bad.standing.pause_is_over:
            clock.seconds += 1
        pauses.append(clock.seconds - before)
    assert pauses == [5, 10, 20, 40]
    assert bad.sampler.claims == []
    assert works.line.events("batch.claimed") == []
    assert (told, metrics.problems()) == ([False], {"worker": "store_refused"})
    with works.line.worker.connect() as conn:
        assert {worker.name: worker.stopped for worker in fleet.live(conn)} == {"bad": "store_refused"}
    run_all(works, works.executor(worker="good"))
    works.assert_settled_once(16)


def test_a_worker_whose_store_takes_it_back_takes_messages_again(works: Works):
    clock, told = Clock(), []
    worker = works.executor()
    worker.standing = Standing(clock=clock)
    presence = presence_of(worker, told)
    worker.standing.pause(Fault.WORKER, "store_refused")
    presence.tick()
    clock.seconds = 5
    presence.tick()
    assert (told, worker.standing.is_ready, metrics.problems()) == ([False, True], True, {})
    worker.run(works.batch(1))
    works.assert_settled_once(1)


def test_a_device_that_fails_in_every_batch_is_taken_out_and_no_item_suffers(works: Works):
    """O03: the process is replaced each time; after three errors its successors take nothing."""
    replaced: list[str] = []
    good = works.executor(worker="good", device="healthy")
    for n in range(5):
        works.line.submit("acme", 2)
        sick = works.executor(raises(DeviceFailed("CUDA error")), worker=f"sick-{n}", device="sick")
        sick.replace_process = lambda n=n: replaced.append(f"sick-{n}")
        presence_of(sick, []).enter()
        run_all(works, sick, good)
    assert replaced == ["sick-0", "sick-1", "sick-2"]
    assert sick.standing.reason == DEVICE_OUT
    works.assert_settled_once(10)
    with works.line.worker.begin() as conn:
        assert fleet.devices_out(conn) == ["sick"]
        assert fleet.readmit(conn, "sick")
    presence_of(sick, []).tick()
    assert sick.standing.is_ready


def test_a_device_that_works_in_between_is_not_taken_out(works: Works):
    for n in range(4):
        failing = works.executor(raises(DeviceFailed("once")), worker=f"w-{n}", device="shaky")
        failing.run(works.batch(1))
        mended = works.executor(worker=f"v-{n}", device="shaky")
        presence_of(mended, []).enter()
        run_all(works, mended)
    with works.line.worker.connect() as conn:
        assert fleet.devices_out(conn) == []
    works.assert_settled_once(4)


def test_a_batch_that_breaks_every_device_is_counted_and_takes_none_out(works: Works):
    ids = works.line.submit("acme", 1)
    batch_id = works.line.dispatch(ids, claims_allowed=1)
    for n in range(4):  # three count for nothing; then two workers blame it
        works.executor(raises(DeviceFailed("assert")), worker=f"w-{n}", device=f"gpu-{n % 2}").run(batch_id)
    assert works.line.item(ids[0]).reason == "device_failed"
    with works.line.worker.connect() as conn:
        assert fleet.devices_out(conn) == []


NO_ROOM = """
create function audit.no_room() returns trigger language plpgsql as
  $$ begin raise exception using errcode = 'disk_full', message = 'No space left on device'; end $$;
create trigger no_room before insert on audit.entries for each statement execute function audit.no_room();
"""


def test_a_ledger_without_room_stops_claims_and_no_state_changes(works: Works, monkeypatch: pytest.MonkeyPatch):
    """FAULTS 24: the event cannot be written, so neither is the claim; the worker waits as for any shared service."""
    monkeypatch.setattr(transact, "__kwdefaults__", {"patience_seconds": 0.1})
    clock, told, worker = Clock(), [], works.executor()
    worker.standing = Standing(clock=clock)
    batch_id = works.batch(2)
    superuser = works.line.database.engine("superuser")
    with superuser.begin() as conn:
        conn.execute(text(NO_ROOM))
    worker.run(batch_id)
    assert (worker.standing.fault, worker.standing.reason) == (Fault.SERVICE, "database_unavailable")
    assert (worker.sampler.claims, works.line.batch(batch_id).attempt) == ([], 0)
    with superuser.begin() as conn:
        conn.execute(text("drop function audit.no_room cascade"))
    clock.seconds += 60
    presence_of(worker, told).tick()
    worker.run(batch_id)
    works.assert_settled_once(2)


def test_a_worker_that_meets_an_unexpected_error_in_every_batch_suspects_itself(works: Works):
    """A broken library is no poison: two claims are counted, then it stops, and no item is split or fails."""
    broken = works.executor(raises(AttributeError("module has no attribute")), worker="broken")
    good = works.executor(worker="good")
    batches = [works.batch(2) for _ in range(5)]
    for batch_id in batches:
        broken.run(batch_id)
    assert (broken.standing.reason, len(broken.sampler.claims)) == (UNEXPECTED_ERRORS, 3)
    run_all(works, good)
    works.assert_settled_once(10)


def test_the_window_follows_the_workers(works: Works):
    """O16: ten workers of two threads and a window of four."""
    with works.line.worker.begin() as conn:
        for n in range(10):
            fleet.seen(conn, f"w-{n}", queues=["gpu"], threads=2, device="fake")
    works.line.submit("acme", 60)
    assert len(works.look(max_batch=1, window=4)) == 40


def test_a_worker_that_stopped_or_died_does_not_widen_the_window(works: Works):
    with works.line.worker.begin() as conn:
        fleet.seen(conn, "stopped", queues=["gpu"], threads=8, device="fake", stopped="store_refused")
        fleet.seen(conn, "elsewhere", queues=["other"], threads=8, device="fake")
    works.line.submit("acme", 60)
    assert len(works.look(max_batch=1, window=4)) == 4


def test_a_batch_passed_over_is_due_in_a_second_not_in_a_lease(works: Works):
    worker = works.executor()
    worker.standing.pause(Fault.WORKER, "store_refused")
    batch_id = works.batch(1)
    worker.run(batch_id)
    batch = works.line.batch(batch_id)
    assert batch.lease_until - batch.created_at < timedelta(seconds=30)

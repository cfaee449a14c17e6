"""Crash table: every fault ends with every item settled once, and a ledger that verifies."""

from __future__ import annotations

import resource
import signal
import time
from typing import Any

import pytest
import redis

from tests.crash.world import ITEMS, World
from workers.queue import Queue

pytestmark = pytest.mark.crash
ALL = {"released": ITEMS}


@pytest.mark.parametrize("point", ["received", "claimed", "sampling", "sampled", "finishing", "finished", "settled"])
def test_a_worker_killed_anywhere_costs_a_lease_and_nothing_else(world: World, point: str) -> None:
    world.planner()
    world.submit()
    world.until_killed(world.worker(crash_point=point))
    world.worker()
    world.until_settled()
    world.assert_sound(ALL)


def test_an_item_that_kills_every_worker_fails_alone(world: World) -> None:
    """Two items, the first kills: five attempts die on it, the last ones while it is alone; the other is released."""
    world.planner()
    world.submit(2)
    deadline = time.monotonic() + 240
    worker = world.worker(crash_point="sampling@row-1", worker_threads=1)
    while world.states()["released"] + world.states()["failed"] < 2 and time.monotonic() < deadline:
        if worker.poll() is not None:
            worker = world.worker(crash_point="sampling@row-1", worker_threads=1)
        time.sleep(0.1)
    world.assert_sound({"released": 1, "failed": 1})
    failed = world.query("select custom_id, reason from items where state = 'failed'")
    assert [(row.custom_id, row.reason) for row in failed] == [("row-1", "worker_lost")]


def test_every_message_delivered_five_times_releases_once(world: World) -> None:
    world.planner()
    world.submit()
    world.until(lambda: bool(world.query("select 1 from batches")), "a batch to be dispatched")
    queue = Queue(world.settings_for("worker", **world.changes))
    for row in world.query("select id::text as id from batches") * 5:
        queue.send("gpu", row.id)
    world.worker()
    world.worker()
    world.until_settled()
    world.assert_sound(ALL)


def test_lost_messages_cost_at_most_a_lease(world: World, redis_url: str) -> None:
    world.planner()
    world.submit()
    world.until(lambda: len(world.query("select 1 from batches")) >= 4, "the window to fill")
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    world.worker()
    world.until_settled()
    world.assert_sound(ALL)


def test_redis_killed_and_restarted_empty_loses_nothing(world: World, stack: Any, redis_url: str) -> None:
    world.planner()
    world.submit()
    world.worker()
    world.until(lambda: world.states()["released"] >= 4, "the first releases")
    stack.kill("valkey")
    time.sleep(1.0)  # long enough that sends and fetches fail meanwhile
    stack.restart("valkey")
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    world.until_settled()
    world.assert_sound(ALL)


def test_postgres_killed_in_the_middle_of_batches_loses_nothing(world: World, stack: Any) -> None:
    world.planner()
    world.submit()
    world.worker()
    world.until(lambda: world.states()["released"] >= 4, "the first releases")
    stack.kill("postgres")
    time.sleep(1.0)  # renewals, settlements and plans fail meanwhile
    stack.restart("postgres")
    world.until_settled()
    world.assert_sound(ALL)


def test_an_object_store_that_is_away_and_comes_back_loses_nothing(world: World, stack: Any) -> None:
    world.planner()
    world.submit()
    world.worker(worker_threads=1)
    world.until(lambda: world.states()["released"] >= 4, "the first releases")
    stack.kill("seaweed")
    held_back = world.states()["released"]
    time.sleep(2.0)  # puts are refused meanwhile
    assert world.states()["released"] <= held_back + 4  # at most the batch that was stored already is settled
    stack.restart("seaweed")
    world.until_settled()
    world.assert_sound(ALL)


def test_a_full_disk_under_the_object_store_delays_and_loses_nothing(world: World, stack: Any) -> None:
    """No file of the store can grow for a while: it answers every put with an error, as on a full disk."""
    unlimited = resource.RLIM_INFINITY
    world.planner()
    world.submit()
    resource.prlimit(stack.children["seaweed"].pid, resource.RLIMIT_FSIZE, (1024, unlimited))
    try:
        world.worker()
        log = world.logs / "1-tests.crash.worker.log"
        world.until(lambda: log.exists() and b"worker_paused" in log.read_bytes(), "the worker to pause")
        assert world.states()["released"] == 0
    finally:
        resource.prlimit(stack.children["seaweed"].pid, resource.RLIMIT_FSIZE, (unlimited, unlimited))
    world.until_settled()
    world.assert_sound(ALL)


def test_a_late_worker_waking_after_its_lease_changes_nothing(world: World) -> None:
    world.planner()
    world.submit()
    late = world.worker()
    world.until(lambda: bool(world.query("select 1 from batches where state = 'running'")), "a running batch")
    late.send_signal(signal.SIGSTOP)
    stopped = {row.id for row in world.query("select id::text as id from batches where state = 'running'")}
    world.worker()
    world.until_settled()
    late.send_signal(signal.SIGCONT)
    world.until(
        lambda: b"lease_lost" in (world.logs / "1-tests.crash.worker.log").read_bytes(), "the late worker to notice"
    )
    late.terminate()
    late.wait(60)
    world.assert_sound(ALL)
    taken_over = world.query("select id::text as id from batches where attempt > 1 and state = 'finished'")
    assert stopped & {row.id for row in taken_over}


def test_an_api_killed_after_its_commit_is_made_up_for_by_the_planner(world: World) -> None:
    """Nothing follows the commit but a NOTIFY, and that is only for speed."""
    world.until_killed(world.start("tests.crash.submitting", str(ITEMS), role="api"))
    assert world.states() == {"pending": ITEMS}
    world.planner()
    world.worker()
    world.until_settled()
    world.assert_sound(ALL)


def test_a_planner_killed_between_commit_and_send_costs_a_lease(world: World) -> None:
    world.submit()
    world.until_killed(world.planner(crash_point="dispatched"))
    assert world.query("select 1 from batches where state = 'dispatched'")
    world.planner()
    world.worker()
    world.until_settled()
    world.assert_sound(ALL)


def test_a_classifier_that_raises_holds_everything_and_releases_nothing(world: World) -> None:
    world.planner()
    world.submit(8)
    world.worker("--classifier-raises")
    world.until_settled()
    world.assert_sound({"held": 8})
    assert [key for key in world.s3.keys("released/") if key != "released/.ready"] == []
    assert len([key for key in world.s3.keys("quarantine/") if key.endswith("/original.png")]) == 8


def test_sigterm_gives_batches_back_and_fails_none(world: World) -> None:
    world.planner()
    world.submit()
    first = world.worker()
    world.until(lambda: bool(world.query("select 1 from batches where state = 'running'")), "a running batch")
    first.terminate()
    assert first.wait(60) == 0
    world.worker()
    world.until_settled()
    world.assert_sound(ALL)
    assert not world.query("select 1 from batches where state = 'abandoned'")


def test_two_planners_dispatch_every_item_once(world: World) -> None:
    world.planner()
    world.planner()
    world.submit()
    world.worker()
    world.until_settled()
    world.assert_sound(ALL)
    assert sum(row.size for row in world.query("select size from batches")) == ITEMS

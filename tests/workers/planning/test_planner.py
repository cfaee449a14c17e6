"""Planner: one look at the real queue, what is planned, and what is sent."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import func, select

from tests.support.fakes import RecordingQueue
from tests.support.line import RECIPE, Line, new_item
from workers.errors import BrokerUnavailable
from workers.jobs.cancel import cancel_request
from workers.jobs.control.phases import pause
from workers.jobs.tables import batches
from workers.jobs.tables import turns as turns_table
from workers.planning import planner, reconciler
from workers.recipes import Upscaler
from workers.states import BatchState, ItemState, Priority


def test_a_look_dispatches_up_to_the_window_and_sends_after_the_commit(line: Line, settings_for):
    settings = settings_for("worker", max_batch=2, window=2)
    ids = line.submit("acme", 5)
    queue = RecordingQueue(on_send=line.batch)  # raises if nothing is committed yet
    assert planner.run_once(line.worker, queue, settings) == 2
    assert [line.members(batch_id) for batch_id in queue.batch_ids] == [ids[:2], ids[2:4]]
    assert line.states()[ItemState.PENDING] == 1
    assert planner.run_once(line.worker, queue, settings) == 0, "the window is full"


def test_the_pending_items_of_a_queue_are_found_with_tenant_priority_and_pixels(line: Line, settings_for):
    line.submit("acme", 1, priority=Priority.INTERACTIVE)
    line.submit("bolt", 1)
    line.submit("acme", 1, queue="other")
    with line.worker.connect() as conn:
        found = planner._pending(conn, "gpu", per_lane=5, max_batch=2)
    assert [(p.tenant, p.priority, p.recipe_id, p.pixels) for p in found] == [
        ("acme", Priority.INTERACTIVE, RECIPE.id, RECIPE.width * RECIPE.height),
        ("bolt", Priority.BULK, RECIPE.id, RECIPE.width * RECIPE.height),
    ]


def test_every_open_request_of_a_lane_shows_a_batch_and_one_alone_the_whole_room(line: Line):
    long = [line.submit("acme", 9), line.submit("acme", 9)]
    with line.worker.connect() as conn:
        found = [p.id for p in planner._pending(conn, "gpu", per_lane=6, max_batch=2)]
        assert found == [*long[0][:3], *long[1][:3]]
        assert len(planner._pending(conn, "gpu", per_lane=2, max_batch=2)) == 4
    with line.as_tenant("acme") as conn:
        pause(conn, "acme", line.item(long[0][0]).request_id, actor="key:k")
    with line.worker.connect() as conn:
        assert [p.id for p in planner._pending(conn, "gpu", per_lane=6, max_batch=2)] == long[1][:6]


def test_the_planner_stays_with_the_model_that_it_planned_last_for_a_while(line: Line, settings_for):
    """What is loaded is read from the last batches: another planner, or the same one after a restart, goes on."""
    other = replace(RECIPE, model="other", model_revision="sha256:" + "9" * 64)
    for tenant, recipe in (("acme", RECIPE), ("bolt", other)):
        line.submit(tenant, 8, new_items=[replace(new_item(n), recipe=recipe) for n in range(1, 9)])
    queue = RecordingQueue()
    for stay, expected in ((2, [RECIPE, RECIPE, other, other]), (0, [RECIPE, other, RECIPE, other])):
        for _ in range(4):
            settings = settings_for("worker", max_batch=2, window=len(queue.batch_ids) + 1, stay_batches=stay)
            assert planner.run_once(line.worker, queue, settings) == 1
        assert [line.batch(id).recipe_id for id in queue.batch_ids[-4:]] == [recipe.id for recipe in expected]


def test_an_account_of_turns_is_kept_while_its_request_is_open(line: Line, settings_for):
    settings = settings_for("worker", max_batch=2, window=2)
    ids = line.submit("acme", 3)
    planner.run_once(line.worker, RecordingQueue(), settings)
    reconciler.tidy(line.worker)
    with line.worker.connect() as conn:
        mine = select(turns_table.c.lane).where(turns_table.c.lane.like("request:%"))
        assert conn.scalars(mine).all() == [f"request:bulk:acme:{line.item(ids[0]).request_id}"]
    with line.as_tenant("acme") as conn:
        cancel_request(conn, "acme", line.item(ids[0]).request_id, "key:k")
    reconciler.tidy(line.worker)
    with line.worker.connect() as conn:
        assert conn.scalars(mine).all() == []


def test_two_planners_may_look_and_one_works(line: Line, settings):
    line.submit("acme", 3)
    with line.worker.begin() as conn:
        conn.execute(select(func.pg_advisory_xact_lock(planner.PLAN_LOCK)))
        assert planner.run_once(line.worker, RecordingQueue(), settings) == 0
    assert planner.run_once(line.worker, RecordingQueue(), settings) == 1


def test_what_the_broker_does_not_take_is_due_at_once(line: Line, settings_for):
    settings = settings_for("worker", max_batch=1, window=3)
    line.submit("acme", 3)
    queue = RecordingQueue(fail_after=1, error=BrokerUnavailable("gone"))
    assert planner.run_once(line.worker, queue, settings) == 3
    with line.worker.connect() as conn:
        due = conn.execute(select(batches.c.id).where(batches.c.lease_until <= func.clock_timestamp())).all()
    assert len(queue.batch_ids) == 1
    assert {row.id for row in due} == set(line.batch_ids(BatchState.DISPATCHED)) - set(queue.batch_ids)


def test_a_planner_killed_between_commit_and_send_loses_no_batch(line: Line, settings):
    def killed(point, _held):
        raise KeyboardInterrupt(point)

    line.submit("acme", 3)
    queue = RecordingQueue()
    with pytest.raises(KeyboardInterrupt, match="dispatched"):
        planner.run_once(line.worker, queue, settings, killed)
    (batch_id,) = line.batch_ids(BatchState.DISPATCHED)
    assert queue.batch_ids == []
    line.lease_runs_out(batch_id)
    reconciler.run_once(line.worker, queue, settings)
    assert queue.batch_ids == [batch_id]


def test_a_planner_killed_before_its_commit_planned_nothing(line: Line, settings):
    line.submit("acme", 3)
    with line.worker.connect() as conn:
        planner._plan_queue(conn, "gpu", settings)
        conn.rollback()
    assert line.states() == {ItemState.PENDING: 3}
    assert [kind for kind in line.kinds() if kind.startswith("batch.")] == []


def test_a_batch_is_cut_by_the_pixels_of_its_enlarged_pictures(line: Line, settings_for):
    grown = replace(RECIPE, upscaler=Upscaler("fourfold", 4, "sha256:2"))
    line.submit("acme", 4, new_items=[new_item(row, recipe=grown) for row in range(1, 5)])
    room = settings_for("worker", max_batch_pixels=2 * 512 * 512)
    assert planner.run_once(line.worker, RecordingQueue(), room) == 2

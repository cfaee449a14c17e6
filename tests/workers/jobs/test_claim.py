"""claim, renew, give back: one holder at a time, on the database's clock."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from tests.support.line import LEASE, RECIPE, Line, new_item, released, statements, until_blocked
from workers.errors import LeaseLost
from workers.jobs.cancel import cancel_item, cancel_request
from workers.jobs.claim import claim, give_back, renew
from workers.jobs.expire import expire
from workers.jobs.settle import settle
from workers.jobs.tables import batches
from workers.jobs.types import new_id
from workers.states import BatchState


def seconds_left(line: Line, batch_id: str) -> float:
    with line.worker.connect() as conn:
        left = select(batches.c.lease_until - func.clock_timestamp()).where(batches.c.id == batch_id)
        return conn.execute(left).scalar_one().total_seconds()


def test_a_claim_holds_everything_the_sampler_needs_in_batch_order(line: Line):
    ids = line.submit("acme", 2, new_items=[new_item(1, negative_prompt="text"), new_item(2, variant=3)])
    batch_id = line.dispatch([ids[1], ids[0]])
    held = line.claim(batch_id)
    assert (held.batch_id, held.queue, held.attempt) == (batch_id, "gpu", 1)
    assert held.recipe == RECIPE
    assert held.recipe.id == RECIPE.id
    assert [item.id for item in held.items] == [ids[1], ids[0]]
    first, second = held.items
    assert (first.custom_id, first.variant, first.seed) == ("row-2", 3, 1002)
    assert (second.prompt, second.negative_prompt) == ("a red kettle number 1", "text")
    assert {type(first.id), type(first.request_id), type(held.batch_id)} == {str}


def test_a_claim_is_counted_leased_and_recorded(line: Line):
    held = line.claimed()
    batch = line.batch(held.batch_id)
    assert (batch.state, batch.attempt, batch.worker) == (BatchState.RUNNING, 1, "worker-1")
    assert 0 < seconds_left(line, held.batch_id) <= LEASE.total_seconds()
    (event,) = line.events("batch.claimed")
    assert event.actor == "worker:worker-1"
    assert event.event == {"batch_id": held.batch_id, "attempt": 1, "worker": "worker-1"}


def test_a_batch_has_one_holder(line: Line):
    batch_id = line.claimed().batch_id
    with line.worker.begin() as conn:
        assert claim(conn, batch_id, LEASE, "worker-2") is None
    assert line.batch(batch_id).worker == "worker-1"
    assert line.kinds().count("batch.claimed") == 1


def test_two_workers_at_the_same_moment_and_one_wins(line: Line):
    batch_id = line.dispatch(line.submit("acme", 2))

    def second_claim():
        with line.worker.begin() as conn:
            return claim(conn, batch_id, LEASE, "worker-2")

    with ThreadPoolExecutor() as threads:
        with line.worker.begin() as first:
            held = claim(first, batch_id, LEASE, "worker-1")
            second = threads.submit(second_claim)
            until_blocked(line)
        assert held is not None
        assert second.result() is None
    assert line.batch(batch_id).attempt == 1


def test_a_message_about_an_unknown_batch_finds_nothing(line: Line):
    with line.worker.begin() as conn:
        assert claim(conn, new_id(), LEASE, "worker-1") is None
    assert line.kinds() == []


def test_a_cancelled_member_is_not_in_the_claim(line: Line):
    ids = line.submit("acme", 3)
    batch_id = line.dispatch(ids)
    with line.as_tenant("acme") as conn:
        cancel_item(conn, "acme", ids[0], "test")
    assert [item.id for item in line.claim(batch_id).items] == ids[1:]


def test_a_batch_that_nobody_wants_any_more_is_over(line: Line):
    ids = line.submit("acme", 2)
    batch_id = line.dispatch(ids)
    with line.as_tenant("acme") as conn:
        cancel_request(conn, "acme", line.item(ids[0]).request_id, "test")
    with line.worker.begin() as conn:
        assert claim(conn, batch_id, LEASE, "worker-1") is None
    assert line.batch(batch_id).state == BatchState.FINISHED
    assert line.kinds()[-2:] == ["batch.claimed", "batch.finished"]


def test_a_claim_costs_the_same_few_statements_whatever_its_size(line: Line):
    counts = []
    for size in (1, 8):
        batch_id = line.dispatch(line.submit("acme", size))
        with statements(line.worker) as sent:
            line.claim(batch_id)
        counts.append(len(sent))
    assert counts[0] == counts[1] <= 6


def test_renewing_moves_the_lease_and_tells_what_was_cancelled(line: Line):
    held = line.claimed(3)
    with line.as_tenant("acme") as conn:
        cancel_item(conn, "acme", held.items[1].id, "test")
    with line.worker.begin() as conn:
        assert renew(conn, held, timedelta(seconds=500)) == {held.items[1].id}
    assert seconds_left(line, held.batch_id) > LEASE.total_seconds()


def test_a_lease_that_ran_out_unnoticed_is_kept(line: Line):
    """A pause shorter than the reconciler's look costs nothing."""
    held = line.claimed()
    line.lease_runs_out(held.batch_id)
    with line.worker.begin() as conn:
        renew(conn, held, LEASE)
    assert seconds_left(line, held.batch_id) > 0


def test_another_attempt_ends_the_lease_of_the_first(line: Line):
    held = line.claimed()
    line.lease_runs_out(held.batch_id)
    with line.worker.begin() as conn:
        expire(conn, LEASE)
    for take_over in (lambda: None, lambda: line.claim(held.batch_id)):
        take_over()
        for act in (lambda conn: renew(conn, held, LEASE), lambda conn: give_back(conn, held, "draining")):
            with pytest.raises(LeaseLost), line.worker.begin() as conn:
                act(conn)


def test_a_finished_batch_has_no_lease(line: Line):
    held = line.claimed(1)
    with line.worker.begin() as conn:
        settle(conn, held, [released(held, held.items[0])])
    with pytest.raises(LeaseLost), line.worker.begin() as conn:
        renew(conn, held, LEASE)


def test_a_batch_given_back_waits_and_its_claim_does_not_count(line: Line):
    held = line.claimed()
    with line.worker.begin() as conn:
        give_back(conn, held, "store_unavailable", timedelta(seconds=30))
    batch = line.batch(held.batch_id)
    assert (batch.state, batch.attempt, batch.given_back, batch.worker) == (BatchState.DISPATCHED, 1, 1, None)
    assert 0 < seconds_left(line, held.batch_id) <= 30
    assert line.events("batch.returned")[0].event["reason"] == "store_unavailable"
    again = line.claim(held.batch_id)
    assert (again.attempt, again.items) == (2, held.items)

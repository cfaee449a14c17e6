"""dispatch: pending items into a batch, for life."""

from __future__ import annotations

from sqlalchemy import func, select

from policy.ledger.append import SYSTEM_TENANT
from tests.support.line import LEASE, RECIPE, Line, statements
from workers.jobs.cancel import cancel_item
from workers.jobs.dispatch import dispatch, take_turns, unsent
from workers.jobs.tables import batches, items, turns
from workers.states import BatchState, ItemState


def test_items_become_members_in_the_order_given(line: Line):
    ids = line.submit("acme", 3)
    order = [ids[2], ids[0], ids[1]]
    batch_id = line.dispatch(order)
    assert line.members(batch_id) == order
    assert line.states() == {ItemState.PLANNED: 3}
    batch = line.batch(batch_id)
    assert (batch.state, batch.size, batch.attempt, batch.given_back) == (BatchState.DISPATCHED, 3, 0, 0)
    (event,) = line.events("batch.dispatched")
    assert event.tenant == SYSTEM_TENANT
    assert event.subjects == [f"batch:{batch_id}", *(f"item:{id}" for id in order)]
    assert event.event["item_ids"] == order
    assert event.event["recipe"] == RECIPE.to_json()


def test_the_first_lease_is_counted_on_the_databases_clock(line: Line):
    batch_id = line.dispatch(line.submit("acme", 1))
    with line.worker.connect() as conn:
        left = conn.execute(
            select(batches.c.lease_until - func.clock_timestamp()).where(batches.c.id == batch_id)
        ).scalar_one()
    assert 0 < left.total_seconds() <= LEASE.total_seconds()


def test_an_item_cancelled_meanwhile_stays_out(line: Line):
    ids = line.submit("acme", 3)
    with line.as_tenant("acme") as conn:
        cancel_item(conn, "acme", ids[1], "test")
    assert line.members(line.dispatch(ids)) == [ids[0], ids[2]]


def test_nothing_left_to_do_makes_no_batch_and_no_event(line: Line):
    ids = line.submit("acme", 2)
    line.dispatch(ids)
    with line.worker.begin() as conn:
        assert dispatch(conn, "gpu", RECIPE.id, ids, lease=LEASE, claims_allowed=2) is None
    assert line.kinds().count("batch.dispatched") == 1


def test_an_item_that_somebody_is_changing_is_left_for_the_next_look(line: Line):
    """Nobody waits for a lock: neither a cancel in flight nor another planner delays the batch."""
    ids = line.submit("acme", 3)
    with line.as_tenant("acme") as cancelling:
        cancel_item(cancelling, "acme", ids[0], "test")
        assert line.members(line.dispatch(ids)) == ids[1:]


def test_two_planners_never_share_an_item(line: Line):
    ids = line.submit("acme", 2)
    with line.worker.begin() as first, line.worker.begin() as second:
        assert dispatch(first, "gpu", RECIPE.id, ids, lease=LEASE, claims_allowed=2) is not None
        assert dispatch(second, "gpu", RECIPE.id, ids, lease=LEASE, claims_allowed=2) is None
    assert len(line.batch_ids(BatchState.DISPATCHED)) == 1


def test_rolled_back_the_items_are_pending_and_the_ledger_knows_nothing(line: Line):
    ids = line.submit("acme", 2)
    with line.worker.connect() as conn:
        dispatch(conn, "gpu", RECIPE.id, ids, lease=LEASE, claims_allowed=2)
        conn.rollback()
    assert line.states() == {ItemState.PENDING: 2}
    assert line.kinds() == ["request.accepted"]


def test_a_batch_costs_the_same_few_statements_whatever_its_size(line: Line):
    counts = []
    for size in (1, 8):
        ids = line.submit("acme", size)
        with statements(line.worker) as sent:
            line.dispatch(ids)
        counts.append(len(sent))
    assert counts[0] == counts[1] <= 7  # one of them locks the gates of the requests


def test_turns_are_written_over(line: Line):
    for at in (1.0, 2.5):
        with line.worker.begin() as conn:
            take_turns(conn, "gpu", {"priority:bulk": at, "tenant:bulk:acme": 7.0})
            take_turns(conn, "gpu", {})
    with line.worker.connect() as conn:
        assert dict(conn.execute(select(turns.c.lane, turns.c.virtual_time)).all()) == {
            "priority:bulk": 2.5,
            "tenant:bulk:acme": 7.0,
        }


def test_an_unsent_batch_is_due_at_once_unless_a_worker_has_it_after_all(line: Line):
    """The push timed out but the message arrived: the claim stands."""
    lost = line.dispatch(line.submit("acme", 1))
    running = line.claimed().batch_id
    with line.worker.begin() as conn:
        unsent(conn, [lost, running])
        due = select(batches.c.id).where(batches.c.lease_until <= func.clock_timestamp())
        assert list(conn.scalars(due)) == [lost]
        assert set(conn.scalars(select(items.c.state))) == {ItemState.PLANNED}

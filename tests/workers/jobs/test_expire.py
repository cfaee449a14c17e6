"""expire: the one retry mechanism, and the isolation of an item that kills its worker."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from tests.support.line import LEASE, Line, released
from workers.errors import LeaseLost
from workers.jobs.cancel import cancel_item, cancel_request
from workers.jobs.claim import claim, give_back
from workers.jobs.expire import Send, expire, fail_claim
from workers.jobs.settle import settle
from workers.jobs.tables import batches
from workers.jobs.types import Claim
from workers.states import BatchState, ItemState


def expired(line: Line) -> list[Send]:
    with line.worker.begin() as conn:
        return expire(conn, LEASE)


def dies_with(line: Line, batch_id: str) -> Claim:
    """A worker claims the batch and is never heard of again."""
    held = line.claim(batch_id)
    line.lease_runs_out(batch_id)
    return held


def test_what_is_not_overdue_is_left_alone(line: Line):
    line.dispatch(line.submit("acme", 1))
    line.claimed()
    assert expired(line) == []
    assert "batch.expired" not in line.kinds()


def test_a_lost_message_is_sent_again_and_costs_no_attempt(line: Line):
    batch_id = line.dispatch(line.submit("acme", 2))
    for _ in range(5):
        line.lease_runs_out(batch_id)
        assert expired(line) == [Send("gpu", batch_id)]
        assert expired(line) == [], "it has a lease again"
    batch = line.batch(batch_id)
    assert (batch.state, batch.attempt) == (BatchState.DISPATCHED, 0)
    assert line.states() == {ItemState.PLANNED: 2}


def test_a_dead_workers_batch_is_dispatched_again_with_the_same_members(line: Line):
    batch_id = line.dispatch(line.submit("acme", 3))
    members = line.members(batch_id)
    dies_with(line, batch_id)
    assert expired(line) == [Send("gpu", batch_id)]
    assert (line.batch(batch_id).state, line.batch(batch_id).worker) == (BatchState.DISPATCHED, None)
    assert line.events("batch.expired")[0].event == {"batch_id": batch_id, "attempt": 1, "reason": "lease_over"}
    again = line.claim(batch_id)
    assert (again.attempt, [item.id for item in again.items]) == (2, members)


def test_used_up_claims_split_the_batch_in_order(line: Line):
    batch_id = line.dispatch(line.submit("acme", 5), claims_allowed=1)
    members = line.members(batch_id)
    dies_with(line, batch_id)
    first, second = (send.batch_id for send in expired(line))
    assert (line.members(first), line.members(second)) == (members[:3], members[3:])
    assert line.batch(batch_id).state == BatchState.ABANDONED
    assert {line.batch(half).parent_id for half in (first, second)} == {batch_id}
    assert line.events("batch.abandoned")[0].event["into"] == [first, second]
    assert line.kinds()[-4:] == ["batch.expired", "batch.dispatched", "batch.dispatched", "batch.abandoned"]
    assert line.states() == {ItemState.PLANNED: 5}


def test_a_claim_given_back_is_not_used_up(line: Line):
    batch_id = line.dispatch(line.submit("acme", 2), claims_allowed=1)
    for _ in range(3):
        held = line.claim(batch_id)
        with line.worker.begin() as conn:
            give_back(conn, held, "draining")
    dies_with(line, batch_id)
    assert len(expired(line)) == 2
    assert line.batch(batch_id).state == BatchState.ABANDONED
    assert line.batch(batch_id).attempt == 4


def test_a_halved_batch_leaves_the_cancelled_behind(line: Line):
    ids = line.submit("acme", 3)
    batch_id = line.dispatch(ids, claims_allowed=1)
    dies_with(line, batch_id)
    with line.as_tenant("acme") as conn:
        cancel_item(conn, "acme", ids[1], "test")
    assert [line.members(send.batch_id) for send in expired(line)] == [[ids[0]], [ids[2]]]
    assert line.item(ids[1]).batch_id == batch_id


def test_a_killer_of_which_nothing_is_wanted_any_more_makes_no_new_batch(line: Line):
    ids = line.submit("acme", 2)
    batch_id = line.dispatch(ids, claims_allowed=1)
    dies_with(line, batch_id)
    with line.as_tenant("acme") as conn:
        cancel_request(conn, "acme", line.item(ids[0]).request_id, "test")
    assert expired(line) == []
    assert line.batch(batch_id).state == BatchState.ABANDONED
    assert line.events("batch.abandoned")[0].event["into"] == []


@pytest.mark.parametrize("poison", [0, 3, 7])
def test_the_poison_item_is_isolated_and_fails_alone(line: Line, poison: int):
    ids = line.submit("acme", 8)
    messages = [line.dispatch(ids)]
    deaths = 0
    made: list[tuple[str, int]] = []
    while messages:
        with line.worker.begin() as conn:
            held = claim(conn, messages.pop(0), LEASE, "worker-1")
        assert held is not None
        made += [(item.id, held.attempt) for item in held.items]
        if ids[poison] in {item.id for item in held.items}:
            deaths += 1
            line.lease_runs_out(held.batch_id)
            messages += [send.batch_id for send in expired(line)]
        else:
            with line.worker.begin() as conn:
                settle(conn, held, [released(held, item) for item in held.items])
    assert line.item(ids[poison]).state == ItemState.FAILED
    assert line.item(ids[poison]).reason == "worker_lost"
    assert line.states() == {ItemState.RELEASED: 7, ItemState.FAILED: 1}
    assert deaths == 6, "two as eight, one as four, one as two, two alone"
    assert max(Counter(made).values()) == 1, "an item saw the same attempt twice: two objects would share a key"
    (failed,) = line.events("item.failed")
    assert (failed.tenant, failed.event["item_id"], failed.event["reason"]) == ("acme", ids[poison], "worker_lost")
    assert set(line.batch_ids(BatchState.DISPATCHED) + line.batch_ids(BatchState.RUNNING)) == set()


def test_a_worker_that_says_so_itself_does_not_wait_for_its_lease(line: Line):
    held = line.claimed(2, claims_allowed=2)
    with line.worker.begin() as conn:
        assert fail_claim(conn, held, "error:ValueError", timedelta(0)) == [Send("gpu", held.batch_id)]
    assert line.batch(held.batch_id).state == BatchState.DISPATCHED
    assert line.events("batch.expired")[0].event["reason"] == "error:ValueError"
    with line.worker.connect() as conn:
        due = select(batches.c.id).where(batches.c.lease_until <= func.clock_timestamp())
        assert list(conn.scalars(due)) == [held.batch_id]
    with pytest.raises(LeaseLost), line.worker.begin() as conn:
        fail_claim(conn, held, "error:ValueError", timedelta(0))


def test_an_item_that_fails_alone_keeps_the_reason_of_its_last_claim(line: Line):
    held = line.claimed(1, claims_allowed=1)
    with line.worker.begin() as conn:
        assert fail_claim(conn, held, "error:ValueError", timedelta(0)) == []
    assert line.item(held.items[0].id).reason == "error:ValueError"
    assert line.events("item.failed")[0].event["reason"] == "error:ValueError"


def test_two_reconcilers_never_take_the_same_batch(line: Line):
    batch_id = line.dispatch(line.submit("acme", 1))
    line.lease_runs_out(batch_id)
    with line.worker.begin() as first, line.worker.begin() as second:
        assert expire(first, LEASE) == [Send("gpu", batch_id)]
        assert expire(second, LEASE) == []


def test_rolled_back_the_next_look_finds_the_same_work(line: Line):
    batch_id = line.dispatch(line.submit("acme", 4), claims_allowed=1)
    dies_with(line, batch_id)
    before = line.kinds()
    with line.worker.connect() as conn:
        assert len(expire(conn, LEASE)) == 2
        conn.rollback()
    assert line.kinds() == before
    assert len(expired(line)) == 2

"""expire: the one retry mechanism, and the isolation of an item that breaks or kills its worker."""

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
from workers.jobs.fleet import members as fleet
from workers.jobs.fleet.faults import run_size
from workers.jobs.settle import settle, settle_some
from workers.jobs.tables import batches
from workers.jobs.types import Claim, ClaimedItem
from workers.states import BatchState, ItemState


def expired(line: Line) -> list[Send]:
    with line.worker.begin() as conn:
        return expire(conn, LEASE)


def breaks(line: Line, batch_id: str, worker: str = "worker-1") -> list[Send]:
    """A worker claims the batch and meets an error that it blames on the items."""
    held = line.claim(batch_id)
    with line.worker.begin() as conn:
        return fail_claim(conn, held, "error:ValueError", timedelta(0), worker)


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
    first, second = (send.batch_id for send in breaks(line, batch_id))
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
    assert len(breaks(line, batch_id)) == 2
    assert line.batch(batch_id).state == BatchState.ABANDONED
    assert line.batch(batch_id).attempt == 4


def test_a_halved_batch_leaves_the_cancelled_behind(line: Line):
    ids = line.submit("acme", 3)
    batch_id = line.dispatch(ids, claims_allowed=1)
    with line.as_tenant("acme") as conn:
        cancel_item(conn, "acme", ids[1], "test")
    assert [line.members(send.batch_id) for send in breaks(line, batch_id)] == [[ids[0]], [ids[2]]]
    assert line.item(ids[1]).batch_id == batch_id


def test_a_killer_of_which_nothing_is_wanted_any_more_makes_no_new_batch(line: Line):
    ids = line.submit("acme", 2)
    batch_id = line.dispatch(ids, claims_allowed=1)
    held = line.claim(batch_id)
    with line.as_tenant("acme") as conn:
        cancel_request(conn, "acme", line.item(ids[0]).request_id, "test")
    with line.worker.begin() as conn:
        assert fail_claim(conn, held, "error:ValueError", timedelta(0)) == []
    assert line.batch(batch_id).state == BatchState.ABANDONED
    assert line.events("batch.abandoned")[0].event["into"] == []


@pytest.mark.parametrize("poison", [0, 3, 7])
def test_the_item_that_kills_its_workers_fails_alone_and_its_batch_goes_on(line: Line, poison: int):
    """Every attempt makes its parts in order and settles each, and dies where the poison is."""
    ids = line.submit("acme", 8)
    messages = [line.dispatch(ids)]
    deaths = 0
    made: list[tuple[str, int]] = []
    while messages:
        with line.worker.begin() as conn:
            held = claim(conn, messages.pop(0), LEASE, "worker-1")
        assert held is not None
        for part in parts(held):
            made += [(item.id, held.attempt) for item in part]
            if ids[poison] in {item.id for item in part}:
                deaths += 1
                line.lease_runs_out(held.batch_id)
                messages += [send.batch_id for send in expired(line)]
                break
            with line.worker.begin() as conn:
                settle_some(conn, held, [released(held, item) for item in part])
        else:
            with line.worker.begin() as conn:
                settle(conn, held, [])
    assert line.item(ids[poison]).state == ItemState.FAILED
    assert line.item(ids[poison]).reason == "worker_lost"
    assert line.states() == {ItemState.RELEASED: 7, ItemState.FAILED: 1}
    assert deaths <= 10, "eight in three halvings, then five alone, some of them the same"
    assert max(Counter(made).values()) == 1, "an item saw the same attempt twice: two objects would share a key"
    (failed,) = line.events("item.failed")
    assert (failed.tenant, failed.event["item_id"], failed.event["reason"]) == ("acme", ids[poison], "worker_lost")
    assert set(line.batch_ids(BatchState.DISPATCHED) + line.batch_ids(BatchState.RUNNING)) == set()


def parts(held: Claim) -> list[tuple[ClaimedItem, ...]]:
    size = run_size(len(held.items), held.deaths)
    return [held.items[n : n + size] for n in range(0, len(held.items), size)]


def test_workers_that_the_platform_kills_are_no_evidence_against_a_batch(line: Line):
    """O04: killed twice during one batch; it is sent again whole, and no claim counts."""
    batch_id = line.dispatch(line.submit("acme", 3), claims_allowed=1)
    for killed in (1, 2, 3, 4):
        dies_with(line, batch_id)
        assert expired(line) == [Send("gpu", batch_id)]
        batch = line.batch(batch_id)
        assert (batch.state, batch.deaths, batch.attempt - batch.given_back) == (BatchState.DISPATCHED, killed, 0)
    assert line.states() == {ItemState.PLANNED: 3}


def test_where_workers_die_all_the_time_chance_explains_more_deaths(line: Line):
    """O09: half of the queue's other claims ended with a death too, so five in a row say nothing about the item."""
    for _ in range(25):
        other = line.dispatch(line.submit("acme", 1))
        dies_with(line, other)
        assert len(expired(line)) == 1
        held = line.claim(other)
        with line.worker.begin() as conn:
            settle(conn, held, [released(held, item) for item in held.items])
    batch_id = line.dispatch(line.submit("acme", 1))
    for _ in range(10):
        dies_with(line, batch_id)
        assert expired(line) == [Send("gpu", batch_id)]
    assert line.states() == {ItemState.RELEASED: 25, ItemState.PLANNED: 1}


def test_something_settled_between_two_deaths_clears_the_suspicion(line: Line):
    batch_id = line.dispatch(line.submit("acme", 2))
    for _ in range(3):
        dies_with(line, batch_id)
        expired(line)
    held = line.claim(batch_id)
    assert held.deaths == 3
    with line.worker.begin() as conn:
        settle_some(conn, held, [released(held, held.items[0])])
    line.lease_runs_out(batch_id)
    expired(line)
    assert line.batch(batch_id).deaths == 1
    assert [item.id for item in line.claim(batch_id).items] == [held.items[1].id]


def test_an_item_alone_fails_only_when_a_second_worker_met_the_error_too(line: Line):
    with line.worker.begin() as conn:
        for worker in ("worker-1", "worker-2"):
            fleet.seen(conn, worker, queues=["gpu"], threads=1, device="cpu")
    batch_id = line.dispatch(line.submit("acme", 1), claims_allowed=1)
    assert breaks(line, batch_id) == [Send("gpu", batch_id)]
    with line.worker.begin() as conn:
        assert claim(conn, batch_id, LEASE, "worker-1") is None, "it is left to the other one"
        held = claim(conn, batch_id, LEASE, "worker-2")
        assert held is not None
        assert fail_claim(conn, held, "error:ValueError", LEASE, "worker-2") == []
    assert line.states() == {ItemState.FAILED: 1}


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
        assert len(expire(conn, LEASE)) == 1
        conn.rollback()
    assert line.kinds() == before
    assert len(expired(line)) == 1

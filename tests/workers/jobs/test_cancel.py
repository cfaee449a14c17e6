"""cancel: once it is committed, nothing of the item can be released."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from sqlalchemy import event, select

from tests.support.line import LEASE, RECIPE, Line, released, until_blocked
from workers.errors import NotFound
from workers.jobs.cancel import cancel_item, cancel_request
from workers.jobs.claim import renew
from workers.jobs.dispatch import dispatch
from workers.jobs.settle import settle
from workers.jobs.tables import assets, requests
from workers.jobs.types import Claim, new_id
from workers.states import ItemState


def cancelled(line: Line, request_id: str, tenant: str = "acme") -> int:
    with line.as_tenant(tenant) as conn:
        return cancel_request(conn, tenant, request_id, "key:k")


def release_all(line: Line, held: Claim) -> frozenset[str]:
    with line.worker.begin() as conn:
        return settle(conn, held, [released(held, item) for item in held.items])


def test_open_items_are_cancelled_wherever_they_are(line: Line):
    ids = line.submit("acme", 4)
    held = line.claim(line.dispatch(ids[:1]))
    release_all(line, held)
    line.dispatch(ids[1:2])
    line.claim(line.dispatch(ids[2:3]))
    request_id = line.item(ids[0]).request_id
    assert cancelled(line, request_id) == 3
    assert [line.item(id).state for id in ids] == [ItemState.RELEASED, *[ItemState.CANCELLED] * 3]
    told, ended = line.events()[-2:]
    assert (told.kind, told.tenant, told.actor) == ("request.cancelled", "acme", "key:k")
    assert told.event == {"request_id": request_id, "items": 3, "selected_by": []}
    assert (ended.kind, ended.event["phase"]) == ("request.finished", "cancelled")
    with line.auditor.connect() as conn:
        assert conn.execute(select(requests.c.cancelled_at)).scalar_one() is not None


def test_cancelling_again_does_nothing_and_says_so(line: Line):
    (item_id,) = line.submit("acme", 1)
    request_id = line.item(item_id).request_id
    assert (cancelled(line, request_id), cancelled(line, request_id)) == (1, 0)
    assert line.kinds().count("request.cancelled") == 1


def test_a_cancel_of_a_request_of_which_all_is_settled_leaves_no_trace(line: Line):
    held = line.claimed(1)
    release_all(line, held)
    request_id = held.items[0].request_id
    assert (cancelled(line, request_id), cancelled(line, request_id)) == (0, 0)
    assert "request.cancelled" not in line.kinds()
    with line.auditor.connect() as conn:
        assert conn.execute(select(requests.c.cancelled_at)).scalar_one() is None


def test_one_item_is_cancelled_and_its_neighbours_are_not(line: Line):
    ids = line.submit("acme", 3)
    with line.as_tenant("acme") as conn:
        assert cancel_item(conn, "acme", ids[1], "key:k")
    assert line.states() == {ItemState.PENDING: 2, ItemState.CANCELLED: 1}
    assert line.item(ids[1]).settled_at is not None
    assert line.events()[-1].subjects == [f"request:{line.item(ids[1]).request_id}", f"item:{ids[1]}"]


def test_a_settled_item_cannot_be_cancelled(line: Line):
    held = line.claimed(1)
    release_all(line, held)
    with line.as_tenant("acme") as conn:
        assert not cancel_item(conn, "acme", held.items[0].id, "key:k")
    assert line.states() == {ItemState.RELEASED: 1}
    assert "item.cancelled" not in line.kinds()


@pytest.mark.parametrize("cancel", [cancel_request, cancel_item])
def test_foreign_and_unknown_ids_are_the_same_answer(line: Line, cancel):
    (item_id,) = line.submit("acme", 1)
    foreign = item_id if cancel is cancel_item else line.item(item_id).request_id
    line.add_tenant("bolt")
    for id in (foreign, new_id()):
        with pytest.raises(NotFound, match=id), line.as_tenant("bolt") as conn:
            cancel(conn, "bolt", id, "key:k")
    assert line.states() == {ItemState.PENDING: 1}


def test_nothing_is_released_after_the_cancel_commits(line: Line):
    held = line.claimed(2)
    cancelled(line, held.items[0].request_id)
    assert release_all(line, held) == {item.id for item in held.items}
    with line.auditor.connect() as conn:
        assert conn.execute(select(assets)).all() == []
    assert "item.released" not in line.kinds()


def test_a_running_worker_learns_of_it_when_it_renews(line: Line):
    held = line.claimed(2)
    with line.as_tenant("acme") as conn:
        cancel_item(conn, "acme", held.items[0].id, "key:k")
    with line.worker.begin() as conn:
        assert renew(conn, held, LEASE) == {held.items[0].id}


def test_a_cancel_that_comes_during_the_settlement_waits_and_finds_nothing_open(line: Line):
    held = line.claimed(2)
    with ThreadPoolExecutor() as threads:
        with line.worker.begin() as conn:
            settle(conn, held, [released(held, item) for item in held.items])
            late = threads.submit(cancelled, line, held.items[0].request_id)
            until_blocked(line)
        assert late.result() == 0
    assert line.states() == {ItemState.RELEASED: 2}


def test_a_settlement_that_comes_during_a_cancel_waits_and_releases_nothing(line: Line):
    held = line.claimed(2)
    with ThreadPoolExecutor() as threads:
        with line.as_tenant("acme") as conn:
            cancel_request(conn, "acme", held.items[0].request_id, "key:k")
            late = threads.submit(release_all, line, held)
            until_blocked(line)
        assert late.result() == {item.id for item in held.items}
    assert line.states() == {ItemState.CANCELLED: 2}


def test_cancelling_a_request_while_its_batch_settles_does_not_deadlock(line: Line):
    """The settlement holds the items and is about to refer to the request, which the cancel holds."""
    held = line.claimed(2)
    with ThreadPoolExecutor() as threads:
        cancels: list[Future[int]] = []

        def before_the_assets(_conn, _cursor, statement, *_):
            if statement.startswith("INSERT INTO assets"):
                cancels.append(threads.submit(cancelled, line, held.items[0].request_id))
                until_blocked(line)

        event.listen(line.worker, "before_cursor_execute", before_the_assets)
        assert release_all(line, held) == frozenset()
        assert [cancel.result() for cancel in cancels] == [0]
    assert line.states() == {ItemState.RELEASED: 2}


def test_a_cancel_that_waits_for_the_planner_cancels_what_it_planned(line: Line):
    ids = line.submit("acme", 2)
    request_id = line.item(ids[0]).request_id
    with ThreadPoolExecutor() as threads:
        with line.worker.begin() as conn:
            dispatch(conn, "gpu", RECIPE.id, ids, lease=LEASE, claims_allowed=2)
            late = threads.submit(cancelled, line, request_id)
            until_blocked(line)
        assert late.result() == 2
    assert line.states() == {ItemState.CANCELLED: 2}

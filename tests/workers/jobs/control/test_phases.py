"""Phases: a request is paused, goes on and ends by single conditional updates, each with its event."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text

from policy.marks.channels.channel import Channel
from tests.support.fakes import RecordingQueue
from tests.support.line import LEASE, RECIPE, Line, new_item, released, until_blocked
from workers.errors import Conflict, NotFound
from workers.jobs.cancel import cancel_request
from workers.jobs.control.changes import change
from workers.jobs.control.phases import end_settled, pause, resume, stop_overdue
from workers.jobs.control.selection import ItemSelection
from workers.jobs.dispatch import dispatch
from workers.jobs.settle import settle
from workers.jobs.tables import requests
from workers.planning import planner
from workers.states import ItemState, Priority, RequestPhase

TOMORROW = datetime.now(UTC) + timedelta(days=1)


def row(line: Line, item_id: str):
    with line.auditor.connect() as conn:
        return conn.execute(select(requests).where(requests.c.id == line.item(item_id).request_id)).one()


def act(line: Line, verb, request_id: str, **more):
    with line.as_tenant("acme") as conn:
        return verb(conn, "acme", request_id, actor="key:k", **more)


def finish(line: Line, held) -> None:
    with line.worker.begin() as conn:
        settle(conn, held, [released(held, item) for item in held.items])


def deadline_passes(line: Line, request_id: str) -> None:
    """Move the clock: the deadline was a second ago."""
    with line.owner.begin() as conn:
        past = text("update requests set deadline = clock_timestamp() - interval '1 second' where id = :id")
        conn.execute(past, {"id": request_id})


def test_a_paused_request_finishes_what_is_in_flight_and_plans_nothing_new(line: Line, settings_for):
    settings = settings_for("worker", max_batch=1, window=1)
    ids = line.submit("acme", 2)
    request_id = line.item(ids[0]).request_id
    planner.run_once(line.worker, queue := RecordingQueue(), settings)
    held = line.claim(queue.batch_ids[0])
    assert act(line, pause, request_id)
    finish(line, held)
    assert planner.run_once(line.worker, RecordingQueue(), settings) == 0
    assert [line.item(id).state for id in ids] == [ItemState.RELEASED, ItemState.PENDING]
    assert (row(line, ids[0]).phase, row(line, ids[0]).paused_for) == ("paused", "person")
    assert act(line, resume, request_id)
    assert planner.run_once(line.worker, RecordingQueue(), settings) == 1
    told = [(e.kind, e.actor, e.event.get("reason") or e.event.get("phase")) for e in line.events()]
    assert [one for one in told if one[0].startswith("request.") and one[0] != "request.accepted"] == [
        ("request.paused", "key:k", "person"),
        ("request.resumed", "key:k", "running"),
    ]


def test_a_repeat_changes_nothing_and_leaves_no_trace(line: Line):
    (id,) = line.submit("acme", 1)
    request_id = line.item(id).request_id
    assert [act(line, verb, request_id) for verb in (resume, pause, pause, resume, resume)] == [
        *(False, True, False, True, False)
    ]
    assert [kind for kind in line.kinds() if kind in ("request.paused", "request.resumed")] == [
        "request.paused",
        "request.resumed",
    ]
    before = len(line.events())
    assert not act(line, change, request_id, wanted={"priority": Priority.BULK, "deadline": None})
    assert len(line.events()) == before


def test_a_request_that_is_over_is_neither_paused_nor_resumed_nor_changed(line: Line):
    held = line.claimed(1)
    finish(line, held)
    request_id = held.items[0].request_id
    assert row(line, held.items[0].id).phase == RequestPhase.FINISHED
    for verb, more in ((pause, {}), (resume, {}), (change, {"wanted": {"priority": Priority.BULK}})):
        with pytest.raises(Conflict, match="finished"):
            act(line, verb, request_id, **more)
    line.add_tenant("bolt")
    for verb, more in ((pause, {}), (resume, {}), (change, {"wanted": {}})):
        with pytest.raises(NotFound), line.as_tenant("bolt") as conn:
            verb(conn, "bolt", request_id, actor="key:k", **more)


def test_the_last_settlement_ends_the_request_and_counts(line: Line):
    ids = line.submit("acme", 3)
    finish(line, line.claim(line.dispatch(ids[:1])))
    assert row(line, ids[0]).phase == RequestPhase.RUNNING
    with line.as_tenant("acme") as conn:
        cancel_request(conn, "acme", line.item(ids[0]).request_id, "key:k", ItemSelection(rows=((2, 2),)))
    finish(line, line.claim(line.dispatch(ids[2:])))
    ended = row(line, ids[0])
    assert (ended.phase, ended.cancelled_at) == (RequestPhase.FINISHED, None)
    (told,) = line.events("request.finished")
    assert told.event == {
        "request_id": ended.id,
        "phase": "finished",
        "counts": {"released": 2, "cancelled": 1},
    }


def test_a_cancel_of_all_that_is_open_ends_it_as_cancelled_even_while_it_is_paused(line: Line):
    ids = line.submit("acme", 2)
    request_id = line.item(ids[0]).request_id
    act(line, pause, request_id)
    with line.as_tenant("acme") as conn:
        assert cancel_request(conn, "acme", request_id, "key:k") == 2
    assert (row(line, ids[0]).phase, row(line, ids[0]).paused_for) == (RequestPhase.CANCELLED, None)


@pytest.mark.parametrize(
    ("selection", "left", "criteria"),
    [
        (ItemSelection(rows=((1, 1), (3, 4))), [2], ["rows"]),
        (ItemSelection(custom_ids=("row-2", "nobody")), [1, 3, 4], ["custom_ids"]),
        (ItemSelection(states=("planned",)), [2, 3, 4], ["states"]),
        (ItemSelection(states=("pending",), rows=((1, 2),)), [1, 3, 4], ["states", "rows"]),
        (ItemSelection(variants=(1,)), [1, 2, 3, 4], None),
    ],
)
def test_a_part_is_cancelled_by_what_selects_it(line: Line, selection, left, criteria):
    ids = line.submit("acme", 4)
    line.dispatch(ids[:1])
    with line.as_tenant("acme") as conn:
        cancel_request(conn, "acme", line.item(ids[0]).request_id, "key:k", selection)
    assert [n for n, id in enumerate(ids, 1) if line.item(id).state != ItemState.CANCELLED] == left
    assert [told.event["selected_by"] for told in line.events("request.cancelled")] == ([criteria] if criteria else [])
    assert row(line, ids[0]).cancelled_at is None


def test_a_part_is_cancelled_by_the_files_of_its_images(line: Line):
    """Of a rendition, the rows that have it; of a channel of the request, all of them."""
    rows = [new_item(n, renditions=("original", "webp") if n == 2 else ()) for n in (1, 2, 3)]
    ids = line.submit("acme", 3, new_items=rows, channels=(Channel("square", 64, 64),))
    request_id = line.item(ids[0]).request_id

    def cancel(*channels: str) -> int:
        with line.as_tenant("acme") as conn:
            return cancel_request(conn, "acme", request_id, "key:k", ItemSelection(channels=channels))

    with pytest.raises(Conflict, match="no channel 'sqare'"):
        cancel("webp", "sqare")
    assert [cancel("webp"), cancel("avif"), cancel("square", "avif")] == [1, 0, 2]
    assert [told.event["selected_by"] for told in line.events("request.cancelled")] == [["channels"]] * 2


@pytest.mark.parametrize(("at_deadline", "phase"), [("pause", "paused"), ("expire", "expired")])
def test_a_deadline_stops_what_waits_and_never_fails_it(line: Line, at_deadline, phase):
    ids = line.submit("acme", 3, deadline=TOMORROW, at_deadline=at_deadline)
    request_id = line.item(ids[0]).request_id
    held = line.claim(line.dispatch(ids[:1]))
    with line.worker.begin() as conn:
        assert stop_overdue(conn, actor="reconciler") == 0
    deadline_passes(line, request_id)
    with line.worker.begin() as conn:
        assert stop_overdue(conn, actor="reconciler") == 1
    with line.worker.begin() as conn:
        assert stop_overdue(conn, actor="reconciler") == 0
    finish(line, held)
    assert row(line, ids[0]).phase == phase
    waiting = ItemState.PENDING if phase == "paused" else ItemState.CANCELLED
    assert line.states() == {ItemState.RELEASED: 1, waiting: 2}
    if phase == "paused":
        with pytest.raises(Conflict, match="deadline"):
            act(line, resume, request_id)
        act(line, change, request_id, wanted={"deadline": None})
        assert act(line, resume, request_id)


def test_a_changed_priority_is_that_of_the_items_that_wait(line: Line):
    ids = line.submit("acme", 2)
    act(line, change, line.item(ids[0]).request_id, wanted={"priority": Priority.INTERACTIVE})
    with line.worker.connect() as conn:
        found = planner._pending(conn, "gpu", per_lane=5, max_batch=2)
    assert {one.priority for one in found} == {Priority.INTERACTIVE}
    (told,) = line.events("request.changed")
    assert told.event["changes"] == {"priority": {"from": "bulk", "to": "interactive"}}


def test_a_pause_that_comes_while_a_batch_is_planned_waits_for_it(line: Line):
    """What is planned before the pause commits is in flight; nothing is planned after it."""
    ids = line.submit("acme", 2)
    request_id = line.item(ids[0]).request_id
    with ThreadPoolExecutor() as threads:
        with line.worker.begin() as conn:
            assert dispatch(conn, "gpu", RECIPE.id, ids[:1], lease=LEASE, claims_allowed=2)
            late = threads.submit(act, line, pause, request_id)
            until_blocked(line)
        assert late.result()
    with line.worker.begin() as conn:
        assert dispatch(conn, "gpu", RECIPE.id, ids[1:], lease=LEASE, claims_allowed=2) is None


def test_what_two_settlements_left_behind_is_ended_by_the_next_look(line: Line):
    """Each of two settlements at the same moment sees the other's item open."""
    ids = line.submit("acme", 2)
    one, two = (line.claim(line.dispatch([id])) for id in ids)
    with line.worker.begin() as first, line.worker.begin() as second:
        settle(first, one, [released(one, item) for item in one.items])
        settle(second, two, [released(two, item) for item in two.items])
    assert row(line, ids[0]).phase == RequestPhase.RUNNING
    with line.worker.begin() as conn:
        assert end_settled(conn, actor="reconciler") == 1
    assert row(line, ids[0]).phase == RequestPhase.FINISHED

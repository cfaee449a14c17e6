"""Budget: exactly what fits is accepted, and every settled item takes its reservation with it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from tests.support.line import HOLD, LEASE, REFUSE, Line, new_item, new_request, released, rows
from workers.errors import BudgetExceeded, NotFound
from workers.jobs.cancel import cancel_item, cancel_request
from workers.jobs.control.budget import list_budgets, set_budget
from workers.jobs.control.phases import stop_overdue
from workers.jobs.expire import fail_claim
from workers.jobs.settle import settle
from workers.jobs.submit import submit
from workers.jobs.types import Failed, Held, Refused, new_id

_OVERDUE = "update requests set deadline = clock_timestamp() - interval '1 second', at_deadline = 'expire'"


def limit(line: Line, images: int | None, key_id: str | None = None) -> None:
    line.add_tenant("acme")
    with line.as_tenant("acme") as conn:
        set_budget(conn, "acme", key_id, images, actor="key:k")


def counted(line: Line) -> tuple[int, int]:
    """What is reserved and what was made of the tenant's budget."""
    with line.as_tenant("acme") as conn:
        (budget,) = list_budgets(conn, "acme")
    return budget.images_reserved, budget.images_made


def test_of_eight_submissions_at_once_exactly_three_fit(line: Line):
    limit(line, 6)

    def one(_: int) -> bool:
        try:
            with line.as_tenant("acme") as conn:
                submit(conn, new_request("acme"), rows(2))
        except BudgetExceeded:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(one, range(8))) == 3
    assert counted(line) == (6, 0)
    assert len(line.pending()) == 6


def test_every_way_out_of_an_item_takes_its_reservation_along(line: Line):
    limit(line, 10)
    ids = line.submit("acme", 10)
    held = line.claim(line.dispatch(ids[:4]))
    a, b, c, d = held.items
    outcomes = [released(held, a), Held(b, HOLD, "quarantine/k", "a" * 64), Refused(c, REFUSE), Failed(d, "x")]
    with line.worker.begin() as conn:
        settle(conn, held, outcomes)
    assert counted(line) == (6, 2)
    lost = line.claim(line.dispatch(ids[4:5], claims_allowed=1))
    with line.worker.begin() as conn:
        fail_claim(conn, lost, "crashed", LEASE)
    with line.as_tenant("acme") as conn:
        cancel_item(conn, "acme", ids[5], "key:k")
    assert counted(line) == (4, 2)
    with line.owner.begin() as conn:
        conn.execute(text(_OVERDUE))
    with line.worker.begin() as conn:
        stop_overdue(conn, actor="reconciler")
    assert counted(line) == (0, 2)


def test_a_repeated_settlement_and_a_cancel_of_the_rest_count_once(line: Line):
    limit(line, 3)
    ids = line.submit("acme", 3)
    held = line.claim(line.dispatch(ids[:1]))
    for _ in range(2):
        with line.worker.begin() as conn:
            settle(conn, held, [released(held, item) for item in held.items])
    for _ in range(2):
        with line.as_tenant("acme") as conn:
            cancel_request(conn, "acme", line.item(ids[0]).request_id, "key:k")
    assert counted(line) == (0, 1)


def test_what_was_refused_by_its_prompt_is_not_reserved_and_a_refused_submission_stores_nothing(line: Line):
    limit(line, 1)
    line.submit("acme", 2, new_items=[new_item(1), new_item(2, verdict=REFUSE)])
    assert counted(line) == (1, 0)
    with pytest.raises(BudgetExceeded, match=r"asks for 1 images, and the budget of the tenant has 0 of 1 left"):
        line.submit("acme", 1)
    assert len(line.states()) == 2
    assert line.kinds().count("request.accepted") == 1


def test_a_budget_is_set_changed_and_taken_away_each_with_its_event_once(line: Line):
    for images in (5, 5, 7, None, None):
        limit(line, images)
    assert [(told.event["images_before"], told.event["images"]) for told in line.events("budget.changed")] == [
        (None, 5),
        (5, 7),
        (7, None),
    ]
    line.submit("acme", 9)
    with pytest.raises(NotFound):
        limit(line, 5, new_id())

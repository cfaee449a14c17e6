"""Budget: exactly what fits is accepted, and every settled item takes its reservation with it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from tests.support.line import HOLD, LEASE, RECIPE, REFUSE, Line, new_item, new_request, released, rows
from workers.cost.forecast import Take
from workers.cost.limits import Limits
from workers.cost.prices import Prices
from workers.cost.used import Used
from workers.errors import BudgetExceeded, NotFound
from workers.jobs.cancel import cancel_item, cancel_request
from workers.jobs.control.budget import Budget, list_budgets, set_budget
from workers.jobs.control.phases import resume, stop_overdue, stop_spent
from workers.jobs.expire import fail_claim
from workers.jobs.settle import settle
from workers.jobs.submit import submit
from workers.jobs.types import Failed, Held, Refused, new_id

_OVERDUE = "update requests set deadline = clock_timestamp() - interval '1 second', at_deadline = 'expire'"


def limit(line: Line, images: int | None, key_id: str | None = None) -> None:
    line.add_tenant("acme")
    with line.as_tenant("acme") as conn:
        set_budget(conn, "acme", key_id, Limits(images), actor="key:k")


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


KNOWN = {"share": {RECIPE.work_id: Take(0.5, Decimal("0.005"))}, "currency": "EUR"}  # of each image, at P90
PRICES = Prices.parse("H200=36", "EUR")  # a cent a second


def money(line: Line, **limits: Any) -> Budget:
    line.add_tenant("acme")
    with line.as_tenant("acme") as conn:
        standing = set_budget(conn, "acme", None, Limits(**limits), actor="key:k")
    assert standing is not None
    return standing


def standing(line: Line) -> Budget:
    with line.as_tenant("acme") as conn:
        (budget,) = list_budgets(conn, "acme")
    return budget


@pytest.mark.parametrize(
    "limits",
    [
        {"gpu_seconds": Decimal("3.4")},
        {"cost": Decimal("0.034"), "currency": "EUR"},
        {"gpu_seconds": Decimal(3), "cost": Decimal(9), "currency": "EUR"},
    ],
)
def test_of_eight_submissions_at_once_three_fit_into_gpu_seconds_or_money(line: Line, limits: dict[str, Any]):
    """Two images of half a second each: three requests take 3 s at P90, or 3 cents."""
    money(line, **limits)

    def one(_: int) -> bool:
        try:
            with line.as_tenant("acme") as conn:
                submit(conn, new_request("acme", **KNOWN), rows(2))
        except BudgetExceeded:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(one, range(8))) == 3
    now = standing(line)
    assert (now.gpu_seconds_reserved, now.cost_reserved) == (3, Decimal("0.03"))


def test_what_was_made_replaces_its_reservation_and_what_was_not_made_costs_nothing(line: Line):
    money(line, gpu_seconds=Decimal(10), cost=Decimal(1), currency="EUR")
    ids = line.submit("acme", 5, **KNOWN)
    held = line.claim(line.dispatch(ids[:3]))
    used = Used(PRICES)
    used.add([item.id for item in held.items], "H200", 1.2, None)
    a, b, c = held.items
    with line.worker.begin() as conn:
        settle(conn, held, [released(held, a), Refused(b, REFUSE), Failed(c, "x")], used)
    now = standing(line)
    assert (now.gpu_seconds_reserved, now.gpu_seconds_made) == (1, Decimal("0.4"))
    assert (now.cost_reserved, now.cost_made) == (Decimal("0.01"), Decimal("0.004"))
    with line.as_tenant("acme") as conn:
        cancel_request(conn, "acme", line.item(ids[0]).request_id, "key:k")
    now = standing(line)
    assert (now.gpu_seconds_reserved, now.cost_reserved) == (0, 0)


def test_unknown_work_is_accepted_while_something_is_left_and_paused_when_it_is_used_up(line: Line):
    money(line, gpu_seconds=Decimal(1))
    ids = line.submit("acme", 3)
    held = line.claim(line.dispatch(ids[:1]))
    used = Used()
    used.add([held.items[0].id], "H200", 1.0, None)
    with line.worker.begin() as conn:
        settle(conn, held, [released(held, held.items[0])], used)
        assert stop_spent(conn, actor="reconciler") == 1
    with pytest.raises(BudgetExceeded, match=r"takes an unknown number of GPU seconds, .* has 0 of 1"):
        line.submit("acme", 1)
    (paused,) = line.events("request.paused")
    assert paused.event["reason"] == "budget"
    money(line, gpu_seconds=Decimal(5))
    with line.as_tenant("acme") as conn:
        assert resume(conn, "acme", line.item(ids[0]).request_id, actor="key:k")
    with line.worker.begin() as conn:
        assert stop_spent(conn, actor="reconciler") == 0


def test_a_budget_in_a_currency_that_was_given_up_says_so(line: Line):
    money(line, cost=Decimal(5), currency="USD")
    with pytest.raises(BudgetExceeded, match="is in USD, and this installation counts in EUR; set it anew"):
        line.submit("acme", 1, **KNOWN)
    money(line, cost=Decimal(5), currency="EUR")
    line.submit("acme", 1, **KNOWN)
    told = [one.event["limits"] for one in line.events("budget.changed")]
    assert told == [{"cost": "5", "currency": "USD"}, {"cost": "5", "currency": "EUR"}]

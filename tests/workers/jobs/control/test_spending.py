"""Budget of one request: it is paused when that is used up, goes on when it is raised, and is told once a threshold."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import select, text

from tests.support.line import LEASE, RECIPE, Line, released
from workers.cost.limits import Limits
from workers.errors import BudgetExceeded, Conflict, NotFound
from workers.jobs.cancel import cancel_item, cancel_request
from workers.jobs.control import spending
from workers.jobs.control.budget import Budget, list_budgets, set_budget
from workers.jobs.control.retry import retry
from workers.jobs.dispatch import dispatch
from workers.jobs.settle import settle
from workers.jobs.tables import requests
from workers.jobs.types import Failed


def made(line: Line, ids: list[str], *, failed: int = 0) -> None:
    held = line.claim(line.dispatch(ids))
    outcomes = [Failed(i, "worker_lost") if n < failed else released(held, i) for n, i in enumerate(held.items)]
    with line.worker.begin() as conn:
        settle(conn, held, outcomes)


def looked(line: Line) -> None:
    with line.worker.begin() as conn:
        spending.stop(conn, actor="reconciler")
        spending.tell_low(conn)


def phase(line: Line, request_id: str) -> tuple[str, str | None]:
    with line.auditor.connect() as conn:
        row = conn.execute(select(requests).where(requests.c.id == request_id)).one()
    return row.phase, row.paused_for


def limited(line: Line, request_id: str, limits: Limits) -> bool:
    with line.as_tenant("acme") as conn:
        return spending.set_limits(conn, "acme", request_id, limits, actor="key:k")


def standing(line: Line, request_id: str) -> Budget | None:
    with line.as_tenant("acme") as conn:
        return spending.budget_of(conn, "acme", request_id)


def counted(line: Line, request_id: str) -> tuple[int, int]:
    found = standing(line, request_id)
    assert found is not None
    return found.images_reserved, found.images_made


def test_a_request_runs_until_its_budget_is_reached_and_goes_on_when_it_is_raised(line: Line) -> None:
    ids = line.submit("acme", 6, budget=Limits(images=4))
    request_id = line.item(ids[0]).request_id
    assert counted(line, request_id) == (6, 0)
    made(line, ids[:3])
    looked(line)
    assert (counted(line, request_id), phase(line, request_id)) == ((3, 3), ("running", None))
    batch = line.dispatch(ids[3:4])
    looked(line)  # three made and one in flight
    assert phase(line, request_id) == ("paused", "budget")
    with line.worker.begin() as conn:
        assert dispatch(conn, "gpu", RECIPE.id, ids[4:], lease=LEASE, claims_allowed=2) is None
    assert limited(line, request_id, Limits(images=10))
    assert phase(line, request_id) == ("running", None)
    held = line.claim(batch)
    with line.worker.begin() as conn:
        settle(conn, held, [released(held, item) for item in held.items])
    made(line, ids[4:])
    looked(line)
    assert (counted(line, request_id), phase(line, request_id)) == ((0, 6), ("finished", None))
    with pytest.raises(Conflict, match="is finished"):
        limited(line, request_id, Limits(images=20))


def test_a_budget_that_comes_late_counts_what_was_made_and_what_is_open(line: Line) -> None:
    ids = line.submit("acme", 5)
    request_id = line.item(ids[0]).request_id
    made(line, ids[:2])
    with line.as_tenant("acme") as conn:
        cancel_item(conn, "acme", ids[4], "key:k")
    assert limited(line, request_id, Limits(images=2, gpu_seconds=Decimal(100)))
    assert not limited(line, request_id, Limits(images=2, gpu_seconds=Decimal(100)))
    assert counted(line, request_id) == (2, 2)
    looked(line)
    assert phase(line, request_id) == ("paused", "budget")
    assert limited(line, request_id, Limits())
    assert (standing(line, request_id), phase(line, request_id)) == (None, ("running", None))
    changes = [(event.event["request_id"], event.event["images"]) for event in line.events("budget.changed")]
    assert changes == [(request_id, 2), (request_id, None)]
    with line.as_tenant("acme") as conn:
        cancel_request(conn, "acme", request_id, "key:k")
    assert phase(line, request_id)[0] == "cancelled"


def test_it_is_no_budget_of_the_tenant_nor_of_another_request(line: Line) -> None:
    line.submit("acme", 2, budget=Limits(images=1))
    line.submit("acme", 2)
    with line.as_tenant("acme") as conn:
        assert list_budgets(conn, "acme") == []
        set_budget(conn, "acme", None, Limits(9), actor="key:k")
        assert [(one.images, one.images_reserved) for one in list_budgets(conn, "acme")] == [(9, 0)]
    line.add_tenant("rival")
    request_id = line.item(line.pending()[0]).request_id
    with pytest.raises(NotFound), line.as_tenant("rival") as conn:
        spending.set_limits(conn, "rival", request_id, Limits(5), actor="key:k")


def test_a_retry_that_does_not_fit_is_refused(line: Line) -> None:
    ids = line.submit("acme", 3, budget=Limits(images=3))
    request_id = line.item(ids[0]).request_id
    made(line, ids, failed=2)
    assert counted(line, request_id) == (0, 1)
    with line.owner.begin() as conn:
        conn.execute(text("update budgets set images = 2"))
    with (
        pytest.raises(BudgetExceeded, match="of the request has 1 of 2 left"),
        line.as_tenant("acme") as conn,
    ):
        retry(conn, "acme", request_id, ids[0], actor="key:k")


def test_each_threshold_is_told_once_and_a_raise_begins_again(line: Line) -> None:
    ids = line.submit("acme", 10, budget=Limits(images=10))
    request_id = line.item(ids[0]).request_id
    told: list[tuple[int, int]] = []

    def look() -> None:
        with line.worker.begin() as conn:
            messages = spending.tell_low(conn)
        with line.auditor.connect() as conn:
            told.append((messages, conn.execute(text("select told_percent from budgets")).scalar_one()))

    made(line, ids[:7])
    look()
    made(line, ids[7:8])
    look()
    look()
    made(line, ids[8:9])
    look()
    limited(line, request_id, Limits(images=11))
    look()
    assert told == [(0, 0), (1, 80), (0, 80), (1, 90), (1, 80)]

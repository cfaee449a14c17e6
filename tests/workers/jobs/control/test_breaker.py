"""Breaker: a campaign that goes wrong is paused by itself, every row counts once, and nothing is lost on the way."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from policy.rulebook.review import ReviewRules
from tests.support.fakes import RecordingQueue
from tests.support.line import HOLD, REFUSE, Line, new_item, released
from tests.support.line import rows as plain_rows
from workers.jobs.control import breaker, phases
from workers.jobs.control.tables import breaker_notes, breakers
from workers.jobs.review.decide import ReviewDecision, review
from workers.jobs.settle import settle, settle_some
from workers.jobs.tables import requests
from workers.jobs.types import Claim, ClaimedItem, Failed, Finished, Held, Outcome, Refused
from workers.planning import planner

RULES = ReviewRules(four_eyes=frozenset(), never=frozenset(), own_campaign=True)


def campaign(line: Line, rows: int = 10, variants: int = 1) -> tuple[str, list[str]]:
    new = [new_item(n, variant=v) for n in range(1, rows + 1) for v in range(variants)]
    ids = line.submit("acme", rows, new_items=new)
    return line.item(ids[0]).request_id, ids


def fine(held: Claim, item: ClaimedItem) -> Outcome:
    return released(held, item)


def failed(held: Claim, item: ClaimedItem) -> Outcome:
    return Failed(item, "out_of_memory")


def refused(held: Claim, item: ClaimedItem) -> Outcome:
    return Refused(item, REFUSE)


def kept(held: Claim, item: ClaimedItem) -> Outcome:
    """Held by policy, its marks good."""
    outcome = released(held, item)
    finished = Finished(outcome.asset_id, outcome.watermark_id, outcome.position, outcome.marks, outcome.renditions)
    return Held(item, HOLD, f"quarantine/acme/{item.id}/1/original.png", "b" * 64, finished)


def unmarked(held: Claim, item: ClaimedItem) -> Outcome:
    """Held because its marks did not hold."""
    return Held(item, HOLD, f"quarantine/{item.id}", "b" * 64)


def make(line: Line, ids: list[str], become: Any) -> Claim:
    held = line.claim(line.dispatch(ids))
    with line.worker.begin() as conn:
        settle(conn, held, [become(held, item) for item in held.items])
    return held


def count(line: Line) -> list[str]:
    with line.worker.begin() as conn:
        return breaker.count(conn)


def sums(line: Line, request_id: str) -> dict[str, tuple[int, int]]:
    with line.auditor.connect() as conn:
        row = conn.execute(select(breakers).where(breakers.c.request_id == request_id)).one()._mapping
    return {test: (row[f"{test}_rows"], row[f"{test}_bad"]) for test in breaker.TESTS}


def phase(line: Line, request_id: str) -> tuple[str, str | None]:
    with line.auditor.connect() as conn:
        row = conn.execute(select(requests).where(requests.c.id == request_id)).one()
    return row.phase, row.paused_for


@pytest.mark.parametrize(
    ("become", "test", "worst"),
    [
        (refused, "policy", "list"),
        (kept, "policy", "nsfw"),
        (failed, "failures", "out_of_memory"),
        (unmarked, "failures", "marks"),
    ],
)
def test_four_bad_rows_pause_a_short_campaign_with_the_figures_and_the_worst_rule(line: Line, become, test, worst):
    request_id, ids = campaign(line)
    make(line, ids[:3], become)
    assert count(line) == []
    make(line, ids[3:4], become)
    assert count(line) == [request_id]
    assert phase(line, request_id) == ("paused", "breaker")
    (told,) = line.events("request.paused")
    figures = told.event["figures"]
    assert (told.actor, told.event["reason"]) == ("planner", "breaker")
    assert (figures["test"], figures["rows"], figures["bad"], figures["share"]) == (test, 4, 4, "1.0000")
    assert (figures["worst_rule"], figures["worst_rule_images"]) == (worst, 4)
    assert float(figures["sum"]) >= float(figures["threshold"])


def test_a_campaign_that_ends_with_its_bad_rows_is_not_paused_and_stops_no_planner(line: Line):
    request_id, ids = campaign(line)
    make(line, ids, failed)
    assert count(line) == []
    assert phase(line, request_id) == ("finished", None)
    assert sums(line, request_id)["failures"] == (10, 10)
    assert count(line) == []


def test_what_is_in_flight_is_finished_and_nothing_new_is_planned(line: Line, settings_for):
    request_id, ids = campaign(line)
    in_flight = line.dispatch(ids[4:6])
    make(line, ids[:4], failed)
    queue, settings = RecordingQueue(), settings_for("worker")
    assert planner.run_once(line.worker, queue, settings) == 0, "counted before anything is planned"
    assert phase(line, request_id) == ("paused", "breaker")
    held = line.claim(in_flight)
    with line.worker.begin() as conn:
        settle(conn, held, [released(held, item) for item in held.items])
    with line.as_tenant("acme") as conn:
        assert phases.resume(conn, "acme", request_id, actor="key:k")
    assert planner.run_once(line.worker, queue, settings) == 1
    assert (phase(line, request_id), sums(line, request_id)["failures"]) == (("running", None), (0, 0))


def test_what_was_noted_before_a_resume_counts_no_more(line: Line):
    request_id, ids = campaign(line)
    make(line, ids[:4], failed)
    assert count(line) == [request_id]
    with line.as_tenant("acme") as conn:
        phases.resume(conn, "acme", request_id, actor="key:k")
    make(line, ids[4:7], failed)
    assert count(line) == []
    assert sums(line, request_id)["failures"] == (3, 3)
    make(line, ids[7:8], failed)
    assert count(line) == [request_id]


def test_a_row_counts_once_when_its_last_image_is_settled(line: Line):
    request_id, ids = campaign(line, rows=5, variants=3)
    make(line, ids[:2], failed)
    count(line)
    assert sums(line, request_id)["failures"] == (0, 0), "its third image is open"
    make(line, ids[2:4], fine)
    count(line)
    assert sums(line, request_id)["failures"] == (1, 1)
    make(line, ids[4:], fine)
    count(line)
    count(line)
    assert sums(line, request_id) == {"policy": (5, 0), "failures": (5, 1), "rejections": (5, 0)}


def test_a_settlement_in_parts_and_one_that_rolls_back_count_each_row_once(line: Line):
    request_id, ids = campaign(line)
    held = line.claim(line.dispatch(ids[:4]))
    outcomes = [failed(held, item) for item in held.items]
    for _ in range(2):
        with line.worker.begin() as conn:
            settle_some(conn, held, outcomes[:2])
    with line.worker.connect() as conn, conn.begin() as transaction:
        settle(conn, held, outcomes)
        transaction.rollback()  # killed before the commit
    count(line)
    assert sums(line, request_id)["failures"] == (2, 2)
    with line.worker.begin() as conn:
        settle(conn, held, outcomes)
    with line.worker.connect() as conn, conn.begin() as transaction:
        assert breaker.count(conn) == [request_id]
        transaction.rollback()  # killed while it counts: the notes are still there
    assert phase(line, request_id)[0] == "running"
    assert count(line) == [request_id]
    with line.auditor.connect() as conn:
        assert conn.execute(select(breaker_notes)).all() == []


def test_reviewers_who_reject_pause_it_and_a_row_without_a_review_is_not_rejected(line: Line):
    request_id, ids = campaign(line)
    make(line, ids[:2], fine)
    count(line)
    assert sums(line, request_id)["rejections"] == (2, 0)
    make(line, ids[2:5], kept)
    count(line)
    assert sums(line, request_id) == {"policy": (5, 3), "failures": (5, 0), "rejections": (2, 0)}
    for item_id, decision in zip(ids[2:5], ("refuse", "refuse", "release"), strict=True):
        with line.as_tenant("acme") as conn:
            wanted = ReviewDecision(item_id, decision, "b" * 64, "")
            review(conn, "acme", wanted, key_id=item_id, rules=RULES, policy_version="sha256:" + "0" * 64)
        if decision == "refuse":
            count(line)
    count(line)
    assert sums(line, request_id) == {"policy": (5, 3), "failures": (5, 0), "rejections": (5, 2)}


def test_a_request_of_few_rows_is_not_watched(line: Line):
    ids = line.submit("acme", 3, new_items=plain_rows(3))
    make(line, ids, failed)
    with line.auditor.connect() as conn:
        assert conn.execute(select(breakers)).all() == conn.execute(select(breaker_notes)).all() == []


def test_a_request_that_a_person_paused_stays_paused_for_that(line: Line):
    request_id, ids = campaign(line)
    batch = line.dispatch(ids[:4])
    with line.as_tenant("acme") as conn:
        phases.pause(conn, "acme", request_id, actor="key:k")
    held = line.claim(batch)
    with line.worker.begin() as conn:
        settle(conn, held, [failed(held, item) for item in held.items])
    assert count(line) == []
    assert phase(line, request_id) == ("paused", "person")
    with line.as_tenant("acme") as conn:
        phases.resume(conn, "acme", request_id, actor="key:k")
    assert count(line) == []
    assert phase(line, request_id)[0] == "running"

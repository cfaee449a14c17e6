"""Recall criteria: each alone, several together, and a dry run that counts and changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from policy.verdict import Decision, Finding, Stage, Verdict
from tests.support.line import KEY_ID, POLICY, RECIPE, Line
from tests.support.recalls import Recalling
from workers.jobs.recall.criteria import Criteria
from workers.jobs.types import new_id


@pytest.fixture
def recalling(line: Line, settings_for: Any, s3: Any) -> Recalling:
    return Recalling(line, settings_for, s3)


OTHER = "sha256:" + "9" * 64
LET_PASS = Verdict(OTHER, (Finding(Decision.ALLOW, Stage.PROMPT, "brand", "brand/own"),))


def _each(made: Any, other: Any) -> list[tuple[Criteria, Any]]:
    """Criteria, and whose pictures they mean: those of the first request or of the second."""
    return [
        (Criteria(asset_id=made[0].asset_id), made[:1]),
        (Criteria(request_id=made[0].item.request_id), made),
        (Criteria(model="studio"), [*made, *other]),
        (Criteria(model="other"), []),
        (Criteria(model_revision=RECIPE.model_revision), [*made, *other]),
        (Criteria(model_revision=OTHER), []),
        (Criteria(lora="ink"), []),
        (Criteria(licence="MIT", licensed=(RECIPE.model_revision,)), [*made, *other]),
        (Criteria(licence="MIT", licensed=(OTHER,)), []),
        (Criteria(licence="MIT"), []),
        (Criteria(policy_version=OTHER), other),
        (Criteria(rule="brand/own"), other),
        (Criteria(rule="brand/own", policy_version=POLICY), []),
        (Criteria(rule="brand/own", request_id=other[0].item.request_id), other),
        (Criteria(reviewer=KEY_ID), []),
        (Criteria(rule="'; drop table assets; --"), []),
    ]


def test_each_criterion_means_its_pictures_and_all_must_hold(recalling: Recalling) -> None:
    made, other = recalling.release(2, stored=False), recalling.release(1, verdict=LET_PASS, stored=False)
    for criteria, meant in _each(made, other):
        found = recalling.preview(criteria)
        assert found.released == len(meant), criteria
        assert set(found.sample) == {outcome.asset_id for outcome in meant}, criteria


def test_a_range_of_time_begins_with_its_first_moment_and_ends_before_its_last(recalling: Recalling) -> None:
    recalling.release(2, stored=False)
    found = recalling.preview(Criteria(model="studio"))
    assert found.first_release == found.last_release
    at, tick = found.first_release, timedelta(microseconds=1)
    assert at is not None
    assert recalling.preview(Criteria(since=at, until=at + tick)).released == 2
    assert recalling.preview(Criteria(until=at)).released == 0
    assert recalling.preview(Criteria(since=at + tick)).released == 0


def test_a_dry_run_counts_and_changes_nothing(recalling: Recalling) -> None:
    line = recalling.line
    made = recalling.release(2, name="spring", stored=False)
    other = recalling.release(1, name="autumn", stored=False)
    before = line.kinds()
    found = recalling.preview(Criteria(model="studio"))
    assert [dict(row) for row in found.by_campaign] == [
        {"request_id": made[0].item.request_id, "name": "spring", "assets": 2},
        {"request_id": other[0].item.request_id, "name": "autumn", "assets": 1},
    ]
    (model,) = found.by_model
    assert dict(model) == {"model": "studio", "model_revision": RECIPE.model_revision, "assets": 3}
    assert (found.released, found.ordered, found.recalled) == (3, 0, 0)
    assert line.kinds() == before
    assert set(recalling.states().values()) == {"released"}
    recalling.order(Criteria(request_id=made[0].item.request_id))
    assert (recalling.preview(Criteria(model="studio")).ordered, recalling.carry_out() > 0) == (2, True)
    again = recalling.preview(Criteria(model="studio"))
    assert (again.released, again.ordered, again.recalled) == (1, 0, 2)


def test_ids_that_mean_nothing_find_nothing(recalling: Recalling) -> None:
    recalling.release(1, stored=False)
    for criteria in (Criteria(asset_id=new_id()), Criteria(request_id=new_id()), Criteria(reviewer=new_id())):
        assert recalling.preview(criteria).released == 0


def test_criteria_are_written_down_as_they_were_asked_and_read_back() -> None:
    at = datetime(2026, 11, 1, tzinfo=UTC)
    asked = Criteria(model="studio", licence="MIT", licensed=(OTHER,), since=at)
    assert asked.to_json() == {
        "model": "studio",
        "licence": "MIT",
        "licensed": [OTHER],
        "since": "2026-11-01T00:00:00.000000Z",
    }
    assert Criteria.from_json(asked.to_json()) == asked

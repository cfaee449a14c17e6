"""Used: an item has its share of each run that it was part of, and what nothing came of costs nobody."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.support.fakes import FakeSampler
from tests.support.line import Line
from tests.support.worker import Works
from workers.cost.prices import Prices
from workers.cost.used import Used
from workers.jobs.control.usage import usage

PRICES = Prices.parse("fake=36", "EUR")  # a cent a second


@pytest.fixture
def works(line: Line, settings_for, s3) -> Works:
    return Works(line, settings_for, s3)


def test_an_item_that_is_drawn_again_has_a_share_of_both_runs() -> None:
    used = Used(PRICES)
    used.add(["a", "b", "c", "d"], "fake", 8.0, 400.0)
    used.add(["a"], "fake", 1.5, 50.0)
    assert used.of_item("a") == {
        "gpu_seconds": Decimal("3.500000"),
        "energy_joules": 150.0,
        "cost": Decimal("0.035000000"),
        "currency": "EUR",
    }
    assert [used.seconds_of(id) for id in "abcd"] == [3.5, 2.0, 2.0, 2.0]
    assert set(used.of_item("never").values()) == {None}
    batch = used.of_batch("w", is_whole=True)
    assert (batch["gpu_seconds"], batch["energy_joules"], batch["drawn"], batch["work_id"]) == (
        Decimal("9.500000"),
        450.0,
        4,
        "w",
    )
    assert "work_id" not in used.of_batch("w", is_whole=False)  # drawn in parts: no measure of others
    assert Used().of_batch("w", is_whole=True) == {}


def test_a_settled_batch_says_what_it_used_and_only_what_was_made_counts(works: Works) -> None:
    sampler = FakeSampler(seconds=4.0, joules=200.0, faults={"row-2": "black"})
    batch_id = works.batch(4)
    works.executor(sampler, prices="fake=36", currency="EUR").run(batch_id)
    batch = works.line.batch(batch_id)
    drawn = [len(held.items) for held in sampler.claims]  # the rules ask for a black picture again
    assert drawn[0] == 4
    assert (float(batch.gpu_seconds), batch.device_class, batch.drawn) == (4.0 * len(drawn), "fake", 4)
    assert batch.work_id == sampler.claims[0].recipe.work_id
    with works.line.as_tenant("acme") as conn:
        (line,) = usage(conn, "acme", by="tenant")
    again = 4.0 * (len(drawn) - 1)
    assert (line.made, line.failed) == (3, 1)
    assert (line.gpu_seconds, line.gpu_seconds_failed, line.gpu_seconds_refused) == (3.0, 1.0 + again, 0.0)
    assert line.cost == {"EUR": 0.03}
    assert line.cost_not_made == {"EUR": pytest.approx((1.0 + again) / 100)}
    assert line.energy_joules == 200.0 * len(drawn)


def test_an_attempt_that_came_to_nothing_is_counted_nowhere(works: Works) -> None:
    """The reconciler sends the batch again, and its tenant has the seconds of the attempt that settled it."""

    def dies(point: str, _held: object) -> None:
        if point == "sampled":
            raise Killed

    batch_id = works.batch(2)
    with pytest.raises(Killed):
        works.executor(FakeSampler(seconds=100.0), probe=dies).run(batch_id)
    works.line.lease_runs_out(batch_id)
    assert works.look() == [batch_id]
    works.executor(FakeSampler(seconds=1.0)).run(batch_id)
    with works.line.as_tenant("acme") as conn:
        (line,) = usage(conn, "acme", by="request")
    assert (line.made, line.gpu_seconds, line.cost, line.energy_joules) == (2, 2.0, None, None)
    assert float(works.line.batch(batch_id).gpu_seconds) == 2.0  # drawn one at a time after a death


class Killed(BaseException):
    """As good as SIGKILL inside one process."""

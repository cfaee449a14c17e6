"""Forecast: figures of batches that were measured, and none where too few were."""

from __future__ import annotations

from decimal import Decimal

import pytest

from workers.cost.finish import Waiting, served
from workers.cost.forecast import MEASURED, Measured, Take, Work, forecast
from workers.cost.prices import Prices

PRICES = Prices.parse("H200=36,L4=3.6", "EUR")
H200 = {"gpu": {"H200": 2}}
TURNS = {"interactive": 16, "standard": 4, "bulk": 1}


def of(images: int, *measures: Measured, fleets: dict[str, dict[str, int]] = H200, together: int = 8):
    return forecast([Work("w", images, together, "gpu")], measures, fleets, PRICES)


def test_a_request_takes_its_batches_and_a_rest_the_smallest_that_it_fits_into() -> None:
    eight, four = Measured("w", "H200", 8, 30, 4.0, 5.0), Measured("w", "H200", 4, 30, 2.5, 3.0)
    made = of(19, eight, four)
    assert (made.p50, made.p90) == (Take(10.5, Decimal("0.105")), Take(13.0, Decimal("0.13")))
    assert (made.measured, made.device_classes, made.share["w"].seconds) == (60, ("H200",), pytest.approx(13 / 19))
    assert of(21, eight, four).p50 == Take(12.0, Decimal("0.12"))  # a rest of five counts as a full batch


@pytest.mark.parametrize(
    "measures",
    [
        [],
        [Measured("w", "H200", 8, MEASURED - 1, 4.0, 5.0)],
        [Measured("w", "H200", 4, 100, 4.0, 5.0)],  # of half the size
        [Measured("w", "L4", 8, 100, 4.0, 5.0)],  # on another device
        [Measured("other", "H200", 8, 100, 4.0, 5.0)],
    ],
)
def test_what_was_not_measured_is_unknown(measures: list[Measured]) -> None:
    made = of(16, *measures)
    assert (made.p50, made.p90, made.unknown_images, dict(made.share)) == (None, None, 16, {})


def test_a_part_that_is_unknown_makes_the_whole_unknown_and_keeps_the_share_of_the_rest() -> None:
    works = [Work("w", 8, 8, "gpu"), Work("new", 3, 8, "gpu")]
    made = forecast(works, [Measured("w", "H200", 8, 30, 4.0, 5.0), Measured("new", "H200", 8, 7, 1, 1)], H200, PRICES)
    assert (made.p50, made.images, made.unknown_images, made.least_measured) == (None, 11, 3, 7)
    assert made.share == {"w": Take(0.625, Decimal("0.00625"))}


def test_device_classes_count_as_often_as_they_live_and_a_class_without_a_price_leaves_no_money() -> None:
    both = [Measured("w", name, 8, 30, seconds, seconds) for name, seconds in (("H200", 2.0), ("L4", 8.0))]
    assert of(8, *both, fleets={"gpu": {"H200": 1, "L4": 3}}).p50 == Take(6.5, Decimal("0.011"))
    assert of(8, *both, fleets={}).p50 == Take(5.0, Decimal("0.014"))  # none lives: those that measured
    unpriced = Measured("w", "cpu", 8, 30, 2.0, 2.0)
    assert of(8, unpriced, fleets={"gpu": {"cpu": 1}}).p50 == Take(2.0, None)


def test_who_waits_alone_has_the_whole_capacity() -> None:
    assert served([Waiting("bulk", 1, 100.0, mine=True)], TURNS, 2.0) == (50.0, 1.0)
    assert served([Waiting("bulk", 1, 0.0, mine=True), Waiting("bulk", 1, 9.0)], TURNS, 2.0) == (0.0, 1.0)


def test_turns_are_shared_by_weight_and_priority_until_a_lane_is_served() -> None:
    # A third of the capacity while the other waits: 60 of ours need 180 s, and the other still has work then.
    lanes = [Waiting("bulk", 1, 60.0, mine=True), Waiting("bulk", 2, 1_000.0)]
    assert served(lanes, TURNS, 1.0).seconds == pytest.approx(180.0)
    # Standard takes four turns of five until its 40 are made after 50 s; ours has 10 then, and the rest alone.
    lanes = [Waiting("bulk", 1, 60.0, mine=True), Waiting("standard", 5, 40.0)]
    assert served(lanes, TURNS, 1.0).seconds == pytest.approx(100.0)
    assert served(lanes, TURNS, 1.0, until=50.0) == (50.0, pytest.approx(1 / 6))
    assert served(lanes, TURNS, 1.0, until=0.0).done == 0.0

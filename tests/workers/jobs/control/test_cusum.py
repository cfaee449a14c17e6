"""CUSUM: the figures of FACTS by our own code, and its laws."""

from __future__ import annotations

from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.jobs.control.cusum import Cusum, threshold


def rows_until_trip(*, rows: int, bad_every: int = 1) -> int:
    sum_, most = Cusum(), threshold(rows)
    while not sum_.trips(most):
        sum_ = sum_.after(bad=sum_.rows % bad_every == 0)
    return sum_.rows


@pytest.mark.parametrize(("rows", "tripped"), [(4, 4), (100, 4), (1_000, 5), (10_000, 7), (50_000, 8), (100_000, 9)])
def test_where_every_row_is_bad_it_trips_within_a_few(rows: int, tripped: int) -> None:
    assert rows_until_trip(rows=rows) == tripped


def test_the_threshold_is_that_of_ten_thousand_rows_and_grows_with_the_logarithm() -> None:
    assert threshold(10_000) == pytest.approx(9.2)
    assert threshold(20_000) - threshold(10_000) == pytest.approx(log(2))
    assert threshold(1) == threshold(100)


@given(st.lists(st.booleans(), max_size=200))
def test_the_sum_never_falls_below_zero_and_counts_what_it_saw(seen: list[bool]) -> None:
    now = Cusum()
    for bad in seen:
        before, now = now, now.after(bad=bad)
        assert now.sum >= 0
        assert now.sum > before.sum if bad else now.sum <= before.sum
    assert (now.rows, now.bad) == (len(seen), sum(seen))

"""Binomial bounds, against the exact distribution in fractions."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import pytest

from workers.jobs.control.binomial import at_most, share_at_most, statement


def exactly(images: int, bad: int, share: float) -> Fraction:
    p = Fraction(share)
    return sum((comb(images, k) * p**k * (1 - p) ** (images - k) for k in range(bad + 1)), Fraction(0))


@pytest.mark.parametrize(("images", "bad"), [(1, 0), (50, 0), (50, 1), (50, 49), (125, 7), (1000, 0), (1000, 30)])
def test_the_bound_is_where_so_few_bad_ones_become_rarer_than_one_in_twenty(images: int, bad: int) -> None:
    bound = share_at_most(images, bad)
    assert float(exactly(images, bad, bound)) == pytest.approx(0.05, abs=1e-9)
    assert at_most(images, bad, bound) == pytest.approx(float(exactly(images, bad, bound)), abs=1e-12)


def test_the_default_pilot_proves_what_the_pages_say() -> None:
    assert statement(50, 1) == "At most 9.1 % of the images are bad, with 95 % confidence."
    assert statement(50, 0) == "At most 5.8 % of the images are bad, with 95 % confidence."


def test_nothing_seen_and_nothing_good_prove_nothing() -> None:
    assert share_at_most(0, 0) == share_at_most(7, 7) == 1.0
    with pytest.raises(ValueError, match="cannot be bad"):
        share_at_most(3, 4)

"""Price list: read from one setting, and nothing made up for a device that is not in it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from workers.cost.prices import Prices


def test_a_class_has_its_price_or_that_of_others_or_none() -> None:
    prices = Prices.parse("NVIDIA H200=3.60, cpu=0", "EUR")
    assert prices.cost("NVIDIA H200", 10) == Decimal("0.010000000")
    assert prices.cost("cpu", 10) == 0
    assert prices.cost("NVIDIA L4", 10) is None
    assert Prices.parse("NVIDIA H200=3.60,*=1.8", "EUR").cost("NVIDIA L4", 10) == Decimal("0.005000000")
    assert Prices.parse("", "").cost("cpu", 10) is None


@pytest.mark.parametrize(
    ("prices", "currency", "said"),
    [
        ("cpu", "EUR", "'cpu' is no price"),
        ("=3", "EUR", "'=3' is no price"),
        ("cpu=much", "EUR", "'much' is no number; write cpu=3.50"),
        ("cpu=NaN", "EUR", "NaN per hour of 'cpu' is not between 0 and 1,000,000"),
        ("cpu=-1", "EUR", "is not between"),
        ("cpu=1000001", "EUR", "is not between"),
        ("cpu=1,cpu=2", "EUR", "'cpu' is named twice"),
        ("cpu=1", "euro", "'euro' is no code of ISO 4217"),
        ("cpu=1", "", "must be set together"),
        ("", "EUR", "must be set together"),
    ],
)
def test_a_wrong_list_is_named(prices: str, currency: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Prices.parse(prices, currency)

"""Rows of the campaign: goods in four countries, a supplier whose pictures turn bad, a few rows that fail once."""

from __future__ import annotations

from typing import NamedTuple

GOODS = ("backpack", "car", "dress", "sofa", "umbrella", "guitar", "book", "cap", "balloon", "suitcase")
COLOURS = ("red", "yellow", "green", "blue", "purple", "pink")
COUNTRIES = ("DE", "FR", "IT", "PL")  # one after the other, the last with every twentieth row
CANCELLED, POISONED = "PL", "zeta"
WEAK = "weak"  # how the ids of rows begin that fail once
TEMPLATE = "a {colour} {product} for {country}"
_EVERY_CANCELLED, _EVERY_WEAK, _POISONED_SHARE = 20, 97, 0.03


class LifeRow(NamedTuple):
    """A row of the sheet."""

    id: str
    product: str
    colour: str
    country: str
    supplier: str


def rows_of(count: int) -> list[LifeRow]:
    """The poisoned rows stand together, behind the middle."""
    first, poisoned = count // 2, max(12, round(count * _POISONED_SHARE))
    return [_row(n, is_poisoned=first <= n < first + poisoned) for n in range(count)]


def csv_of(rows: list[LifeRow]) -> str:
    return "".join(",".join(row) + "\n" for row in (LifeRow._fields, *rows))


def changed(rows: list[LifeRow], count: int) -> list[LifeRow]:
    """The same rows without those that were taken back, the first `count` of another good."""
    kept = [row for row in rows if row.country != CANCELLED and row.supplier != POISONED]
    return [row._replace(product="teapot") if n < count else row for n, row in enumerate(kept)]


def _row(n: int, *, is_poisoned: bool) -> LifeRow:
    weak = not is_poisoned and n % _EVERY_WEAK == _EVERY_WEAK // 2
    country = CANCELLED if n % _EVERY_CANCELLED == _EVERY_CANCELLED - 1 and not weak else COUNTRIES[n % 3]
    name = POISONED if is_poisoned else WEAK if weak else "row"
    supplier = POISONED if is_poisoned else ("alpha", "beta")[n % 2]
    return LifeRow(f"{name}-{n:05}", GOODS[n % 10], COLOURS[n // 10 % 6], country, supplier)

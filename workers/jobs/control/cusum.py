"""CUSUM of a share: when too many of a campaign's rows are bad, seen from one row to the next. Pure.

The Bernoulli CUSUM of Reynolds and Stoumbos (Journal of Quality Technology 31, 1999): each row adds the logarithm of
how much likelier it is at the bad share than at the good one, and the sum never falls below zero. It reaches the
threshold the sooner, the more is bad, and keeps looking however long the campaign is. `python -m bench.breaker` shows
how soon.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log

GOOD_SHARE = 0.02  # of bad rows, that a healthy campaign may have
BAD_SHARE = 0.08  # that is to be found
THRESHOLD = 9.2  # of a campaign of THRESHOLD_ROWS: 1 healthy one in 46 is paused for nothing
THRESHOLD_ROWS = 10_000
FEWEST_ROWS = 100  # a shorter campaign is taken for so many: four bad rows in a row, and no three
_BAD = log(BAD_SHARE / GOOD_SHARE)
_FINE = log((1 - BAD_SHARE) / (1 - GOOD_SHARE))


@dataclass(frozen=True, slots=True)
class Cusum:
    """How one kind of trouble stands: the sum, and what was counted since it was last at its beginning."""

    sum: float = 0.0
    rows: int = 0
    bad: int = 0

    def after(self, *, bad: bool) -> Cusum:
        """With one row more."""
        return replace(self, sum=max(0.0, self.sum + (_BAD if bad else _FINE)), rows=self.rows + 1, bad=self.bad + bad)

    def trips(self, threshold: float) -> bool:
        return self.sum >= threshold


def threshold(rows: int) -> float:
    """For a campaign of so many rows: false alarms stay as rare in a long one as in a short one."""
    return THRESHOLD + log(max(rows, FEWEST_ROWS) / THRESHOLD_ROWS)

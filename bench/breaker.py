"""Breaker benchmark: how seldom it pauses a healthy campaign, and how soon one that goes wrong.

    python -m bench.breaker [--quick] [--seed N]

Simulates campaigns row by row with the sums and the thresholds that the planner uses (workers/jobs/control/cusum.py).
Beside it stands what people write first: a pause once 8 of the last 100 rows were bad, which is the share to be found.
Needs no services. Takes about half a minute; the same seed prints the same table.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from statistics import mean, quantiles

import numpy as np

from bench.result import Ratio, parser, report
from workers.jobs.control.cusum import BAD_SHARE, GOOD_SHARE, Cusum, threshold

ROWS = 10_000
FULL, QUICK = 1_000, 100  # simulated campaigns of each kind
SHARES = (BAD_SHARE, 0.2, 0.5, 1.0)
WINDOW = 100
Rule = Callable[[random.Random, float, int], int | None]  # the row at which it trips, within so many rows


def cusum(chance: random.Random, share: float, rows: int) -> int | None:
    found, most = Cusum(), threshold(ROWS)
    for row in range(1, rows + 1):
        found = found.after(bad=chance.random() < share)
        if found.trips(most):
            return row
    return None


def window(chance: random.Random, share: float, rows: int) -> int | None:
    last: deque[bool] = deque(maxlen=WINDOW)
    for row in range(1, rows + 1):
        last.append(chance.random() < share)
        if last[-1] and sum(last) >= BAD_SHARE * WINDOW:
            return row
    return None


def false_trips(rule: Rule, runs: int, seed: int) -> float:
    """The share of healthy campaigns that it pauses for nothing."""
    chance = random.Random(seed)
    return sum(rule(chance, GOOD_SHARE, ROWS) is not None for _ in range(runs)) / runs


def caught_after(rule: Rule, share: float, runs: int, seed: int) -> list[int]:
    """The rows that it takes, campaign by campaign, where this share is bad from the first on."""
    chance = random.Random(seed)
    return [row for _ in range(runs) if (row := rule(chance, share, 10 * ROWS)) is not None]


def exact_false_trips() -> float:
    """The same share without chance: the distribution of the sum, row by row, on a fine lattice."""
    cell = 0.0005
    up, down = (round(abs(Cusum(5.0).after(bad=bad).sum - 5.0) / cell) for bad in (True, False))
    below = np.zeros(int(np.ceil(threshold(ROWS) / cell)))
    below[0], tripped = 1.0, 0.0
    for _ in range(ROWS):
        after = np.zeros_like(below)
        after[: below.size - down] = below[down:] * (1 - GOOD_SHARE)
        after[0] += below[:down].sum() * (1 - GOOD_SHARE)
        after[up:] += below[: below.size - up] * GOOD_SHARE
        tripped += below[below.size - up :].sum() * GOOD_SHARE
        below = after
    return float(tripped)


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    runs = QUICK if asked.quick else FULL
    print(f"{runs:,} simulated campaigns of {ROWS:,} rows, threshold {threshold(ROWS):.1f}, seed {asked.seed}\n")
    print(f"{'':34} {'CUSUM':>18} {'8 of the last 100':>18}")
    alarms = {rule: false_trips(rule, runs, asked.seed) for rule in (cusum, window)}
    print(f"{'healthy (2 % bad) and paused':34} {alarms[cusum]:>18.1%} {alarms[window]:>18.1%}")
    computed = exact_false_trips()
    print(f"{'the same, computed':34} {computed:>18.1%}")
    print(f"{'all three sums at 2 % bad, computed':34} {1 - (1 - computed) ** 3:>17.1%}")
    rows: dict[tuple[Rule, float], list[int]] = {}
    for share in SHARES:
        cells = []
        for rule in (cusum, window):
            rows[rule, share] = taken = caught_after(rule, share, runs, asked.seed)
            p95 = quantiles(taken, n=20)[-1]
            cells.append(f"{mean(taken):.0f} (p95 {p95:.0f})")
        print(f"{f'rows until {share:.0%} bad are caught':34} {cells[0]:>18} {cells[1]:>18}")
    print("\nby length of the campaign")
    for length in (100, 1_000, 10_000, 50_000, 100_000):
        most, found = threshold(length), Cusum()
        while not found.trips(most):
            found = found.after(bad=True)
        print(f"{length:>9,} rows   threshold {most:5.2f}   all bad: caught after {found.rows}")
    never = 1 / runs  # what a run of this length can tell from none
    pauses = max(alarms[window], never) / max(alarms[cusum], never)
    rows_ratio = mean(rows[window, 1.0]) / mean(rows[cusum, 1.0])
    made = [
        Ratio("false pauses, 8 of the last 100 over CUSUM", pauses, 3.0),
        Ratio("rows until all are bad, 8 of the last 100 over CUSUM", rows_ratio),
    ]
    report(made, asked.json)


if __name__ == "__main__":
    main()

"""Batch sizes that fit in memory, learned as runs go through or run out, and learned again.

A moment of full memory may have been a neighbour's. So a limit is tried again at twice its size after some runs that
went through; each failed trial makes the next one wait twice as long.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

RUNS_BEFORE_A_TRIAL = 8
_LONGEST_WAIT = 1024  # runs


class _Limit(NamedTuple):
    images: int
    wait: int = RUNS_BEFORE_A_TRIAL
    fitted: int = 0  # runs of this many since the last trial


class BatchLimits:
    """Most images of one run, by what memory depends on. Forgotten when the process ends. One thread at a time."""

    def __init__(self) -> None:
        self._limits: dict[Hashable, _Limit] = {}

    def most(self, what: Hashable, wanted: int) -> int:
        limit = self._limits.get(what)
        return wanted if limit is None else min(wanted, limit.images)

    def ran_out(self, what: Hashable, images: int) -> None:
        """A run of so many did not fit: half of it is tried next."""
        limit = self._limits.get(what)
        wait = RUNS_BEFORE_A_TRIAL if limit is None else min(_LONGEST_WAIT, 2 * limit.wait)
        self._limits[what] = _Limit(max(1, images // 2), wait)

    def went_through(self, what: Hashable, images: int) -> None:
        limit = self._limits.get(what)
        if limit is None or images < limit.images:
            return
        is_trial = limit.fitted + 1 >= limit.wait
        self._limits[what] = (
            _Limit(2 * limit.images, limit.wait) if is_trial else limit._replace(fitted=limit.fitted + 1)
        )

"""Batch sizes that fit in memory, learned as runs go through or run out, and learned again.

A moment of full memory may have been a neighbour's. So a limit is tried again at twice its size after some runs that
went through; each failed trial makes the next one wait twice as long.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

RUNS_BEFORE_A_TRIAL = 8
_LONGEST_WAIT = 1024  # runs


@dataclass
class _Limit:
    images: int
    wait: int = RUNS_BEFORE_A_TRIAL
    fitted: int = 0  # runs of this many since the last trial


@dataclass
class FittingSizes:
    """Most images of one run, by what memory depends on. Forgotten when the process ends. One thread at a time."""

    _limits: dict[Hashable, _Limit] = field(default_factory=dict)

    def most(self, what: Hashable, wanted: int) -> int:
        limit = self._limits.get(what)
        return wanted if limit is None else min(wanted, limit.images)

    def ran_out(self, what: Hashable, images: int) -> None:
        """A run of so many did not fit: half of it is tried next."""
        half, limit = max(1, images // 2), self._limits.get(what)
        wait = RUNS_BEFORE_A_TRIAL if limit is None else min(_LONGEST_WAIT, 2 * limit.wait)
        self._limits[what] = _Limit(half, wait)

    def went_through(self, what: Hashable, images: int) -> None:
        limit = self._limits.get(what)
        if limit is None or images < limit.images:
            return
        limit.fitted += 1
        if limit.fitted >= limit.wait:
            limit.images, limit.fitted = 2 * limit.images, 0

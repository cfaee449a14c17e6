"""How many requests a minute a key may make of one API process: the rest is answered 429, before any work is done.

Counted in this process's memory: no broker is asked, so losing one changes nothing, and two processes allow twice
as much. A restart forgets; the worst it gives away is one minute.
"""

from __future__ import annotations

import math
import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from api.problems import Problem


class RateLimit:
    """Thread-safe."""

    def __init__(self, requests_per_minute: int) -> None:
        self._limit = RateLimitItemPerMinute(requests_per_minute)
        self._counted = SlidingWindowCounterRateLimiter(MemoryStorage())

    def count(self, key_id: str) -> None:
        """Count one request of this key. Raises Problem, saying when to come back."""
        if self._counted.hit(self._limit, key_id):
            return
        window = self._counted.get_window_stats(self._limit, key_id)
        seconds = max(1, math.ceil(window.reset_time - time.time()))
        raise Problem(
            "rate_limited",
            f"This key made {self._limit.amount:,} requests within a minute. Come back in {seconds} s, or send many"
            " images in one campaign.",
            headers={"Retry-After": str(seconds)},
        )

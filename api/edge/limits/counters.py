"""Request counters, shared by all API processes through Redis; each process counts alone while Redis is away.

Redis is the broker's own. It holds numbers that expire within two minutes, so losing them gives away one minute. A
call to it ends within half a second; the first that fails is logged and counted once, everything is counted in this
process's memory from then on, and one caller every few seconds tries Redis again. A paused, full, restarting or absent
Redis therefore costs a few callers half a second and nobody an answer.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog
from limits import RateLimitItem
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from redis import RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from workers.metrics import RATE_LIMITS_LOCAL

log = structlog.get_logger()
T = TypeVar("T")

_ANSWER_SECONDS = 0.25  # to connect, and again to answer
_TRY_AGAIN_SECONDS = 5.0  # while Redis is away
_PREFIX = "presswork:rate"


@dataclass(frozen=True, slots=True)
class Window:
    """What is left of a limit, and in how many seconds there is more."""

    remaining: int
    seconds: int  # at least 1


class Counter:
    """Sliding windows in one place: hit and look. Thread-safe."""

    def __init__(self, storage: MemoryStorage | RedisStorage) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(storage)

    def hit(self, limit: RateLimitItem, name: str) -> bool:
        """Count one; False, and nothing counted, where the limit is used up."""
        return self._limiter.hit(limit, name)

    def window(self, limit: RateLimitItem, name: str) -> Window:
        now = time.time()
        reset, remaining = self._limiter.get_window_stats(limit, name)
        return Window(remaining, max(1, math.ceil(reset - now)))


class SharedCounter:
    """The counter of all processes while Redis answers, of this process while it does not. Thread-safe."""

    def __init__(self, redis_url: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._shared = Counter(
            RedisStorage(
                redis_url,
                key_prefix=_PREFIX,
                socket_connect_timeout=_ANSWER_SECONDS,
                socket_timeout=_ANSWER_SECONDS,
                retry=Retry(NoBackoff(), 0),  # type: ignore[arg-type]  # passed on to redis.Redis
            )
        )
        self._local = Counter(MemoryStorage())
        self._clock, self._lock = clock, threading.Lock()
        self._away, self._next_try = False, 0.0

    def ask(self, question: Callable[[Counter], T]) -> T:
        """The question's answer from the shared counter, or from this process's own."""
        if self._may_try():
            try:
                answer = question(self._shared)
            except RedisError as error:
                self._lost(error)
            else:
                self._found()
                return answer
        return question(self._local)

    def _may_try(self) -> bool:
        with self._lock:
            if self._away:
                if self._clock() < self._next_try:
                    return False
                self._next_try = self._clock() + _TRY_AGAIN_SECONDS  # this caller tries, the others do not wait
            return True

    def _lost(self, error: RedisError) -> None:
        with self._lock:
            first, self._away = not self._away, True
            self._next_try = self._clock() + _TRY_AGAIN_SECONDS
        if first:
            RATE_LIMITS_LOCAL.set(1)
            log.warning("rate_limits_local", error=type(error).__name__)

    def _found(self) -> None:
        if not self._away:
            return
        with self._lock:
            back, self._away = self._away, False
        if back:
            RATE_LIMITS_LOCAL.set(0)
            log.info("rate_limits_shared")

"""How many requests a minute a key or a stranger may make of one API process: the rest is answered 429 at once.

Counted in this process's memory: no broker is asked, so losing one changes nothing, and two processes allow twice
as much. A restart forgets; the worst it gives away is one minute.
"""

from __future__ import annotations

import math
import time
from ipaddress import IPv6Address, IPv6Network, ip_address

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from api.edge.problems import Problem

# Addresses' worth of questions: what all strangers may ask of the public detector together.
_EVERYBODY = 10
_LOOKS = 10  # looks at answers for one question


class RateLimit:
    """Thread-safe."""

    def __init__(self, requests_per_minute: int, *, who: str = "This key") -> None:
        self._who = who
        self._limit = RateLimitItemPerMinute(requests_per_minute)
        self._counted = SlidingWindowCounterRateLimiter(MemoryStorage())

    def count(self, caller: str) -> None:
        """Count one request of this key or address. Raises Problem, saying when to come back."""
        if self._counted.hit(self._limit, caller):
            return
        window = self._counted.get_window_stats(self._limit, caller)
        seconds = max(1, math.ceil(window.reset_time - time.time()))
        raise Problem(
            "rate_limited",
            f"{self._who} made {self._limit.amount:,} requests within a minute. Come back in {seconds} s.",
            headers={"Retry-After": str(seconds)},
        )


class Strangers:
    """Whoever asks without a key: their tenant ("": nobody may) and what they asked of late. Thread-safe."""

    def __init__(self, tenant: str, per_minute: int) -> None:
        self.tenant = tenant
        self._all = RateLimit(per_minute * _EVERYBODY, who="The public detector")
        self._one = RateLimit(per_minute, who="This address")
        self._looks = RateLimit(per_minute * _LOOKS, who="This address")

    def asks(self, address: str) -> None:
        """Count a question. Raises Problem, saying when to come back."""
        self._one.count(address)
        self._all.count("everybody")

    def looks(self, address: str) -> None:
        """Count a look at an answer, likewise."""
        self._looks.count(address)


def address_of(host: str) -> str:
    """What counts as one stranger: a host, or for IPv6 the network that one subscriber has (64 bits)."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(IPv6Network((address, 64), strict=False))
    return str(getattr(address, "ipv4_mapped", None) or address)

"""Rate limits: requests a minute of an API key or an anonymous caller, and the RateLimit fields of every answer.

The fields are those of draft-ietf-httpapi-ratelimit-headers-11: `RateLimit-Policy` names the limit (q requests in w
seconds), `RateLimit` what is left of it (r) and in how many seconds there is more (t). A refused request is answered
429 with the same number of seconds in `Retry-After`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request
from limits import RateLimitItemPerMinute
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.edge.limits.counters import Counter, SharedCounter
from api.edge.problems import Problem

_WINDOW_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Quota:
    """What one caller has left of a limit. `refused` says why this request is too many; "" where it is not."""

    policy: str  # the limit's name in the RateLimit fields
    limit: int
    remaining: int
    seconds: int
    refused: str = ""


class KeyLimit:
    """So many requests a minute for each caller. Thread-safe."""

    def __init__(self, counter: SharedCounter, policy: str, per_minute: int, *, caller: str = "This key") -> None:
        self._counter, self._policy, self._caller = counter, policy, caller
        self._limit = RateLimitItemPerMinute(per_minute, namespace=policy)

    def count(self, caller: str) -> Quota:
        """Count one request of this key or address."""
        return self._counter.ask(lambda counter: self._count(counter, caller))

    def _count(self, counter: Counter, caller: str) -> Quota:
        accepted, window = counter.hit(self._limit, caller), counter.window(self._limit, caller)
        most = self._limit.amount
        if accepted:
            return Quota(self._policy, most, window.remaining, window.seconds)
        refused = f"{self._caller} sent {most:,} requests within a minute."
        return Quota(self._policy, most, 0, window.seconds, refused)


class FairLimit:
    """One total for all anonymous callers, of which each may use at most as much as is left. Thread-safe.

    This is the dynamic threshold of Choudhury and Hahne ("Dynamic queue length thresholds for shared-memory packet
    switches", 1998): with n busy addresses each has total / (n + 1), and the same amount stays free for an address
    that comes new. A few addresses can therefore slow each other down, and close the detector for nobody else.
    The network around an IPv6 address is held to the same rule, as one subscriber may own thousands of /64 networks.
    """

    def __init__(self, counter: SharedCounter, policy: str, per_address: int, total: int) -> None:
        self._counter, self._policy = counter, policy
        self._address = RateLimitItemPerMinute(per_address, namespace=f"{policy}-address")
        self._wider = RateLimitItemPerMinute(total, namespace=f"{policy}-network")
        self._total = RateLimitItemPerMinute(total, namespace=f"{policy}-total")

    def count(self, networks: Sequence[str]) -> Quota:
        """Count one request of a caller who is in all these networks, the narrowest first."""
        return self._counter.ask(lambda counter: self._count(counter, networks))

    def _count(self, counter: Counter, networks: Sequence[str]) -> Quota:
        most = self._address.amount
        everybody = counter.window(self._total, "")
        limits = [self._address, *[self._wider] * (len(networks) - 1)]
        for limit, network in zip(limits, networks, strict=True):
            own = counter.window(limit, network)
            used = limit.amount - own.remaining
            if own.remaining and used < everybody.remaining:
                continue
            if limit is self._address and not own.remaining:
                refused = f"This address sent {most:,} requests within a minute."
            else:
                refused = "Many addresses ask at the moment, and this one has had its share."
            return Quota(self._policy, most, 0, own.seconds if used else everybody.seconds, refused)
        counted = [(limit, network) for limit, network in zip(limits, networks, strict=True)]
        for limit, network in (*counted, (self._total, "")):
            if not counter.hit(limit, network):  # others were quicker since we looked
                return Quota(self._policy, most, 0, everybody.seconds, "Many addresses ask at the moment.")
        own = counter.window(self._address, networks[0])
        free = everybody.remaining - 1 - (most - own.remaining)
        return Quota(self._policy, most, max(0, min(own.remaining, free)), own.seconds)


def admit(request: Request, quota: Quota) -> None:
    """Put the quota into the answer's fields. Raises Problem where this request is one too many."""
    request.state.quota = quota
    if quota.refused:
        raise Problem(
            "rate_limited",
            f"{quota.refused} Try again in {quota.seconds} s.",
            headers={"Retry-After": str(quota.seconds)},
        )


class RateLimitFields:
    """Middleware: `RateLimit` and `RateLimit-Policy` on every answer to a caller whose requests are counted."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_fields(message: Message) -> None:
            quota: Quota | None = scope.get("state", {}).get("quota")
            if message["type"] == "http.response.start" and quota is not None:
                headers = MutableHeaders(scope=message)
                headers["RateLimit-Policy"] = f'"{quota.policy}";q={quota.limit};w={_WINDOW_SECONDS}'
                headers["RateLimit"] = f'"{quota.policy}";r={quota.remaining};t={quota.seconds}'
            await send(message)

        await self._app(scope, receive, with_fields)

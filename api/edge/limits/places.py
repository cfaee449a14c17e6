"""Places for what takes long: so many at once for one tenant, and so many in one process.

Replies that wait and bodies that arrive hold a connection for seconds or minutes. With a bound for each tenant, one
tenant's callers take only their own places; with a bound for all, some connections stay for everything else.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from api.edge.problems import Problem


class Places:
    """Thread-safe. `code` is the problem of a caller who finds none, `noun` what takes a place, `gauge` counts them.

    `caller` says who the bound is for, where it is for no tenant.
    """

    def __init__(
        self,
        *,
        total: int,
        per_tenant: int,
        code: str,
        noun: str,
        gauge: Callable[[float], None],
        caller: str = "A tenant",
    ) -> None:
        self._total, self._per_tenant, self._caller = total, per_tenant, caller
        self._code, self._noun, self._gauge = code, noun, gauge
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()

    @contextmanager
    def take(self, tenant: str) -> Iterator[None]:
        """A place to the end of the block. Raises Problem where there is none."""
        with self._lock:
            if self._taken[tenant] >= self._per_tenant or self._taken.total() >= self._total:
                raise self._full()
            self._taken[tenant] += 1
        self._gauge(1)
        try:
            yield
        finally:
            self._gauge(-1)
            with self._lock:
                self._taken[tenant] -= 1
                if not self._taken[tenant]:
                    del self._taken[tenant]  # or every tenant of a process's life would stay

    def taken(self, tenant: str) -> int:
        with self._lock:
            return self._taken[tenant]

    def _full(self) -> Problem:
        detail = (
            f"{self._caller} may have {self._per_tenant} {self._noun} at once, and an API process {self._total}. "
            "Send fewer at once, or try again in a moment."
        )
        return Problem(self._code, detail, headers={"Retry-After": "1"})

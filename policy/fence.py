"""Somebody else's code in custody: whatever goes wrong with it comes out as one exception with a short reason."""

from __future__ import annotations

import threading
from collections.abc import Callable

from policy.errors import PolicyUnavailable


class Fence:
    """Runs somebody else's code within a time limit, one name at a time.

    Hung code cannot be killed inside a process, so its thread is left behind (a daemon, it does not keep the process
    alive) and no further work is given to it until that thread comes back: one lost thread for each batch that was
    running then, not one more for every batch after.
    """

    def __init__(self, name: str, *, seconds: float) -> None:
        self._name = name
        self._seconds = seconds
        self._hung: list[threading.Thread] = []
        self._lock = threading.Lock()

    def run(self, work: Callable[[], object]) -> object:
        """What the work returned. Raises PolicyUnavailable where it raised, hung, or hangs from before."""
        if self._still_hung():
            raise PolicyUnavailable("has not come back from an earlier call")
        answer = _Call(work)
        thread = threading.Thread(target=answer.run, name=f"screen-{self._name}", daemon=True)
        thread.start()
        thread.join(self._seconds)
        if thread.is_alive():
            with self._lock:
                self._hung.append(thread)
            raise PolicyUnavailable(f"took longer than {self._seconds:g} s")
        if answer.failed is not None:
            raise PolicyUnavailable(f"raised {type(answer.failed).__name__}") from answer.failed
        return answer.returned

    def _still_hung(self) -> bool:
        with self._lock:
            self._hung = [thread for thread in self._hung if thread.is_alive()]
            return bool(self._hung)


class _Call:
    """One run on its own thread, and what came of it."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self.returned: object = None
        self.failed: BaseException | None = None

    def run(self) -> None:
        try:
            self.returned = self._work()
        except BaseException as failed:  # noqa: BLE001  fail closed: whatever it was, the caller holds what it asked about
            self.failed = failed

"""Fence around third-party code: a time limit, and one exception with a short reason for every failure."""

from __future__ import annotations

import threading
from collections.abc import Callable

from policy.errors import PolicyUnavailable


class Fence:
    """Runs third-party code within a time limit, under one name.

    Hung code cannot be killed inside a process. Its thread is left behind as a daemon, which does not keep the process
    alive, and the code gets no further work until that thread returns. So at most one thread is lost for each batch
    that ran at that moment, and none for later batches.
    """

    def __init__(self, name: str, *, seconds: float) -> None:
        self._name = name
        self._seconds = seconds
        self._hung: list[threading.Thread] = []
        self._lock = threading.Lock()

    def run(self, work: Callable[[], object]) -> object:
        """The return value of `work`.

        Raises PolicyUnavailable where it raised, hung, or still hangs from an earlier call.
        """
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
    """One run on its own thread, and its result."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self.returned: object = None
        self.failed: BaseException | None = None

    def run(self) -> None:
        try:
            self.returned = self._work()
        except BaseException as failed:  # noqa: BLE001  fail closed: whatever it was, the caller holds what it asked about
            self.failed = failed

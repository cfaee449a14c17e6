"""Standing of a gpu worker: whether it takes batches now, since when not, and why.

    ready     it takes batches
    paused    it is unwell, or a shared service is away: it takes nothing until the pause is over and the store accepts
              a write; each pause in a row is twice as long
    out       its device was taken out of use; only a person ends that (`presswork workers readmit`)

The thread of the heartbeat (workers/gpu/presence.py) ends a pause; the threads that run batches begin one. What is
decided here lives and dies with the process: a new one begins ready, and meets the same obstacle if it is still there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from workers import metrics
from workers.jobs.fleet.faults import Fault

log = structlog.get_logger()
FIRST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 300.0  # of a worker that is unwell: it draws a picture in vain twelve times an hour at most
LONGEST_SERVICE_PAUSE_SECONDS = 30.0  # of a shared service: work goes on soon after it is back
STREAK = 3  # unexpected errors in a row, over as many batches, and the worker suspects itself
DEVICE_OUT = "device_out"
UNEXPECTED_ERRORS = "unexpected_errors"


@dataclass(slots=True)
class Standing:
    """Of one process. Thread-safe."""

    clock: Callable[[], float] = time.monotonic
    reason: str | None = None  # why it takes nothing; None: it is ready
    fault: Fault | None = None
    device_failed: bool = False  # in an earlier process, since it last made a batch
    _until: float = 0.0
    _pauses: int = 0  # in a row, without a settlement between them
    _errors: set[str] = field(default_factory=set)  # batches with an unexpected error since the last settlement
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_ready(self) -> bool:
        return self.reason is None

    @property
    def pause_is_over(self) -> bool:
        return self.reason not in (None, DEVICE_OUT) and self.clock() >= self._until

    def pause(self, fault: Fault, reason: str, **why: str) -> None:
        """Take nothing for a while. A pause under way becomes the next, longer one only once it was over."""
        with self._lock:
            if self.reason == DEVICE_OUT or (self.reason is not None and self.clock() < self._until):
                return
            longest = LONGEST_SERVICE_PAUSE_SECONDS if fault is Fault.SERVICE else LONGEST_PAUSE_SECONDS
            seconds = min(FIRST_PAUSE_SECONDS * 2**self._pauses, longest)
            self._until, self._pauses = self.clock() + seconds, min(self._pauses + 1, 16)
            self._become(fault, reason)
        log.warning("worker_paused", reason=reason, fault=fault, pause_seconds=seconds, **why)

    def resume(self) -> None:
        """The pause is over and what was refused is accepted again. The next pause is still longer, until `worked`."""
        with self._lock:
            if self.reason in (None, DEVICE_OUT):
                return
            was = self.reason
            self._become(None, None)
        log.info("worker_resumed", reason=was)

    def take_out(self) -> None:
        """The device is out of use."""
        with self._lock:
            self._become(Fault.DEVICE, DEVICE_OUT)
        log.error("device_out")

    def readmit(self) -> None:
        """A person put the device back into use."""
        with self._lock:
            if self.reason != DEVICE_OUT:
                return
            self._pauses = 0
            self._become(None, None)
        log.info("worker_resumed", reason=DEVICE_OUT)

    def worked(self) -> None:
        """A batch was settled: what went wrong before is over."""
        with self._lock:
            self._pauses = 0
            self._errors.clear()

    def met_unexpected(self, batch_id: str) -> bool:
        """Whether so many batches in a row ended with an unexpected error that the worker itself is suspect."""
        with self._lock:
            self._errors.add(batch_id)
            return len(self._errors) >= STREAK

    def _become(self, fault: Fault | None, reason: str | None) -> None:
        self.fault, self.reason = fault, reason
        for kind in (Fault.WORKER, Fault.DEVICE, Fault.SERVICE):
            metrics.WORKER_PAUSED.labels(kind).set(kind is fault)
        metrics.report("worker", reason)

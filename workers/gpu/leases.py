"""Lease: renewed while its batch is worked on; raises LeaseLost once another attempt may have the batch.

One thread a claim renews it every third of the lease. Killed with the process: renewal stops, the
lease runs out, the reconciler sends the batch again. A process that hangs (the device, a driver) keeps
renewing, so a claim older than `max_batch_seconds` ends the whole process: its supervisor starts a new
one, and the claim counts as used.
"""

from __future__ import annotations

import os
import threading
import time
from datetime import timedelta
from types import TracebackType

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from workers.crash import Probe
from workers.errors import Draining, LeaseLost
from workers.jobs.claim import renew
from workers.jobs.types import Claim

log = structlog.get_logger()
HUNG_EXIT_STATUS = 70  # EX_SOFTWARE: the supervisor starts a fresh process


class Lease:
    """`with Lease(...) as lease:` keeps the claim; the sampler asks `check` between denoising steps."""

    def __init__(
        self, engine: Engine, held: Claim, *, seconds: float, longest_seconds: float, draining: threading.Event
    ) -> None:
        self.cancelled: frozenset[str] = frozenset()
        self.held = held
        self._engine, self._draining = engine, draining
        self._seconds, self._longest_seconds = seconds, longest_seconds
        self._lost = threading.Event()
        self._done = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name=f"lease-{held.batch_id}", daemon=True)

    def __enter__(self) -> Lease:
        self._keeper.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._done.set()
        self._keeper.join()

    def check(self) -> None:
        """Raises LeaseLost, or Draining when the worker is shutting down: stop sampling and say so."""
        self.check_held()
        if self._draining.is_set():
            raise Draining(self.held.batch_id)

    def check_held(self) -> None:
        """Raises LeaseLost. For the part after sampling, which a shutdown lets finish."""
        if self._lost.is_set():
            raise LeaseLost(self.held.batch_id)

    def _keep(self) -> None:
        started = time.monotonic()
        while not self._done.wait(self._seconds / 3):
            if time.monotonic() - started > self._longest_seconds:
                log.error("batch_hung", batch_id=self.held.batch_id, attempt=self.held.attempt)
                os._exit(HUNG_EXIT_STATUS)
            try:
                with self._engine.begin() as conn:
                    self.cancelled = renew(conn, self.held, timedelta(seconds=self._seconds))
            except LeaseLost:
                self._lost.set()
                return
            except SQLAlchemyError as error:  # the next turn tries again; the fence decides if it took too long
                log.warning("lease_not_renewed", batch_id=self.held.batch_id, error=type(error).__name__)


class LeaseWatch:
    """The lease as the sampler sees it, with the crash point that lies between two denoising steps."""

    def __init__(self, lease: Lease, probe: Probe, held: Claim) -> None:
        self._lease, self._probe, self._held = lease, probe, held

    def check(self) -> None:
        """Raises LeaseLost or Draining."""
        self._probe("sampling", self._held)
        self._lease.check()

    @property
    def cancelled(self) -> frozenset[str]:
        return self._lease.cancelled

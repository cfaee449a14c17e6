"""Executor: one batch, from its message to its settlement.

killed before the claim      nothing happened; the message, or the reconciler, brings it again
killed while claimed         the lease runs out; the same members are made again by another attempt
killed after uploads         as above; this attempt's objects are referred to by nothing
killed after the settlement  all is done; the repeated message finds the batch finished
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from sqlalchemy import Engine

from workers import metrics
from workers.crash import Probe, no_probe
from workers.database import transact
from workers.gpu.finish import Finisher
from workers.gpu.leases import Lease, LeaseWatch
from workers.gpu.unsettled import UnsettledClaims
from workers.jobs.claim import claim
from workers.jobs.settle import settle
from workers.jobs.types import Claim, Outcome
from workers.sampling.types import Sampled, Sampler
from workers.settings import Settings

log = structlog.get_logger()
_SETTLE_PATIENCE = 120.0  # seconds a finished batch waits for a database that restarts; the lease is renewed meanwhile


@dataclass
class Executor:
    """Runs batches. Call `run` from as many threads as batches should overlap."""

    settings: Settings
    engine: Engine
    sampler: Sampler
    finisher: Finisher
    worker: str  # name of this process, in events and logs
    draining: threading.Event = field(default_factory=threading.Event)  # set on shutdown: give batches back
    gpu: threading.Lock = field(default_factory=threading.Lock)  # held while sampling, never while finishing
    probe: Probe = no_probe

    def run(self, batch_id: str) -> None:
        """claim -> sample -> finish -> settle. Safe to call any number of times for one batch."""
        held = self._claim(batch_id)
        if held is None:  # another worker has it, it is over, or this worker takes nothing now
            return
        with self._keep(held) as lease:
            sampled = self._sample(held, lease)
            outcomes = self._finish(held, sampled, lease)
            self._settle(held, outcomes)

    def _claim(self, batch_id: str) -> Claim | None:
        """What is not claimed, the reconciler sends again."""
        if self.draining.is_set() or not self.finisher.store.healthy():
            metrics.CLAIMS.labels("put_off").inc()
            log.warning("batch_put_off", batch_id=batch_id, draining=self.draining.is_set())
            return None
        self.probe("received", None)
        lease = timedelta(seconds=self.settings.lease_seconds)
        held = transact(self.engine, lambda conn: claim(conn, batch_id, lease, self.worker))
        metrics.CLAIMS.labels("claimed" if held else "nothing_to_do").inc()
        if held is not None:
            self.probe("claimed", held)
        return held

    @contextmanager
    def _keep(self, held: Claim) -> Iterator[Lease]:
        """The lease, renewed until the work inside is over, and until Postgres says how it ended."""
        with (
            structlog.contextvars.bound_contextvars(batch_id=held.batch_id, attempt=held.attempt),
            Lease(
                self.engine,
                held,
                seconds=self.settings.lease_seconds,
                longest_seconds=self.settings.max_batch_seconds,
                draining=self.draining,
            ) as lease,
            self._unsettled.recorded(held),
        ):
            yield lease

    def _sample(self, held: Claim, lease: Lease) -> Sampled:
        sampled = self._draw(held, lease)
        self.probe("sampled", held)
        return sampled

    def _draw(self, held: Claim, lease: Lease) -> Sampled:
        """One run on the device, for the batch or for those of its items that are generated again."""
        asked = time.monotonic()
        with self.gpu:
            metrics.GPU_WAIT_SECONDS.observe(time.monotonic() - asked)
            lease.check()
            with metrics.SAMPLING_SECONDS.time():
                sampled = self.sampler.sample(held, LeaseWatch(lease, self.probe))
        metrics.SAMPLED_IMAGES.inc(len(held.items) - len(sampled.faults))
        return sampled

    def _finish(self, held: Claim, sampled: Sampled, lease: Lease) -> list[Outcome]:
        outcomes = self.finisher.finish(held, sampled, lease, lambda some: self._draw(some, lease))
        self.probe("finished", held)
        return outcomes

    def _settle(self, held: Claim, outcomes: list[Outcome]) -> None:
        late = transact(self.engine, lambda conn: settle(conn, held, outcomes), patience_seconds=_SETTLE_PATIENCE)
        for outcome in outcomes:
            if outcome.item.id not in late:
                metrics.OUTCOMES.labels(type(outcome).__name__.lower()).inc()
        log.info("batch_settled", items=len(outcomes) - len(late), late=len(late))
        self._unsettled.discard(held, [item.id for item in held.items], before=held.attempt)
        self._unsettled.discard(held, late)
        self.probe("settled", held)

    @property
    def _unsettled(self) -> UnsettledClaims:
        return UnsettledClaims(self.engine, self.finisher, self.draining, self.settings.return_seconds)

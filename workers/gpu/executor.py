"""One batch, start to end.

killed before the claim      nothing happened; the message, or the reconciler, brings it again
killed while claimed         the lease runs out; the same members are made again by another attempt
killed after uploads         as above; this attempt's objects are referred to by nothing
killed after the settlement  all is done; the repeated message finds the batch finished
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

import structlog
from sqlalchemy import Connection, Engine

from policy.errors import SigningUnavailable
from workers import metrics
from workers.crash import Probe, no_probe
from workers.database import transact
from workers.errors import LeaseLost, Permanent, StoreUnavailable, Transient
from workers.gpu.finish import Finisher
from workers.gpu.leases import Lease
from workers.jobs.claim import claim, give_back
from workers.jobs.expire import fail_claim
from workers.jobs.settle import settle
from workers.jobs.types import Claim, Failed, Outcome
from workers.sampling.types import Sampled, Sampler
from workers.settings import Settings

log = structlog.get_logger()
T = TypeVar("T")
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
        if self.draining.is_set() or not self.finisher.store.healthy():
            metrics.CLAIMS.labels("put_off").inc()
            log.warning("batch_put_off", batch_id=batch_id)  # not claimed: the reconciler sends it again
            return
        self.probe("received", None)
        held = self._transact(lambda conn: claim(conn, batch_id, self._lease, self.worker))
        if held is None:
            metrics.CLAIMS.labels("nothing_to_do").inc()
            return
        metrics.CLAIMS.labels("claimed").inc()
        self.probe("claimed", held)
        with (
            structlog.contextvars.bound_contextvars(batch_id=batch_id, attempt=held.attempt),
            Lease(
                self.engine,
                held,
                seconds=self.settings.lease_seconds,
                longest_seconds=self.settings.max_batch_seconds,
                draining=self.draining,
            ) as lease,
        ):
            self._answer_for(held, lease)

    def _work(self, held: Claim, lease: Lease) -> None:
        sampled = self._sample(held, lease)
        self.probe("sampled", held)
        outcomes = self.finisher.finish(held, sampled, lease, lambda some: self._sample(some, lease))
        self.probe("finished", held)
        self._settle(held, outcomes)
        self.probe("settled", held)

    def _sample(self, held: Claim, lease: Lease) -> Sampled:
        asked = time.monotonic()
        with self.gpu:
            metrics.GPU_WAIT_SECONDS.observe(time.monotonic() - asked)
            lease.check()
            with metrics.SAMPLING_SECONDS.time():
                sampled = self.sampler.sample(held, _Watch(lease, held, self.probe))
        metrics.SAMPLED_IMAGES.inc(len(held.items) - len(sampled.faults))
        return sampled

    def _settle(self, held: Claim, outcomes: list[Outcome]) -> None:
        late = self._transact(lambda conn: settle(conn, held, outcomes), patience_seconds=_SETTLE_PATIENCE)
        for outcome in outcomes:
            if outcome.item.id not in late:
                metrics.OUTCOMES.labels(type(outcome).__name__.lower()).inc()
        log.info("batch_settled", items=len(outcomes) - len(late), late=len(late))
        self._discard(held, [item.id for item in held.items], before=held.attempt)
        self._discard(held, late)

    def _answer_for(self, held: Claim, lease: Lease) -> None:
        """Do the work; whatever goes wrong, say in Postgres what becomes of the claim."""
        try:
            self._work(held, lease)
        except LeaseLost:
            self._count_return("lease_lost")
            self._discard(held, [item.id for item in held.items])
        except (Transient, SigningUnavailable) as error:
            reason = _code(error)
            self._count_return(reason, error=str(error))
            delay = timedelta(seconds=0 if self.draining.is_set() else self.settings.return_seconds)
            self._quietly(lambda conn: give_back(conn, held, reason, delay))
        except Permanent as error:
            self._count_return(_code(error), error=str(error))
            failed: list[Outcome] = [Failed(item, _code(error)) for item in held.items]
            self._quietly(lambda conn: settle(conn, held, failed))
        except Exception as error:  # noqa: BLE001 - the outermost frame: an error nobody placed ends the claim
            self._count_return("unexpected", error=type(error).__name__, traceback=traceback.format_exc())
            reason = f"error:{type(error).__name__}"
            self._quietly(lambda conn: fail_claim(conn, held, reason, timedelta(0)))

    def _discard(self, held: Claim, item_ids: Collection[str], *, before: int | None = None) -> None:
        """Objects that nothing refers to may stay: they cost room, and no link is ever given to them."""
        try:
            self.finisher.discard(held, item_ids, before=before)
        except StoreUnavailable as error:
            log.warning("leftovers_kept", error=str(error))

    def _count_return(self, reason: str, **why: str) -> None:
        metrics.BATCHES_RETURNED.labels(reason).inc()
        log.warning("batch_not_settled", reason=reason, **why)

    def _quietly(self, work: Callable[[Connection], object]) -> None:
        """A claim that another attempt has taken over needs no answer from us."""
        try:
            self._transact(work)
        except LeaseLost:
            log.info("lease_lost_already")

    @property
    def _lease(self) -> timedelta:
        return timedelta(seconds=self.settings.lease_seconds)

    def _transact(self, work: Callable[[Connection], T], patience_seconds: float = 10.0) -> T:
        return transact(self.engine, work, patience_seconds=patience_seconds)


class _Watch:
    """The lease as the sampler sees it, with the crash point that lies between two denoising steps."""

    def __init__(self, lease: Lease, held: Claim, probe: Probe) -> None:
        self._lease, self._held, self._probe = lease, held, probe

    def check(self) -> None:
        self._probe("sampling", self._held)
        self._lease.check()

    @property
    def cancelled(self) -> frozenset[str]:
        return self._lease.cancelled


def _code(error: Exception) -> str:
    """ "store_unavailable" from StoreUnavailable: the stable code of an error class."""
    name = type(error).__name__
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")

"""Executor: one batch, from its message to its settlement.

killed before the claim      nothing happened; the message, or the reconciler, brings it again
killed while claimed         the lease runs out; what is not settled yet is made again by another attempt
killed after uploads         as above; this attempt's objects are referred to by nothing
killed after the settlement  all is done; the repeated message finds the batch finished
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from workers import metrics
from workers.cost.used import Used
from workers.crash import Probe, no_probe
from workers.database import transact
from workers.errors import LeaseLost, LedgerRefused, OutOfMemory, StoreUnavailable
from workers.gpu.backgrounds import (
    ProductFinder,
    as_asked,
    cut_outs,
    drawn_of,
    grounds_of,
    on_new_grounds,
    surroundings,
)
from workers.gpu.drawings import from_drawings
from workers.gpu.finish import Finisher
from workers.gpu.leases import Lease, LeaseWatch
from workers.gpu.progress import PartialSettlement
from workers.gpu.refused import take_refused
from workers.gpu.sources import SourceReader, Sources, among, as_given, undrawn
from workers.gpu.standing import Standing
from workers.gpu.unsettled import UnsettledClaims
from workers.jobs.claim import claim, pass_over
from workers.jobs.fleet import members as fleet
from workers.jobs.fleet.faults import fault_of, reason_of, run_size
from workers.jobs.outcomes import demand_sealable
from workers.jobs.types import Claim
from workers.recipes import MARK
from workers.sampling.families.family import REMOVE_BACKGROUND, REPLACE_BACKGROUND
from workers.sampling.types import OUT_OF_MEMORY, Sampled, Sampler
from workers.settings import Settings
from workers.states import FINISHING
from workers.tracing.spans import traced

log = structlog.get_logger()
_PASSED_OVER = timedelta(seconds=1)  # until a batch that this worker did not take is sent to another


@dataclass
class Executor:
    """Runs batches. Call `run` from as many threads as batches should overlap."""

    settings: Settings
    engine: Engine
    sampler: Sampler
    finisher: Finisher
    worker: str  # name of this process, in events and logs
    device: str = "cpu"  # stable across processes: its errors are remembered
    device_class: str = ""  # the name that the device gives itself: its price and its measurements
    draining: threading.Event = field(default_factory=threading.Event)  # set on shutdown: give batches back
    gpu: threading.Lock = field(default_factory=threading.Lock)  # held while sampling, never while finishing
    standing: Standing = field(default_factory=Standing)
    replace_process: Callable[[], object] = lambda: None
    settle_every_seconds: float = 2.0  # between two settlements of parts of a batch
    probe: Probe = no_probe
    sources: SourceReader = field(init=False)

    def __post_init__(self) -> None:
        finisher = self.finisher
        products = ProductFinder(self.settings.models_dir)
        self.sources = SourceReader(finisher.store, finisher.screen, finisher.rules, products)

    def run(self, batch_id: str) -> None:
        """claim -> sample -> finish -> settle. Safe to call any number of times for one batch."""
        try:
            held = self._claim(batch_id)
        except SQLAlchemyError as error:  # nothing is held; every worker meets this, and waits
            self.standing.pause(fault_of(error), reason_of(error), error=type(error).__name__)
            return
        if held is None:  # another worker has it, it is over, or this worker takes nothing now
            return
        used = Used(self.settings.price_list)
        progress = PartialSettlement(self.engine, held, self._unsettled, self.settle_every_seconds, used)
        with self._keep(held) as lease, traced("batch", _requests_of(held), batch_id=batch_id, attempt=held.attempt):
            try:
                for part in _parts(held):
                    self._make(part, lease, progress)
            except LeaseLost:
                raise
            except Exception:
                progress.settle_some()  # what is finished is kept, whatever ended the claim
                raise
            progress.settle()
            self.probe("settled", held)
            self._worked()

    def _claim(self, batch_id: str) -> Claim | None:
        """What is not claimed, the reconciler sends again."""
        if not self._may_claim():
            metrics.CLAIMS.labels("put_off").inc()
            log.warning(
                "batch_put_off", batch_id=batch_id, draining=self.draining.is_set(), reason=self.standing.reason
            )
            self._pass_over(batch_id)
            return None
        self.probe("received", None)
        lease = timedelta(seconds=self.settings.lease_seconds)
        held = transact(self.engine, lambda conn: claim(conn, batch_id, lease, self.worker))
        if held is None and take_refused(self.engine, self.settings, batch_id, self.worker):
            metrics.CLAIMS.labels("refused").inc()
            return None
        metrics.CLAIMS.labels("claimed" if held else "nothing_to_do").inc()
        if held is not None:
            self.probe("claimed", held)
        return held

    def _may_claim(self) -> bool:
        """What finishing needs is tried first: nothing is drawn for a store that will not take it, or a ledger that
        cannot be sealed.
        """
        if self.draining.is_set() or not self.standing.is_ready:
            return False
        try:
            self.finisher.store.check_writable()
            transact(self.engine, demand_sealable)
        except (StoreUnavailable, LedgerRefused) as error:
            self.standing.pause(fault_of(error), reason_of(error), error=str(error))
            return False
        return True

    def _pass_over(self, batch_id: str) -> None:
        try:
            with self.engine.begin() as conn:
                pass_over(conn, batch_id, _PASSED_OVER)
        except SQLAlchemyError as error:  # then it is sent again when its lease is over
            log.warning("batch_not_passed_over", batch_id=batch_id, error=type(error).__name__)

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

    def _make(self, part: Claim, lease: Lease, progress: PartialSettlement) -> None:
        """One run on the device and its finishing; what does not fit in memory fails the recipe, not the item."""
        sources = self.sources.read(part)
        sampled = self._draw(part, lease, progress, sources)
        self.probe("sampled", part)
        no_room = {id for id, fault in sampled.faults.items() if fault == OUT_OF_MEMORY}
        self.finisher.finish(
            part,
            sampled,
            lease,
            # A cut-out comes out the same whatever the seed; a picture that was sent in or kept is what it is.
            None if _is_given(part) else lambda some: self._draw(some, lease, progress, sources),
            sources=sources,
            finished=lambda outcome: None if outcome.item.id in no_room else progress.add(outcome),
        )
        self.probe("finished", part)
        if no_room:
            raise OutOfMemory(f"one image of {part.recipe.model} does not fit into the memory of {self.device}")
        if part.deaths:  # workers died on this batch: keep what this part brought before the next is begun
            progress.settle_some()

    def _draw(self, held: Claim, lease: Lease, progress: PartialSettlement, sources: Sources) -> Sampled:
        """The pictures of the batch, or of those of its items that are generated again.

        Items whose sources cannot be used are left out of it, and have their fault.
        """
        if held.recipe.task == MARK:
            return as_given(held, sources)
        if held.queue == FINISHING:
            return from_drawings(held, self.finisher.store, sources.faults)
        wanted = [item for item in held.items if item.id not in sources.faults]
        if not wanted:
            return undrawn(held, sources.faults)
        some = held if len(wanted) == len(held.items) else replace(held, items=tuple(wanted))
        sampled = cut_outs(some, sources.products) if _only_cuts(some) else self._sample(some, lease, progress, sources)
        return sampled if some is held else among(held, sampled, sources.faults)

    def _sample(self, held: Claim, lease: Lease, progress: PartialSettlement, sources: Sources) -> Sampled:
        """One run on the device; where it drew grounds, with the products on them."""
        task = held.recipe.task
        asked_of_model = grounds_of(held) if task == REPLACE_BACKGROUND else drawn_of(held)
        self.sampler.make_ready(asked_of_model)
        asked = time.monotonic()
        with self.gpu:
            metrics.GPU_WAIT_SECONDS.observe(time.monotonic() - asked)
            lease.check()
            sampling = traced("sample", _requests_of(held), model=held.recipe.model, images=len(held.items))
            with metrics.SAMPLING_SECONDS.time(), sampling:
                watch = LeaseWatch(lease, self.probe, held)
                pictures = sources.pictures if task != REPLACE_BACKGROUND else surroundings(held, sources.products)
                given = {"pictures": pictures} if pictures else {}
                sampled = self.sampler.sample(asked_of_model, watch, **given)
        progress.drawn(held, sampled)
        if sampled.joules is not None:
            metrics.ENERGY_JOULES.inc(sampled.joules)
        metrics.SAMPLED_IMAGES.inc(len(held.items) - len(sampled.faults))
        if task != REPLACE_BACKGROUND:
            return as_asked(held, sampled, self.sources.products)
        return on_new_grounds(held, sampled, sources.products, self.sources.products)

    def _worked(self) -> None:
        self.standing.worked()
        if self.standing.device_failed:
            self.standing.device_failed = False
            transact(self.engine, lambda conn: fleet.device_worked(conn, self.device))

    @property
    def _unsettled(self) -> UnsettledClaims:
        return UnsettledClaims(
            self.engine,
            self.finisher,
            self.standing,
            self.worker,
            self.device,
            self.settings.return_seconds,
            self.replace_process,
        )


def _requests_of(held: Claim) -> set[str]:
    return {item.request_id for item in held.items}


def _only_cuts(held: Claim) -> bool:
    """Whether products are cut out, and no model draws anything."""
    return held.recipe.task == REMOVE_BACKGROUND


def _is_given(held: Claim) -> bool:
    """Whether what comes out is the same whatever the seed."""
    return held.queue == FINISHING or held.recipe.task in (REMOVE_BACKGROUND, MARK)


def _parts(held: Claim) -> list[Claim]:
    """The batch in one run; in smaller ones where workers died on it, so that something is settled between deaths."""
    size = run_size(len(held.items), held.deaths)
    return [replace(held, items=held.items[n : n + size]) for n in range(0, len(held.items), size)]

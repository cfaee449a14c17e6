"""Unsettled claims: what becomes of a claim that ends with an error. workers/jobs/fleet/faults.py says who is at fault.

    ITEM      counted: the reconciler splits the batch, and an item that stands alone fails
    RECIPE    given back; this worker is not offered the recipe again
    DEVICE    given back, and the process is replaced; a batch that broke devices again and again is counted instead
    WORKER    given back; the worker pauses, longer each time
    SERVICE   given back; the worker pauses as all of them do
    NOBODY    given back, or nothing to say where another attempt has the batch; our objects are deleted

Given back: the claim does not count, and another worker may take the batch at once. A worker gives back one batch a
thread and then pauses, so give-backs are bounded by its pauses; each is an event, a metric and a log line.
Killed before it is written down: the lease runs out.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from workers import metrics
from workers.database import transact
from workers.errors import Draining, HubUnavailable, LeaseLost, StoreUnavailable
from workers.gpu.finish import Finisher
from workers.gpu.standing import UNEXPECTED_ERRORS, Standing
from workers.jobs.claim import give_back
from workers.jobs.expire import fail_claim
from workers.jobs.fleet import members as fleet
from workers.jobs.fleet.faults import Fault, fault_of, reason_of
from workers.jobs.settle import settled_by
from workers.jobs.types import Claim

log = structlog.get_logger()
_AT_ONCE = timedelta(0)
_HUB_PAUSE = timedelta(minutes=5)  # a model that could not be fetched is tried again
_BATCH_DEVICE_ERRORS = 3  # of one batch: it is the batch that breaks devices


@dataclass(frozen=True, slots=True)
class UnsettledClaims:
    """Writes them down. Thread-safe."""

    engine: Engine
    finisher: Finisher
    standing: Standing
    worker: str
    device: str
    return_seconds: float  # how long a batch waits before it is sent again where a shared service was away
    replace_process: Callable[[], object]  # after a device error

    @contextmanager
    def recorded(self, held: Claim) -> Iterator[None]:
        """Whatever is raised inside ends here, and Postgres says what becomes of the claim."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - the outermost frame of a batch
            self._record(held, error)

    def discard(self, held: Claim, item_ids: Collection[str], *, before: int | None = None) -> None:
        """Delete objects that nothing refers to. They may stay: they cost room, and no link is ever given to them."""
        try:
            self.finisher.discard(held, item_ids, before=before)
        except StoreUnavailable as error:
            log.warning("unreferenced_objects_kept", error=str(error))

    def _record(self, held: Claim, error: Exception) -> None:
        fault, reason = fault_of(error), reason_of(error)
        if fault is Fault.ITEM and self.standing.met_unexpected(held.batch_id):
            fault, reason = Fault.WORKER, UNEXPECTED_ERRORS
        unexpected = {"traceback": traceback.format_exc()} if reason_of(error).startswith("error:") else {}
        metrics.BATCHES_RETURNED.labels("unexpected" if fault is Fault.ITEM else reason).inc()
        log.warning("batch_not_settled", fault=fault, reason=reason, error=str(error), **unexpected)
        if isinstance(error, LeaseLost):
            self._discard_all(held)
            return
        if fault in (Fault.WORKER, Fault.SERVICE):  # before the batch is sent again, so that it is not taken again
            self.standing.pause(fault, reason, error=str(error))
        self._write(held, self._ending(held, error, fault, reason))
        if fault is Fault.DEVICE:
            self.replace_process()

    def _ending(self, held: Claim, error: Exception, fault: Fault, reason: str) -> Callable[[Connection], object]:
        if fault is Fault.ITEM:
            return lambda conn: fail_claim(conn, held, reason, _AT_ONCE, self.worker)
        if fault is Fault.RECIPE:
            return lambda conn: self._refuse(conn, held, error, reason)
        if fault is Fault.DEVICE:
            return lambda conn: self._device_failed(conn, held, reason)
        waits = fault is Fault.SERVICE and not isinstance(error, Draining)
        delay = timedelta(seconds=self.return_seconds) if waits else _AT_ONCE
        return lambda conn: give_back(conn, held, reason, delay)

    def _refuse(self, conn: Connection, held: Claim, error: Exception, reason: str) -> None:
        lasting = _HUB_PAUSE if isinstance(error, HubUnavailable) else None
        fleet.refuse(conn, self.worker, held.recipe.id, reason, lasting)
        log.error("recipe_refused", recipe_id=held.recipe.id, model=held.recipe.model, reason=reason)
        give_back(conn, held, reason)

    def _device_failed(self, conn: Connection, held: Claim, reason: str) -> None:
        if fleet.device_failed(conn, self.device, held.batch_id):
            self.standing.take_out()
        if fleet.device_errors_of(conn, held.batch_id) >= _BATCH_DEVICE_ERRORS:
            fail_claim(conn, held, reason, _AT_ONCE, self.worker)
        else:
            give_back(conn, held, reason)

    def _discard_all(self, held: Claim) -> None:
        """What this attempt stored, except what it had settled before the lease was lost."""
        try:
            with self.engine.connect() as conn:
                kept = settled_by(conn, held)
        except SQLAlchemyError as error:
            log.warning("unreferenced_objects_kept", error=type(error).__name__)
            return
        self.discard(held, [item.id for item in held.items if item.id not in kept])

    def _write(self, held: Claim, work: Callable[[Connection], object]) -> None:
        try:
            transact(self.engine, work)
        except LeaseLost:  # another attempt has taken the batch over, and needs no word from us
            log.info("lease_lost_already")
        except SQLAlchemyError as error:  # the lease runs out, which counts for nothing
            log.warning("claim_not_returned", batch_id=held.batch_id, error=type(error).__name__)

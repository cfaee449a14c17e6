"""Unsettled claims: what becomes of a claim that ends without a settlement, by the error that ended it.

    LeaseLost                      another attempt has the batch            nothing to say; our objects are deleted
    Transient, SigningUnavailable  it may work later, here or elsewhere     given back, and not counted
    Permanent                      no repeat can mend it                    every item fails, with the error's code
    any other                      a bug, or an item that breaks us         counted: the reconciler splits the batch

Killed before it is written down: the lease runs out, which counts the claim.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy import Connection, Engine

from policy.errors import SigningUnavailable
from workers import metrics
from workers.database import transact
from workers.errors import LeaseLost, Permanent, StoreUnavailable, Transient, code_of
from workers.gpu.finish import Finisher
from workers.jobs.claim import give_back
from workers.jobs.expire import fail_claim
from workers.jobs.settle import settle
from workers.jobs.types import Claim, Failed, Outcome

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class UnsettledClaims:
    """Writes them down. Thread-safe."""

    engine: Engine
    finisher: Finisher
    draining: threading.Event
    return_seconds: float  # how long a batch that was given back waits before it is sent again

    @contextmanager
    def recorded(self, held: Claim) -> Iterator[None]:
        """Whatever is raised inside ends here, and Postgres says what becomes of the claim."""
        try:
            yield
        except LeaseLost:
            _count("lease_lost")
            self.discard(held, [item.id for item in held.items])
        except (Transient, SigningUnavailable) as error:
            code = code_of(type(error))
            _count(code, error=str(error))
            delay = timedelta(seconds=0 if self.draining.is_set() else self.return_seconds)
            self._write(lambda conn: give_back(conn, held, code, delay))
        except Permanent as error:
            code = code_of(type(error))
            _count(code, error=str(error))
            failed: list[Outcome] = [Failed(item, code) for item in held.items]
            self._write(lambda conn: settle(conn, held, failed))
        except Exception as error:  # noqa: BLE001 - the outermost frame of a batch: an unexpected error ends the claim
            _count("unexpected", error=type(error).__name__, traceback=traceback.format_exc())
            reason = f"error:{type(error).__name__}"
            self._write(lambda conn: fail_claim(conn, held, reason, timedelta(0)))

    def discard(self, held: Claim, item_ids: Collection[str], *, before: int | None = None) -> None:
        """Delete objects that nothing refers to. They may stay: they cost room, and no link is ever given to them."""
        try:
            self.finisher.discard(held, item_ids, before=before)
        except StoreUnavailable as error:
            log.warning("unreferenced_objects_kept", error=str(error))

    def _write(self, work: Callable[[Connection], object]) -> None:
        try:
            transact(self.engine, work)
        except LeaseLost:  # another attempt has taken the batch over, and needs no word from us
            log.info("lease_lost_already")


def _count(reason: str, **why: str) -> None:
    metrics.BATCHES_RETURNED.labels(reason).inc()
    log.warning("batch_not_settled", reason=reason, **why)

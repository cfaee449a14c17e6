"""Progress of a claim: outcomes are settled every few seconds while the batch goes on, the rest at its end.

Killed between two settlements: what was settled stays, and the next attempt makes only what is left.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import structlog
from sqlalchemy import Engine

from workers import metrics
from workers.cost.used import Used
from workers.database import transact
from workers.gpu.unsettled import UnsettledClaims
from workers.jobs.settle import settle, settle_some
from workers.jobs.types import Claim, Outcome
from workers.sampling.types import Sampled

log = structlog.get_logger()
_PATIENCE_SECONDS = (
    120.0  # a finished picture waits so long for a database that restarts; the lease is renewed meanwhile
)


@dataclass(slots=True)
class PartialSettlement:
    """Of one claim. Owned by the thread that runs it."""

    engine: Engine
    held: Claim
    unsettled: UnsettledClaims
    every_seconds: float
    used: Used
    _waiting: list[Outcome] = field(default_factory=list)
    _settled: int = 0
    _late: int = 0
    _settled_at: float = field(default_factory=time.monotonic)

    def drawn(self, part: Claim, sampled: Sampled) -> None:
        """A run on the device: its seconds belong to the items that it drew."""
        device_class = next((position.device for position in sampled.positions), "")
        self.used.add([item.id for item in part.items], device_class, sampled.seconds, sampled.joules)

    def add(self, outcome: Outcome) -> None:
        """Keep it; settle what waits if the last settlement is a while ago. Raises LeaseLost."""
        self._waiting.append(outcome)
        if time.monotonic() - self._settled_at >= self.every_seconds:
            self.settle_some()

    def settle_some(self) -> None:
        """Settle what waits; the batch goes on. Raises LeaseLost."""
        if not self._waiting:
            return
        held, waiting = self.held, list(self._waiting)
        late = transact(
            self.engine, lambda conn: settle_some(conn, held, waiting, self.used), patience_seconds=_PATIENCE_SECONDS
        )
        self._note(late)

    def settle(self) -> None:
        """Settle the rest, and with it the batch. Raises LeaseLost."""
        held, waiting = self.held, list(self._waiting)
        late = transact(
            self.engine, lambda conn: settle(conn, held, waiting, self.used), patience_seconds=_PATIENCE_SECONDS
        )
        self._note(late)
        log.info("batch_settled", items=self._settled, late=self._late)

    def _note(self, late: frozenset[str]) -> None:
        ids = [outcome.item.id for outcome in self._waiting]
        for outcome in self._waiting:
            if outcome.item.id not in late:
                name = type(outcome).__name__.lower()
                metrics.OUTCOMES.labels(name).inc()
                metrics.GPU_SECONDS.labels(name).inc(self.used.seconds_of(outcome.item.id))
        self._settled, self._late = self._settled + len(ids) - len(late), self._late + len(late)
        self._waiting.clear()
        self._settled_at = time.monotonic()
        self.unsettled.discard(self.held, ids, before=self.held.attempt)
        self.unsettled.discard(self.held, late)

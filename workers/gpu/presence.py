"""Presence of a gpu worker: its heartbeat in Postgres, the end of its pauses, and whether it takes messages.

One daemon thread a process. Killed with it: the row in `gpu_workers` grows old within a minute, and nobody counts on
this worker any more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from workers.errors import LedgerRefused, StoreUnavailable
from workers.gpu.standing import DEVICE_OUT, Standing
from workers.jobs.fleet import members as fleet
from workers.jobs.fleet.faults import fault_of, reason_of
from workers.jobs.outcomes import demand_sealable
from workers.loop import Every
from workers.settings import Settings
from workers.store import ObjectStore

log = structlog.get_logger()
BEAT_SECONDS = 15.0
_TICK_SECONDS = 1.0


@dataclass(slots=True)
class Presence:
    """Owned by its thread; `stop` may be called from any."""

    engine: Engine
    settings: Settings
    standing: Standing
    store: ObjectStore
    worker: str
    device: str
    device_class: str
    take_messages: Callable[[bool], object]  # told whenever the answer changes
    _stop: threading.Event = field(default_factory=threading.Event)
    _takes: bool = True
    _beat_if_due: Every = field(init=False)

    def __post_init__(self) -> None:
        self._beat_if_due = Every(BEAT_SECONDS, self._beat)

    def enter(self) -> None:
        """The first heartbeat, before the first claim. Raises SQLAlchemyError."""
        with self.engine.begin() as conn:
            self.standing.device_failed = fleet.device_has_failed(conn, self.device)
            if fleet.device_is_out(conn, self.device):
                self.standing.take_out()
        self._beat()

    def start(self) -> None:
        """Beat until the process ends."""
        threading.Thread(target=self._run, name="presence", daemon=True).start()

    def leave(self) -> None:
        """The process shuts down: nobody waits for it."""
        self._stop.set()
        try:
            with self.engine.begin() as conn:
                fleet.gone(conn, self.worker)
        except SQLAlchemyError as error:
            log.warning("heartbeat_failed", error=type(error).__name__)

    def tick(self) -> None:
        """End a pause that is over once the store accepts a write and the ledger is sealed; report what changed."""
        if self.standing.reason == DEVICE_OUT:
            self._look_for_readmission()
        elif self.standing.pause_is_over:
            try:
                self.store.check_writable()
                with self.engine.begin() as conn:
                    demand_sealable(conn)
            except (StoreUnavailable, LedgerRefused) as error:
                self.standing.pause(fault_of(error), reason_of(error), error=str(error))
            else:
                self.standing.resume()
        if self.standing.is_ready != self._takes:
            self._takes = self.standing.is_ready
            self.take_messages(self._takes)
            self._beat()
        self._beat_if_due()

    def _run(self) -> None:
        while not self._stop.wait(_TICK_SECONDS):
            try:
                self.tick()
            except SQLAlchemyError as error:
                log.warning("heartbeat_failed", error=type(error).__name__)

    def _look_for_readmission(self) -> None:
        with self.engine.begin() as conn:
            if not fleet.device_is_out(conn, self.device):
                self.standing.readmit()

    def _beat(self) -> None:
        with self.engine.begin() as conn:
            fleet.seen(
                conn,
                self.worker,
                queues=self.settings.queue_names,
                threads=self.settings.worker_threads,
                device=self.device,
                device_class=self.device_class,
                stopped=self.standing.reason,
            )

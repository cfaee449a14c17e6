"""The sealer's loop: seal what was committed, then anchor the new tree head outside the database.

Anchoring follows the commit, so the anchor never knows more than a sound database. Killed in between, the
next turn anchors the newest head, which covers all before it. Any number may run; the lock in `seal` lets
one work.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from policy.errors import LedgerError
from policy.ledger.anchor import Anchor
from policy.ledger.keys import LocalNoteSigner, load_vkeys
from policy.ledger.notes import Checkpoint, NoteSigner, Vkey, open_checkpoint
from policy.ledger.seal import SEAL_LIMIT, lag_seconds, must_hold, newest, seal
from workers import metrics
from workers.anchor import StoreAnchor
from workers.database import make_engine
from workers.errors import WorkerError
from workers.revocations import make_publisher
from workers.settings import Settings
from workers.store import ObjectStore

log = structlog.get_logger()


def serve(settings: Settings, stop: threading.Event) -> None:
    """Seal every `seal_seconds` until `stop`, then once more."""
    sealer, publisher = make_sealer(settings), make_publisher(settings)
    while not stop.wait(settings.seal_seconds):
        sealer.turn()
        publisher.turn()
    sealer.turn()
    publisher.turn()


def make_sealer(settings: Settings) -> Sealer:
    """The sealer with its real parts. Raises SystemExit naming the settings that are missing or disagree."""
    if not (settings.ledger_key and settings.ledger_vkeys):
        raise SystemExit("the sealer needs PRESSWORK_LEDGER_KEY and PRESSWORK_LEDGER_VKEYS; `presswork up` makes both")
    signer = LocalNoteSigner.from_file(settings.ledger_key, name=settings.ledger_origin)
    vkeys = load_vkeys(settings.ledger_vkeys)
    if signer.vkey not in vkeys:
        raise SystemExit(
            f"{settings.ledger_vkeys} does not hold the public half of {settings.ledger_key} for the log "
            f"{settings.ledger_origin}. Remedy: add the line {signer.vkey}"
        )
    engine = make_engine(settings.database_url.get_secret_value(), name="sealer", pool_size=2)
    return Sealer(engine, signer, vkeys, StoreAnchor(ObjectStore(settings), settings.ledger_origin))


class Sealer:
    """Seals in turns. Owned by one thread."""

    def __init__(
        self,
        engine: Engine,
        signer: NoteSigner,
        vkeys: Sequence[Vkey],
        anchor: Anchor,
        *,
        limit: int = SEAL_LIMIT,
        anchor_pause_seconds: float = 10.0,
    ) -> None:
        self._engine, self._signer, self._vkeys, self._anchor = engine, signer, vkeys, anchor
        self._limit = limit  # entries of one transaction
        self._anchor_pause_seconds = anchor_pause_seconds  # after a failure, so that sealing keeps its pace
        self._anchor_again = 0.0  # monotonic; before it the anchor is left alone
        self._known: Checkpoint | None = None  # the newest head we saw signed: this database must hold it
        self._asked = False  # the anchor has answered since this process began
        self._anchored = 0  # leaves under the newest head that we know to be anchored

    def turn(self) -> int:
        """Seal what waits and anchor the newest head; how many entries. What stops it is logged and tried again."""
        sealed = 0
        try:
            if self._idle():
                return 0
            self._confirm()
            more = True
            while more:  # a full step leaves a rest; a small one would only make more checkpoints
                step = self._seal()
                sealed += step
                more = step == self._limit
            self._put_newest()
        except LedgerError as error:
            log.error("seal_refused", error=type(error).__name__, reason=str(error))
        except DBAPIError as error:
            log.warning("database_unavailable", error=type(error.orig).__name__)
        except WorkerError as error:
            self._anchor_failed(error)
        return sealed

    def _idle(self) -> bool:
        """Whether nothing waits for the tree, and the anchor holds what the database holds, no less and no more."""
        with self._engine.begin() as conn:
            lag = lag_seconds(conn)
            metrics.SEAL_LAG_SECONDS.set(lag)
            head = newest(conn, self._vkeys)
        return lag == 0 and self._anchored == (head[0].size if head else 0)

    def _confirm(self) -> None:
        """Raises LedgerBehind if this database lacks a head that was signed.

        The anchor is asked before every signature, so that a restored database is noticed by any sealer at
        any time. While the anchor is away, what this process saw itself must do; if the anchor never
        answered, nothing is signed, because two histories of one log cannot be mended.
        """
        try:
            anchored = self._newest_anchored()
        except WorkerError as error:
            if not self._asked:
                raise
            self._anchor_failed(error)
            anchored = None
        signed = [checkpoint for checkpoint in (anchored, self._known) if checkpoint]
        with self._engine.begin() as conn:  # read after the anchor: what was anchored was committed before
            for checkpoint in signed:
                must_hold(conn, checkpoint)
        self._known = max(signed, key=lambda checkpoint: checkpoint.size, default=None)

    def _newest_anchored(self) -> Checkpoint | None:
        """The newest anchored head, once its signature is checked; None before the first, and while it is away."""
        if self._asked and time.monotonic() < self._anchor_again:
            return None
        anchored = self._anchor.newest()
        self._asked = True
        if anchored is None:
            return None
        checkpoint = open_checkpoint(self._anchor.note(anchored), self._vkeys)
        self._anchored = checkpoint.size
        return checkpoint

    def _seal(self) -> int:
        with self._engine.begin() as conn:
            sealed = seal(conn, self._signer, self._vkeys, limit=self._limit)
        if sealed is None:
            return 0
        self._known = sealed.checkpoint
        metrics.SEALED_ENTRIES.inc(sealed.entries)
        log.info("sealed", entries=sealed.entries, size=sealed.checkpoint.size, root=sealed.checkpoint.root.hex())
        return sealed.entries

    def _put_newest(self) -> None:
        if time.monotonic() < self._anchor_again:
            return
        with self._engine.begin() as conn:
            head = newest(conn, self._vkeys)
        if head and head[0].size > self._anchored:
            self._anchor.put(*head)
            self._anchored = head[0].size

    def _anchor_failed(self, error: WorkerError) -> None:
        self._anchor_again = time.monotonic() + self._anchor_pause_seconds
        metrics.ANCHOR_FAILURES.inc()
        log.error("anchor_unavailable", error=type(error).__name__, reason=str(error), signing=self._asked)

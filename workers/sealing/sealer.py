"""Sealer: seals what was committed, then anchors the new tree head outside the database.

Anchoring follows the commit, so the anchor never knows more than a sound database. Killed in between, the
next round anchors the newest head, which covers all before it. Any number may run; the lock in `seal` lets
one work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog
from sqlalchemy import Engine

from policy.errors import LedgerError, SigningUnavailable
from policy.ledger.tree import refusal
from policy.ledger.tree.anchor import Anchor
from policy.ledger.tree.keys import KeyFiles, SealingKeys, keys_on_disk
from policy.ledger.tree.notes import Checkpoint
from policy.ledger.tree.seal import SEAL_LIMIT, lag_seconds, lock, must_hold, newest, seal
from workers import metrics
from workers.database import make_engine
from workers.errors import WorkerError
from workers.sealing.anchor_state import Anchoring
from workers.sealing.anchors import make_anchors
from workers.settings import Settings

log = structlog.get_logger()


def make_sealer(settings: Settings) -> Sealer:
    """The sealer with its real parts. Raises SystemExit naming the settings that are missing or disagree."""
    if not (settings.ledger_key and settings.ledger_vkeys):
        raise SystemExit("the sealer needs PRESSWORK_LEDGER_KEY and PRESSWORK_LEDGER_VKEYS; `presswork up` makes both")
    files = KeyFiles(settings.ledger_key, settings.ledger_vkeys)
    keys = keys_on_disk(files, name=settings.ledger_origin)
    signer, vkeys = keys().signer, keys().vkeys
    if signer.vkey not in vkeys:
        raise SystemExit(
            f"{settings.ledger_vkeys} does not hold the public half of {settings.ledger_key} for the log "
            f"{settings.ledger_origin}. Remedy: add the line {signer.vkey}"
        )
    engine = make_engine(settings.database_url.get_secret_value(), name="sealer", pool_size=2)
    return Sealer(engine, keys, make_anchors(settings, settings.ledger_origin))


class Sealer:
    """Seals in rounds. Owned by one thread."""

    def __init__(
        self,
        engine: Engine,
        keys: Callable[[], SealingKeys],
        anchors: Sequence[Anchor],
        *,
        limit: int = SEAL_LIMIT,
        anchor_pause_seconds: float = 10.0,
    ) -> None:
        self._engine, self._keys = engine, keys
        self._anchors = Anchoring(anchors, pause_seconds=anchor_pause_seconds)
        self._limit = limit  # entries of one transaction
        self._told: str | None = "nothing yet"  # what those who release were told last
        self._known: Checkpoint | None = None  # the newest head we saw signed: this database must hold it

    def run_once(self) -> int:
        """Seal what waits and anchor the newest head; how many entries. What stops it is logged and tried again.

        Raises DBAPIError while the database is away.
        """
        sealed = 0
        try:
            if self._idle():
                self._tell(None)
                return 0
            self._confirm()
            more = True
            while more:  # a full step leaves a rest; a small one would only make more checkpoints
                step = self._seal()
                sealed += step
                more = step == self._limit
            self._put_newest()
        except (LedgerError, SigningUnavailable, WorkerError) as error:
            log.error("seal_refused", error=type(error).__name__, reason=str(error))
            self._tell(f"{type(error).__name__}: {error}")
        else:
            self._tell(None)
        return sealed

    def _tell(self, refused: str | None) -> None:
        """Those who release are told when it begins and when it ends; a new process tells them once in any case."""
        if refused == self._told:
            return
        with self._engine.begin() as conn:
            refusal.note(conn, refused)
        self._told = refused
        metrics.report("sealer", "seal_refused" if refused else None)

    def _idle(self) -> bool:
        """Whether nothing waits for the tree, and the anchors hold what the database holds, no less and no more."""
        with self._engine.begin() as conn:
            lag = lag_seconds(conn)
            metrics.SEAL_LAG_SECONDS.set(lag)
            head = newest(conn, self._keys().vkeys)
        return lag == 0 and self._anchors.settled(head[0].size if head else 0)

    def _confirm(self) -> None:
        """Raises LedgerBehind if this database lacks a head that was signed.

        The anchors are asked before every signature, so that a restored database is noticed by any sealer at
        any time. While they are away, what this process saw itself must do; if none ever answered, nothing is
        signed, because two histories of one log cannot be mended.
        """
        signed = self._anchors.signed(self._keys().vkeys)
        signed += [self._known] if self._known else []
        with self._engine.begin() as conn:  # read after the anchors: what was anchored was committed before
            for checkpoint in signed:
                must_hold(conn, checkpoint)
        self._known = max(signed, key=lambda checkpoint: checkpoint.size, default=None)

    def _seal(self) -> int:
        with self._engine.begin() as conn:
            if not lock(conn):
                return 0
            keys = self._keys()  # read under the lock, which a rotation holds while it replaces them
            sealed = seal(conn, keys.signer, keys.vkeys, limit=self._limit)
        if sealed is None:
            return 0
        self._known = sealed.checkpoint
        metrics.SEALED_ENTRIES.inc(sealed.entries)
        log.info("sealed", entries=sealed.entries, size=sealed.checkpoint.size, root=sealed.checkpoint.root.hex())
        return sealed.entries

    def _put_newest(self) -> None:
        with self._engine.begin() as conn:
            head = newest(conn, self._keys().vkeys)
        if head:
            self._anchors.put(*head)

"""Revocation list, published as ledger/revocations/<log>/<countdown>-<sequence> in the object store, write-once.

The store is the record of what was issued. A list is issued when a sealed event recalled something that the newest
list does not name, and once in a while though nothing changed, so that an old list can be told from a held-back one.
Killed before the put: nothing was issued. Killed after it: the next round finds it there. Two sealers that issue the
same sequence number: the store takes one, the other finds it on its next round. A database that was restored from an
older copy signs no list: the newest one belongs to a tree head that it does not hold.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog
from sqlalchemy import Engine, func, select

from policy.errors import LedgerBehind, LedgerError, SigningUnavailable
from policy.ledger.tree.keys import KeyFiles, SealingKeys, keys_on_disk
from policy.ledger.tree.revocations import RevocationList, issue, lines_of, newer, open_list
from policy.ledger.tree.seal import lock, newest
from workers import metrics
from workers.database import make_engine
from workers.errors import WorkerError
from workers.revocation_lists import RevocationLists
from workers.settings import Settings
from workers.store import ObjectStore

log = structlog.get_logger()


def make_publisher(settings: Settings) -> Publisher:
    """The publisher with its real parts: those of the sealer, in whose process it runs. Raises SystemExit."""
    if not (settings.ledger_key and settings.ledger_vkeys):
        raise SystemExit("revocation lists need PRESSWORK_LEDGER_KEY and PRESSWORK_LEDGER_VKEYS")
    keys = keys_on_disk(KeyFiles(settings.ledger_key, settings.ledger_vkeys), name=settings.ledger_origin)
    engine = make_engine(settings.database_url.get_secret_value(), name="revocations", pool_size=1)
    lists = RevocationLists(ObjectStore(settings), settings.ledger_origin)
    return Publisher(engine, keys, lists, again_seconds=3600 * settings.revocation_hours)


class Publisher:
    """Issues lists in rounds. Owned by the sealer's thread."""

    def __init__(
        self, engine: Engine, keys: Callable[[], SealingKeys], lists: RevocationLists, *, again_seconds: float
    ) -> None:
        self._engine, self._keys, self._lists = engine, keys, lists
        self._again_seconds = again_seconds
        self._last: RevocationList | None = None  # the newest that we saw in the store
        self._asked = False
        self._looked = 0  # leaves below which nothing newer than `_last` was recalled

    def run_once(self) -> bool:
        """Issue a list if one is due; whether it was. What stops it is logged and tried again.

        Raises DBAPIError while the database is away.
        """
        try:
            return self._run_once()
        except (LedgerError, SigningUnavailable, WorkerError) as error:
            metrics.REVOCATION_FAILURES.inc()
            log.error("revocations_not_issued", error=type(error).__name__, reason=str(error))
            self._asked = False  # another sealer may have been quicker: look again before the next
            return False

    def _run_once(self) -> bool:
        if not self._asked:
            self._look()
        size = self._due()
        if size is None:
            return False
        self._look()
        sequence = self._last.sequence + 1 if self._last else 1
        with self._engine.begin() as conn:
            if not lock(conn):
                return False
            keys = self._keys()  # read under the sealers' lock, which a rotation holds while it replaces them
            at = conn.execute(select(func.clock_timestamp())).scalar_one()
            lines = lines_of(conn, size)
            content = issue(keys.signer, sequence=sequence, issued_at=at, checkpoint=size, lines=lines)
        self._lists.put(sequence, content)
        self._last, self._looked = open_list(content, keys.vkeys), size
        metrics.REVOKED_FILES.set(len(lines))
        log.info("revocations_issued", sequence=sequence, files=len(lines), checkpoint=size)
        return True

    def _look(self) -> None:
        content = self._lists.newest()
        found = open_list(content, self._keys().vkeys) if content else None
        if found and (self._last is None or found.sequence > self._last.sequence):
            self._last, self._looked = found, found.checkpoint
        self._asked = True

    def _due(self) -> int | None:
        """The size of the newest tree head, if a list must be issued for it."""
        with self._engine.begin() as conn:
            head = newest(conn, self._keys().vkeys)
            size = head[0].size if head else 0
            if self._last is None:
                return size or None
            if size < self._last.checkpoint:
                raise LedgerBehind(
                    f"list {self._last.sequence} belongs to {self._last.checkpoint} leaves, and this database holds"
                    f" {size}: it was restored from an older copy"
                )
            since = max(self._looked, self._last.checkpoint)
            age = (conn.execute(select(func.clock_timestamp())).scalar_one() - self._last.issued_at).total_seconds()
            if age > self._again_seconds or newer(conn, since=since, size=size):
                return size
        self._looked = size
        return None

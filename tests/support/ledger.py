"""Ledger's tests in few words: the worker appends, the sealer seals, the auditor verifies, a superuser tampers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, text

from policy.events import Event, ItemFailed, ItemRefused, Private
from policy.ledger.append import append
from policy.ledger.flaws import VerificationReport
from policy.ledger.tree.anchor import Anchored
from policy.ledger.tree.keys import LocalNoteSigner, SealingKeys
from policy.ledger.tree.notes import Checkpoint
from policy.ledger.tree.seal import SEAL_LIMIT, Sealed, seal
from policy.ledger.verification.verify import verify
from workers.errors import StoreUnavailable

if TYPE_CHECKING:
    from tests.support.databases import Database

ORIGIN = "presswork.example/test"
# A database whose triggers are as they were is emptied for the next test, and not dropped.
_ALWAYS = """
select format('alter table %s enable always trigger %I', tgrelid::regclass, tgname) from pg_trigger
join pg_class c on c.oid = tgrelid where relnamespace = 'audit'::regnamespace and tgenabled = 'A'
"""


def refused(number: int) -> ItemRefused:
    """An event with private text."""
    return ItemRefused(
        request_id="request-1",
        item_id=f"item-{number}",
        batch_id=None,
        attempt=None,
        prompt=Private(f"a secret plan, number {number}"),
        negative_prompt=Private(""),
        recipe={"model": "studio", "guidance_scale": 1.5},
        seed="4294967295",
        verdict={"decision": "refuse", "scores": {"weapons": 0.25}},
    )


def failed(number: int) -> ItemFailed:
    """An event without."""
    return ItemFailed("request-1", f"item-{number}", "batch-1", 1, "abandoned")


def new_signer(name: str = ORIGIN) -> LocalNoteSigner:
    return LocalNoteSigner(name, Ed25519PrivateKey.generate())


@dataclass(slots=True)
class MemoryAnchor:
    """An anchor that can be unplugged."""

    name: str = "memory"
    kept: dict[tuple[int, bytes], str] = field(default_factory=dict)
    away: bool = False
    asked: int = 0

    def put(self, checkpoint: Checkpoint, note: str) -> None:
        self._answer()
        self.kept.setdefault((checkpoint.size, checkpoint.root), note)

    def newest(self) -> Anchored | None:
        self._answer()
        self.asked += 1
        return next(iter(self), None)

    def __iter__(self) -> Iterator[Anchored]:
        for size, root in sorted(self.kept, reverse=True):
            yield Anchored(size, root)

    def note(self, anchored: Anchored) -> str:
        self._answer()
        return self.kept[anchored.size, anchored.root]

    def _answer(self) -> None:
        if self.away:
            raise StoreUnavailable("unplugged")


class Ledger:
    """One log in a database of its own."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.signer = new_signer()
        self.vkeys = (self.signer.vkey,)
        self.anchor = MemoryAnchor()
        self.worker, self.sealer = database.engine("worker"), database.engine("sealer")
        self.auditor, self.superuser = database.engine("auditor"), database.engine("superuser")

    def keys(self) -> SealingKeys:
        """What the sealer reads from disk."""
        return SealingKeys(self.signer, self.vkeys)

    def append(self, *events: Event, tenant: str = "acme") -> None:
        with self.worker.begin() as conn:
            append(conn, tenant=tenant, actor="worker:test", events=events)

    def fill(self, *counts: int, anchored: bool = True) -> None:
        """Entries, so many before each seal; half of them with private text."""
        begin = 0
        for count in counts:
            self.append(*(refused(n) if n % 2 else failed(n) for n in range(begin, begin + count)))
            sealed = self.seal()
            if anchored and sealed:
                self.anchor.put(sealed.checkpoint, sealed.note)
            begin += count

    def seal(self, *, limit: int = SEAL_LIMIT) -> Sealed | None:
        with self.sealer.begin() as conn:
            return seal(conn, self.signer, self.vkeys, limit=limit)

    def verify(self) -> VerificationReport:
        with self.auditor.connect() as conn:
            return verify(conn, self.vkeys, [self.anchor])

    def tamper(self, *statements: str, **values: Any) -> None:
        """As a superuser with the triggers asleep: what the ledger cannot prevent. They wake as they were."""
        with self.superuser.begin() as conn:
            always = conn.scalars(text(_ALWAYS)).all()
            for table in ("entries", "private", "sequence", "nodes", "checkpoints"):
                conn.execute(text(f"alter table audit.{table} disable trigger all"))
            for statement in statements:
                conn.execute(text(statement), values)
            for table in ("entries", "private", "sequence", "nodes", "checkpoints"):
                conn.execute(text(f"alter table audit.{table} enable trigger all"))
            for again in always:
                conn.execute(text(again))

    def rows(self, query: str, **values: Any) -> Sequence[Any]:
        with self.superuser.connect() as conn:
            return conn.execute(text(query), values).all()

    def value(self, query: str, **values: Any) -> Any:
        with self.superuser.connect() as conn:
            return conn.execute(text(query), values).scalar()


def lock_up(conn: Connection) -> None:
    """Hold the sealers' lock in this transaction, as a sealer at work does."""
    conn.execute(text("select pg_advisory_xact_lock(:key)"), {"key": 0x5EA1})

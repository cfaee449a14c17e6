"""Log that a drill tampers with: generated for the drill, or a copy of the first leaves of a real log.

A real log is only read, with the auditor's login, in a transaction that cannot write. The copy ends with a head, so it
is a complete log. It lies in a temporary Postgres.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Engine, Table, func, select, text

from policy.errors import LedgerError
from policy.events import ItemRefused, Private
from policy.ledger.append import append
from policy.ledger.tables import checkpoints, documents, entries, nodes, private, sequence
from policy.ledger.tree.keys import LocalNoteSigner
from policy.ledger.tree.notes import Vkey
from policy.ledger.tree.seal import seal

ORIGIN = "presswork.example/drill"
SEALS, EVENTS_A_SEAL = 3, 5  # of a generated log; entry n is leaf n - 1; two tenants alternate
TABLES = ("entries", "private", "sequence", "nodes", "checkpoints", "documents")
_ROWS = 500  # copied at a time
_GENERATED = {"leaf", "sha256"}  # columns that the database computes from others

_LEAVES = text(
    """
    SELECT s.index, e.id, e.tenant, CAST(e.event_id AS text) AS event_id,
           EXISTS (SELECT FROM audit.private p WHERE p.event_id = e.event_id) AS has_private
    FROM audit.sequence s JOIN audit.entries e ON e.id = s.entry_id WHERE s.index < :size ORDER BY s.index
    """
)


@dataclass(frozen=True, slots=True)
class TargetLeaf:
    """A leaf that a case tampers with, and its entry."""

    index: int
    entry_id: int
    tenant: str
    event_id: str
    has_private: bool  # there is private text beside it


@dataclass(frozen=True, slots=True)
class DrillLog:
    """What a tampering case needs to know about the log: the leaves that it changes, and the heads around them."""

    vkeys: tuple[Vkey, ...]
    heads: tuple[int, ...]  # sizes
    target: TargetLeaf
    following: TargetLeaf  # the leaf after the target, under the same head if there is one
    other: TargetLeaf | None  # of another tenant
    last_entry: int
    kept: str  # the note of the newest head, as an auditor keeps it
    signer: LocalNoteSigner | None  # the key of the log, if we have it

    @property
    def size(self) -> int:
        return self.heads[-1]

    @property
    def around(self) -> str:
        """The leaves between the two heads around the target, in the words of the verifier."""
        end = next(size for size in self.heads if size > self.target.index)
        begin = max((size for size in self.heads if size <= self.target.index), default=0)
        return f"leaves {begin} to {end - 1} do not hash"


def make_log(worker: Engine, sealer: Engine, signer: LocalNoteSigner) -> None:
    """Two tenants' events under three heads."""
    for number in range(SEALS * EVENTS_A_SEAL):
        with worker.begin() as conn:
            append(conn, tenant=("acme", "globex")[number % 2], actor="drill", events=[_event(number)])
        if (number + 1) % EVENTS_A_SEAL == 0:
            with sealer.begin() as conn:
                seal(conn, signer, (signer.vkey,))


def copy_log(source: Connection, target: Connection, *, limit: int) -> int:
    """Copy the log up to its largest head of at most `limit` leaves and return that size. Raises LedgerError."""
    source.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    size = source.scalar(select(func.max(checkpoints.c.size)).where(checkpoints.c.size <= limit))
    if size is None:
        raise LedgerError(f"this log has no head of at most {limit:,} leaves. Remedy: use a larger --limit")
    begun = select(sequence.c.entry_id, sequence.c.event_id).where(sequence.c.index < size).subquery()
    for name in TABLES:
        target.execute(text(f"ALTER TABLE audit.{name} DISABLE TRIGGER ALL"))
    ids = select(begun.c.entry_id)
    _copy(source, target, entries, entries.c.id.in_(ids))
    _copy(source, target, private, private.c.event_id.in_(select(begun.c.event_id)))
    _copy(source, target, sequence, sequence.c.index < size)
    _copy(source, target, nodes, text(f"(index + 1) << (8 * level) <= {int(size)}"))
    _copy(source, target, checkpoints, checkpoints.c.size <= size)
    _copy(source, target, documents, text("true"))
    target.execute(text("SELECT setval(pg_get_serial_sequence('audit.entries', 'id'), max(id)) FROM audit.entries"))
    for name in TABLES:
        target.execute(text(f"ALTER TABLE audit.{name} ENABLE TRIGGER ALL"))
    return int(size)


def _copy(source: Connection, target: Connection, table: Table, wanted: object) -> None:
    columns = [column for column in table.columns if column.name not in _GENERATED or table is sequence]
    rows = source.execute(select(*columns).where(wanted), execution_options={"yield_per": _ROWS})  # type: ignore[arg-type]
    overriding = "OVERRIDING SYSTEM VALUE" if table is entries else ""
    names = [column.name for column in columns]
    into = text(
        f"INSERT INTO audit.{table.name} ({', '.join(names)}) {overriding} VALUES ({', '.join(f':{n}' for n in names)})"  # noqa: S608
    )
    for part in rows.mappings().partitions(_ROWS):
        target.execute(into, [dict(row) for row in part])


def describe_log(conn: Connection, vkeys: tuple[Vkey, ...], signer: LocalNoteSigner | None) -> DrillLog:
    """The leaves that the cases change. Raises LedgerError if the log is too small for every case."""
    heads = tuple(conn.scalars(select(checkpoints.c.size).order_by(checkpoints.c.size)))
    if len(heads) < 2 or heads[-1] < 4:
        raise LedgerError("a drill needs a log with at least two heads and four leaves; this log is smaller")
    leaves = [TargetLeaf(*row) for row in conn.execute(_LEAVES, {"size": heads[-1]})]
    early = leaves[: max(2, len(leaves) - 3)]  # not among the leaves that a case cuts off
    tenants = {leaf.tenant for leaf in leaves}
    target = next((leaf for leaf in early[1:] if leaf.has_private), early[len(early) // 2])
    target = early[3] if heads[0] > 3 and len(early) > 3 and early[3].has_private else target
    other = next((leaf for leaf in reversed(early) if leaf.tenant != target.tenant), None) if len(tenants) > 1 else None
    note = conn.scalar(select(checkpoints.c.note).where(checkpoints.c.size == heads[-1])) or ""
    return DrillLog(vkeys, heads, target, leaves[target.index + 1], other, leaves[-1].entry_id, note, signer)


def _event(number: int) -> ItemRefused:
    return ItemRefused(
        request_id=f"request-{number % 2}",
        item_id=f"item-{number}",
        batch_id=None,
        attempt=None,
        prompt=Private(f"a thing that is refused, number {number}"),
        negative_prompt=Private(""),
        recipe={"model": "studio"},
        seed=str(number),
        verdict={"decision": "refuse", "findings": ["weapons"]},
    )

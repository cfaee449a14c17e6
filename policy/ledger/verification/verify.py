"""Verification of the whole ledger against its signed checkpoints and the anchors; names everything that was changed.

Every leaf is hashed again from its bytes, the tree is built again, and at each checkpoint its root must be the signed
one. It trusts the public keys and, for what was cut off or rolled back, the anchors. It trusts no column, no stored
hash and no trigger. It cannot notice an entry that was removed, with its pending row, before it was sealed.

From a kept head on, only what came since is read: the stored hashes must add up to that head, later leaves are hashed
from their bytes, and of what lies before the ids are compared with the tree. So an entry before it whose bytes were
changed, and private text that is lost, are found by a whole verification.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from sqlalchemy import Connection, func, select, text

from policy.ledger import documents
from policy.ledger.append import timestamp
from policy.ledger.flaws import Flaw, LedgerProblem, ProblemCollector, VerificationReport
from policy.ledger.reading.erasures import Erased, erased_texts
from policy.ledger.tables import checkpoints
from policy.ledger.tree.anchor import Anchor, contradictions
from policy.ledger.tree.notes import Checkpoint, Vkey
from policy.ledger.tree.seal import lag_seconds
from policy.ledger.verification.entry_check import STORED_SQL, PrivateText, StoredEntry, check_entry, entry_problem
from policy.ledger.verification.walk import CHUNK, STREAM, Walk, stream_leaves
from policy.ledger.witnesses.witness_policy import WitnessPolicy, newest_witnessed, unwitnessed

WITNESS_PATIENCE_SECONDS = 3_600.0  # a head without a quorum is a fault after this: witnesses may be away for a while
Progress = Callable[[int, int], None]  # leaves looked at, leaves the last checkpoint covers

# One snapshot, however long it takes, so that entries sealed meanwhile are no false alarm.
_SNAPSHOT = (
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
)
_SECRETS = text(
    """
    SELECT CAST(event_id AS text), field, salt, value FROM audit.private
    WHERE event_id = ANY (CAST(:event_ids AS uuid[]))
    """
)
_UNSEALED = text(
    f"""
    SELECT EXISTS (SELECT FROM audit.pending p WHERE p.entry_id = e.id), {STORED_SQL} FROM audit.entries e
    WHERE NOT EXISTS (SELECT FROM audit.sequence s WHERE s.entry_id = e.id) ORDER BY e.id
    """  # noqa: S608 - a constant
)
_GONE = text(
    """
    SELECT s.index, s.entry_id, CAST(s.event_id AS text) FROM audit.sequence s
    WHERE s.index < :begin AND NOT EXISTS (SELECT FROM audit.entries e WHERE e.id = s.entry_id) ORDER BY s.index
    """
)
_PENDING_ORPHANS = text(
    """
    SELECT p.entry_id FROM audit.pending p
    WHERE NOT EXISTS (SELECT FROM audit.entries e WHERE e.id = p.entry_id) ORDER BY p.entry_id
    """
)
_PENDING_SEALED = text(
    """
    SELECT p.entry_id, s.index, CAST(s.event_id AS text) FROM audit.pending p JOIN audit.sequence s USING (entry_id)
    ORDER BY p.entry_id
    """
)
_SECRET_ORPHANS = text(
    """
    SELECT CAST(p.event_id AS text), p.field FROM audit.private p
    WHERE NOT EXISTS (SELECT FROM audit.entries e WHERE e.event_id = p.event_id) ORDER BY 1, 2
    """
)


def verify(
    conn: Connection,
    vkeys: Sequence[Vkey],
    anchors: Sequence[Anchor] = (),
    *,
    kept: Checkpoint | None = None,
    witnesses: WitnessPolicy | None = None,
    witness_patience_seconds: float = WITNESS_PATIENCE_SECONDS,
    progress: Progress | None = None,
) -> VerificationReport:
    """The report on one snapshot; `report.intact` says whether everything is as it was signed, since `kept` if given.

    Needs SELECT on the schema and a connection without an open transaction. Memory: a few thousand rows, and a hash for
    every 256 leaves. Raises what an anchor raises if it cannot be read.
    """
    # Read before the snapshot: anchoring follows the commit, so these must be in the snapshot.
    held = {anchor.name: newest for anchor in anchors if (newest := anchor.newest())}
    for statement in _SNAPSHOT:
        conn.execute(text(statement))
    findings = ProblemCollector()
    size = conn.execute(select(func.max(checkpoints.c.size))).scalar_one() or 0
    begin = kept.size if kept else 0
    walk = Walk(conn, vkeys, findings, kept)
    for leaves in stream_leaves(conn, begin):
        secrets = _secrets(conn, [leaf.event_id for leaf in leaves])
        erased = _erased(conn, [leaf.stored for leaf in leaves if leaf.stored])
        for leaf in leaves:
            walk.take(leaf, secrets.get(leaf.event_id, {}), erased.get(leaf.event_id, {}))
        if progress:
            progress(walk.next, size)
    walk.finish()
    unsealed = _check_unsealed(conn, findings)
    findings.extend(_leftovers(conn))
    findings.extend(_gone(conn, begin) if kept else _unclaimed_texts(conn))
    findings.extend(documents.lost(conn))
    if witnesses:
        findings.extend(unwitnessed(conn, witnesses, patience_seconds=witness_patience_seconds))
    findings.extend(contradictions(conn, anchors, held, vkeys, size, after=begin))
    return VerificationReport(
        origin=vkeys[0].name,
        since=begin,
        entries=walk.found + unsealed,
        sealed=walk.next,
        unsealed=unsealed,
        unsealed_seconds=lag_seconds(conn),
        checkpoints=walk.checkpoints,
        root=walk.tree.root(),
        proven=walk.tree.size,
        sealed_at=timestamp(walk.last_head.sealed_at) if walk.last_head else None,
        anchored={anchor.name: held[anchor.name].size if anchor.name in held else 0 for anchor in anchors},
        witnessed=newest_witnessed(conn, witnesses) if witnesses else None,
        problems=tuple(findings.problems),
        left_out=findings.left_out,
    )


def _check_unsealed(conn: Connection, findings: ProblemCollector) -> int:
    """Entries outside the tree: how many; each must wait for the sealer and agree with its own bytes."""
    count = 0
    for rows in conn.execute(_UNSEALED, execution_options=STREAM).partitions(CHUNK):
        waiting = [(row[0], StoredEntry(*row[1:])) for row in map(tuple, rows)]
        secrets = _secrets(conn, [stored.event_id for _, stored in waiting])
        erased = _erased(conn, [stored for _, stored in waiting])
        count += len(waiting)
        for pending, stored in waiting:
            if not pending:
                untracked = "neither sealed nor waiting to be: inserted past the triggers, or taken out of the tree"
                findings.add(entry_problem(Flaw.ENTRY_UNTRACKED, stored, None, untracked))
            own = secrets.get(stored.event_id, {}), erased.get(stored.event_id, {})
            findings.extend(check_entry(stored, None, *own))
    return count


def _leftovers(conn: Connection) -> Iterator[LedgerProblem]:
    """Rows that point at nothing."""
    for (entry_id,) in conn.execute(_PENDING_ORPHANS):
        gone = f"entry {entry_id} waits for the sealer, but it was deleted before it was sealed"
        yield LedgerProblem(Flaw.PENDING_ORPHANED, gone, entry_id=entry_id)
    for entry_id, index, event_id in conn.execute(_PENDING_SEALED):
        twice = f"event {event_id} (leaf {index}, entry {entry_id}) waits for the sealer although it is sealed"
        yield LedgerProblem(Flaw.PENDING_SEALED, twice, index, entry_id, event_id)


def _gone(conn: Connection, begin: int) -> Iterator[LedgerProblem]:
    """Entries under the kept head that are not there any more."""
    for index, entry_id, event_id in conn.execute(_GONE, {"begin": begin}):
        gone = f"event {event_id} (leaf {index}, entry {entry_id}) was deleted after it was sealed"
        yield LedgerProblem(Flaw.ENTRY_DELETED, gone, index, entry_id, event_id)


def _unclaimed_texts(conn: Connection) -> Iterator[LedgerProblem]:
    """Private texts of no event."""
    for event_id, name in conn.execute(_SECRET_ORPHANS):
        orphan = f"private text {name} belongs to event {event_id}, which is not there"
        yield LedgerProblem(Flaw.PRIVATE_UNCLAIMED, orphan, event_id=event_id)


def _erased(conn: Connection, entries: Iterable[StoredEntry]) -> Erased:
    """What was erased of those that promise private text."""
    return erased_texts(conn, [stored.event_id for stored in entries if b'"commitment"' in stored.body])


def _secrets(conn: Connection, event_ids: Sequence[str]) -> Mapping[str, Mapping[str, PrivateText]]:
    """Private text by event and field."""
    found: dict[str, dict[str, PrivateText]] = defaultdict(dict)
    for event_id, name, salt, value in conn.execute(_SECRETS, {"event_ids": list(event_ids)}):
        found[event_id][name] = PrivateText(salt, value)
    return found

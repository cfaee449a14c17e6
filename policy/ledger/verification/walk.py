"""Walk over the sealed leaves in order: rebuilds the tree and compares each signed root on the way.

A range lies between two checkpoints. It is believed only when its end meets a signed root. Until then a discrepancy in
it is a suspicion, because the root decides which of two contradicting rows was edited.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, literal, select, text

from policy.errors import LedgerError, UnknownKey
from policy.ledger.append import timestamp
from policy.ledger.flaws import Flaw, LedgerProblem, ProblemCollector
from policy.ledger.reading.erasures import ErasureRecord
from policy.ledger.tables import checkpoints, entries, nodes, sequence
from policy.ledger.tree.merkle import TILE_BITS, MerkleTree, Node, leaf_hash
from policy.ledger.tree.notes import Checkpoint, Vkey, open_checkpoint
from policy.ledger.tree.seal import stored_tree
from policy.ledger.verification.entry_check import STORED_SQL, PrivateText, StoredEntry, check_entry, entry_problem

CHUNK = 2_000  # rows in memory
STREAM = {"stream_results": True, "max_row_buffer": CHUNK}  # a server-side cursor
_NAMED_IN_A_RANGE = 10  # suspects listed by name when only a range is known to be wrong

_LEAVES = text(
    f"""
    SELECT s.index, s.entry_id, CAST(s.event_id AS text), s.leaf, {STORED_SQL}
    FROM audit.sequence s LEFT JOIN audit.entries e ON e.id = s.entry_id
    WHERE s.index >= :begin ORDER BY s.index
    """  # noqa: S608 - a constant
)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A row of audit.sequence, and the entry that it points at, if that still exists."""

    index: int
    entry_id: int
    event_id: str
    sealed: bytes
    stored: StoredEntry | None


@dataclass(frozen=True, slots=True)
class TrustedHead:
    """A checkpoint row whose note was signed by a trusted key."""

    checkpoint: Checkpoint
    sealed_at: datetime


@dataclass(slots=True)
class _Range:
    """Leaves since the last root that was met."""

    begin: int
    sealed: list[bytes] = field(default_factory=list)  # leaves as the sequence has them
    computed: list[bytes] = field(default_factory=list)  # leaves as the entries hash now
    edited: list[Leaf] = field(default_factory=list)  # where the two differ
    moved: list[Leaf] = field(default_factory=list)  # inserted before the leaf in front of it
    last_entry: int = 0


class Walk:
    """Takes every leaf in order; then call `finish`. Owned by one verification."""

    def __init__(
        self, conn: Connection, vkeys: Sequence[Vkey], findings: ProblemCollector, kept: Checkpoint | None = None
    ) -> None:
        """`kept`: a head that the caller trusts, from which on the log is walked."""
        begin = kept.size if kept else 0
        self.tree = stored_tree(conn, begin) if kept else MerkleTree()  # up to the last root that was met
        self.next = begin  # leaf index
        self.found = 0  # sealed entries that are still there
        self.checkpoints = 0
        self.last_head: TrustedHead | None = None  # the last one whose root was met
        self._findings = findings
        later = nodes.c.index >= literal(begin, BigInteger).op(">>")(TILE_BITS * nodes.c.level)
        self._nodes = {(level, index): hashed for level, index, hashed in conn.execute(select(nodes).where(later))}
        self._conn, self._vkeys = conn, vkeys
        self._heads = self._stream_heads(begin)
        self._head = next(self._heads, None)
        self._range = _Range(begin)
        self._broken = kept is not None and not self._begins_at(kept)  # from here on no root can be met

    def _begins_at(self, kept: Checkpoint) -> bool:
        """Whether the stored hashes add up to the kept head: what was sealed before is what it was."""
        if self.tree.root() == kept.root:
            return True
        self._add(
            Flaw.ROOT_MISMATCH,
            f"the stored leaves and nodes do not add up to the kept head of {kept.size} leaves: something before it "
            "was edited, replaced or cut off. Verify the whole ledger to learn what",
            kept.size,
        )
        self.tree = MerkleTree()
        return False

    def take(self, leaf: Leaf, secrets: Mapping[str, PrivateText], erased: Mapping[str, ErasureRecord]) -> None:
        if leaf.index != self.next:
            self._gap(leaf)
        part = self._range
        computed = leaf_hash(leaf.stored.body) if leaf.stored else leaf.sealed
        if leaf.entry_id < part.last_entry:
            part.moved.append(leaf)
        if computed != leaf.sealed:
            part.edited.append(leaf)
        part.last_entry = leaf.entry_id
        part.sealed.append(leaf.sealed)
        part.computed.append(computed)
        self._examine(leaf, secrets, erased)
        self.next += 1
        while self._head is not None and self._head.checkpoint.size <= self.next:
            self._meet(self._head)
            self._head = next(self._heads, None)

    def finish(self) -> None:
        """Call after the last leaf: reports what is signed but missing, and what is present but not signed."""
        self._accuse(Flaw.ENTRY_EDITED)
        first, last = self._head, self._head
        for head in self._heads:
            last = head
        if first is not None and last is not None:
            missing = last.checkpoint.size - self.next
            self._add(
                Flaw.TAIL_CUT,
                f"a signed checkpoint, stored with the time {timestamp(last.sealed_at)}, covers "
                f"{last.checkpoint.size} leaves and only "
                f"{self.next} are left: the last {missing} were cut off",
                self.next,
            )
        elif self._range.sealed and not self._broken:
            self._add(
                Flaw.LEAVES_UNSIGNED,
                f"leaves {self._range.begin} to {self.next - 1} are in the sequence, but under no sound checkpoint",
                self._range.begin,
            )
        if not self._broken:
            for (level, index), _ in self._nodes.items():
                self._wrong_node(level, index, "is stored, but no such subtree is complete")

    def _examine(self, leaf: Leaf, secrets: Mapping[str, PrivateText], erased: Mapping[str, ErasureRecord]) -> None:
        if leaf.stored is None:
            self._findings.add(
                LedgerProblem(
                    Flaw.ENTRY_DELETED,
                    f"event {leaf.event_id} (leaf {leaf.index}, entry {leaf.entry_id}) was deleted after it was sealed",
                    leaf.index,
                    leaf.entry_id,
                    leaf.event_id,
                )
            )
            return
        self.found += 1
        if leaf.event_id != leaf.stored.event_id:
            said = f"the sequence calls it {leaf.event_id}"
            self._findings.add(entry_problem(Flaw.COLUMN_EDITED, leaf.stored, leaf.index, said))
        for problem in check_entry(leaf.stored, leaf.index, secrets, erased):
            self._findings.add(problem)

    def _meet(self, head: TrustedHead) -> None:
        """Compare the tree with a signed root: first with the sequence's leaves, then with the entries' own."""
        if self._broken:
            return
        for leaves, flaw in ((self._range.sealed, Flaw.ENTRY_EDITED), (self._range.computed, Flaw.LEAF_EDITED)):
            tree = self.tree.copy()
            completed = [node for leaf in leaves for node in tree.add(leaf)]
            if (tree.size, tree.root()) == (head.checkpoint.size, head.checkpoint.root):
                self._accuse(flaw)
                self._check_nodes(completed)
                self.tree, self.last_head, self._range = tree, head, _Range(self.next)
                return
        self._mismatch(head)

    def _mismatch(self, head: TrustedHead) -> None:
        """Some leaf of the range was changed together with its copy. Later roots cannot be met either."""
        part = self._range
        for leaf in part.moved:
            said = f"leaf {leaf.index} was moved: event {leaf.event_id} (entry {leaf.entry_id}) comes after a later one"
            problem = LedgerProblem(Flaw.LEAVES_REORDERED, said, leaf.index, leaf.entry_id, leaf.event_id)
            self._findings.add(problem)
        self._accuse(Flaw.ENTRY_EDITED)
        self._add(
            Flaw.ROOT_MISMATCH,
            f"leaves {part.begin} to {self.next - 1} do not hash to the root signed for "
            f"{head.checkpoint.size} leaves: at least one of them was edited, replaced or moved. "
            f"They are {self._names(part.begin)}. Later roots cannot be checked past this point",
            part.begin,
        )
        self._broken = True

    def _gap(self, leaf: Leaf) -> None:
        first, last = self.next, leaf.index - 1
        what = f"leaf {first} is" if first == last else f"leaves {first} to {last} are"
        self._add(Flaw.LEAVES_MISSING, f"{what} missing from the sequence; later roots cannot be checked", first)
        self._accuse(Flaw.ENTRY_EDITED)
        self._broken, self.next = True, leaf.index

    def _accuse(self, flaw: Flaw) -> None:
        """Name the leaves of the range whose two copies differ, with the one that the root proved wrong."""
        said = {
            Flaw.ENTRY_EDITED: "its bytes are not those that were sealed",
            Flaw.LEAF_EDITED: "its leaf in the sequence was changed; its bytes are as sealed",
        }[flaw]
        for leaf in self._range.edited:
            if leaf.stored is not None:
                self._findings.add(entry_problem(flaw, leaf.stored, leaf.index, said))
        self._range.edited.clear()

    def _check_nodes(self, completed: Sequence[Node]) -> None:
        for node in completed:
            stored = self._nodes.pop((node.level, node.index), None)
            if stored != node.hash:
                self._wrong_node(
                    node.level, node.index, "is missing" if stored is None else "is not the hash of its leaves"
                )

    def _wrong_node(self, level: int, index: int, what: str) -> None:
        begin = index << 8 * level
        self._add(Flaw.NODE_EDITED, f"the stored node {index} of level {level} {what}", begin)

    def _stream_heads(self, begin: int) -> Iterator[TrustedHead]:
        """Checkpoints beyond `begin` by size, those with a sound note; a forged one is named and proves nothing."""
        later = select(checkpoints).where(checkpoints.c.size > begin).order_by(checkpoints.c.size)
        rows = self._conn.execute(later, execution_options=STREAM)
        for row in rows:
            self.checkpoints += 1
            try:
                checkpoint = open_checkpoint(row.note, self._vkeys)
            except LedgerError as error:
                flaw = Flaw.CHECKPOINT_UNKNOWN_KEY if isinstance(error, UnknownKey) else Flaw.CHECKPOINT_FORGED
                self._add(flaw, f"the checkpoint of {row.size} leaves: {error}", row.size)
                continue
            if (checkpoint.size, checkpoint.root) != (row.size, row.root):
                said = f"its signed note says {checkpoint.size} leaves, root {checkpoint.root.hex()}"
                self._add(
                    Flaw.CHECKPOINT_FORGED, f"the checkpoint row of {row.size} leaves was edited: {said}", row.size
                )
                continue
            yield TrustedHead(checkpoint, row.sealed_at)

    def _names(self, begin: int) -> str:
        rows = self._conn.execute(
            select(sequence.c.index, sequence.c.event_id, entries.c.kind)
            .outerjoin_from(sequence, entries, entries.c.id == sequence.c.entry_id)
            .where(sequence.c.index >= begin, sequence.c.index < self.next)
            .order_by(sequence.c.index)
            .limit(_NAMED_IN_A_RANGE)
        )
        names = [f"{row.index}: {row.kind or 'deleted'} {row.event_id}" for row in rows]
        more = self.next - begin - len(names)
        return ", ".join(names) + (f" and {more} more" if more else "")

    def _add(self, flaw: Flaw, message: str, index: int) -> None:
        self._findings.add(LedgerProblem(flaw, message, index))


def stream_leaves(conn: Connection, begin: int = 0) -> Iterator[Sequence[Leaf]]:
    """Every leaf from `begin` on in order, a few thousand at a time."""
    for rows in conn.execute(_LEAVES, {"begin": begin}, execution_options=STREAM).partitions(CHUNK):
        yield [_leaf(*row) for row in rows]


def _leaf(index: int, entry_id: int, event_id: str, sealed: bytes, *stored: Any) -> Leaf:
    return Leaf(index, entry_id, event_id, sealed, None if stored[0] is None else StoredEntry(*stored))

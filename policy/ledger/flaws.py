"""Flaws that a verification can find, each problem found, and the report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

MAX_PROBLEMS = 500  # kept in full; a log rewritten from end to end is not listed entry by entry


class Flaw(StrEnum):
    """The kind of a problem, by a stable name."""

    ENTRY_EDITED = "entry_edited"  # its bytes no longer hash to the leaf that was signed
    ENTRY_DELETED = "entry_deleted"  # sealed, and gone
    ENTRY_UNTRACKED = (
        "entry_untracked"  # neither sealed nor waiting to be: inserted around us, or taken out of the tree
    )
    COLUMN_EDITED = "column_edited"  # a column says something else than the signed bytes
    LEAF_EDITED = "leaf_edited"  # a stored leaf is not the hash of the bytes
    BODY_UNREADABLE = "body_unreadable"  # the bytes are no event
    PENDING_ORPHANED = "pending_orphaned"  # waits for the sealer, but the entry is gone
    PENDING_SEALED = "pending_sealed"  # waits for the sealer, and is sealed
    LEAVES_MISSING = "leaves_missing"  # a gap in the sequence
    LEAVES_REORDERED = "leaves_reordered"  # sealed together, but not in order of insertion
    LEAVES_UNSIGNED = "leaves_unsigned"  # sequenced beyond the last checkpoint
    ROOT_MISMATCH = "root_mismatch"  # the leaves do not hash to the signed root
    NODE_EDITED = "node_edited"  # a stored subtree root is not the hash of its leaves
    TAIL_CUT = "tail_cut"  # a checkpoint signs more leaves than there are
    CHECKPOINT_FORGED = "checkpoint_forged"  # its note is not what was signed, or the row says something else
    CHECKPOINT_UNKNOWN_KEY = "checkpoint_unknown_key"  # signed, but by no key we trust
    CHECKPOINT_MISSING = "checkpoint_missing"  # anchored, but not in the database
    DATABASE_BEHIND = "database_behind"  # the anchor holds a larger tree than the database
    ANCHOR_DIFFERS = "anchor_differs"  # anchor and database hold two roots of one size
    COSIGNATURE_FORGED = "cosignature_forged"  # what is kept under a witness's name is not its cosignature
    UNWITNESSED = "unwitnessed"  # the newest heads have no quorum of witnesses, and had time to get one
    ANCHORS_DISAGREE = "anchors_disagree"  # two anchors hold two roots of one size, which the database does not reach
    PRIVATE_EDITED = "private_edited"  # private text does not fit its signed digest
    PRIVATE_MISSING = "private_missing"  # private text is gone, and no event says it was erased
    PRIVATE_RETURNED = "private_returned"  # private text is there again, although an event says it was erased
    DOCUMENT_LOST = "document_lost"  # a rule set, card or list of files that an event registers is gone or was edited
    PRIVATE_UNCLAIMED = "private_unclaimed"  # private text that no entry knows of


@dataclass(frozen=True, slots=True)
class LedgerProblem:
    """One problem, with everything that helps to locate it."""

    flaw: Flaw
    message: str
    index: int | None = None  # leaf index
    entry_id: int | None = None
    event_id: str | None = None
    kind: str | None = None
    at: str | None = None  # when the event was recorded, as its columns say


@dataclass(slots=True)
class ProblemCollector:
    """Collects problems during one verification, which owns it."""

    problems: list[LedgerProblem] = field(default_factory=list)
    left_out: int = 0

    def add(self, problem: LedgerProblem) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(problem)
        else:
            self.left_out += 1

    def extend(self, problems: Iterable[LedgerProblem]) -> None:
        for problem in problems:
            self.add(problem)


@dataclass(frozen=True, slots=True)
class VerificationReport:
    """The result of one verification of one snapshot of the ledger."""

    origin: str
    since: int  # leaves under the kept head from which on was verified; 0: everything was
    entries: int  # looked at
    sealed: int  # leaves in the tree
    unsealed: int  # entries that wait: within the tampering window
    unsealed_seconds: float  # age of the oldest of them
    checkpoints: int
    root: bytes  # of the last checkpoint whose root was recomputed; the empty tree's if there is none
    proven: int  # leaves under that root
    sealed_at: str | None  # time stored with the last checkpoint, RFC 3339; not in its signed text
    anchored: Mapping[str, int]  # leaves under the newest checkpoint in each anchor that was asked
    witnessed: int | None  # leaves under the newest head with a quorum of witnesses; None if no policy was given
    problems: tuple[LedgerProblem, ...]
    left_out: int  # problems beyond MAX_PROBLEMS

    @property
    def intact(self) -> bool:
        return not self.problems

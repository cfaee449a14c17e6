"""Sealer's transaction: puts committed entries into the Merkle tree and signs the new tree head.

Appending is cheap because nothing is chained in the caller's transaction. The price is a window, from commit to the
next seal, in which an entry can be removed unnoticed. The pending table says what is to be sealed, not transaction ids:
the entries of a slow transaction appear when it commits and take later indices, and a dump restored elsewhere knows
what was left to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select, text

from policy.errors import BrokenLedger, LedgerBehind, UnknownKey
from policy.ledger.tables import checkpoints, entries, nodes, pending, sequence
from policy.ledger.tree.merkle import MerkleTree, Node, tail_lengths
from policy.ledger.tree.notes import Checkpoint, NoteSigner, Vkey, open_checkpoint, sign_checkpoint

SEAL_LIMIT = 10_000  # entries of one transaction: about half a second of sealing
_LOCK = 0x5EA1  # advisory lock: one sealer at a time

# What is pending without an entry, or sealed already, is not ours to tidy away: `verify` names it.
_TAKE = text(
    """
    WITH chosen AS (
      SELECT p.entry_id FROM audit.pending p JOIN audit.entries e ON e.id = p.entry_id
      WHERE NOT EXISTS (SELECT FROM audit.sequence s WHERE s.entry_id = p.entry_id)
      ORDER BY p.entry_id LIMIT :limit
    ), taken AS (
      DELETE FROM audit.pending WHERE entry_id IN (SELECT entry_id FROM chosen) RETURNING entry_id
    )
    INSERT INTO audit.sequence (index, entry_id, event_id, leaf)
    SELECT :size + row_number() OVER (ORDER BY e.id) - 1, e.id, e.event_id, e.leaf
    FROM taken JOIN audit.entries e ON e.id = taken.entry_id
    RETURNING index, leaf
    """
)
_KEEP_NODES = text(
    """
    INSERT INTO audit.nodes (level, index, hash)
    SELECT * FROM unnest(CAST(:levels AS smallint[]), CAST(:indices AS bigint[]), CAST(:hashes AS bytea[]))
    """
)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A new tree head, and the number of entries that it added."""

    checkpoint: Checkpoint
    note: str
    entries: int


def seal(conn: Connection, signer: NoteSigner, vkeys: Sequence[Vkey], *, limit: int = SEAL_LIMIT) -> Sealed | None:
    """Seal up to `limit` pending entries in order of insertion; None if there are none or another sealer works.

    `vkeys` are the keys that may have signed this log so far, including the signer's. Everything happens in the
    caller's transaction: dying before its commit leaves the entries pending, and the next call gives them the same
    indices. Raises BrokenLedger, signing nothing, if the stored tree does not add up to the last signed head, and
    UnknownKey if no trusted key signed that head.
    """
    own = next((vkey for vkey in vkeys if vkey == signer.vkey), None)
    if own is None:
        raise UnknownKey(f"nobody was told to trust the sealer's own key. Remedy: add {signer.vkey} to the public keys")
    if not lock(conn):
        return None
    tree = _resume(conn, vkeys)
    rows = sorted(conn.execute(_TAKE, {"limit": limit, "size": tree.size}))
    if not rows:
        return None
    completed = [node for _, leaf in rows for node in tree.add(leaf)]
    if not own.signs(tree.size):
        raise UnknownKey(
            f"the sealer's own key is retired: its line says {own.line.partition(' ')[2]}, and the next head has "
            f"{tree.size} leaves. Remedy: give the sealer the new key, or finish 'presswork ledger rotate-key'"
        )
    _keep(conn, completed)
    checkpoint = Checkpoint(signer.vkey.name, tree.size, tree.root())
    note = sign_checkpoint(checkpoint, signer)
    conn.execute(insert(checkpoints).values(size=checkpoint.size, root=checkpoint.root, note=note))
    return Sealed(checkpoint, note, len(rows))


def lock(conn: Connection) -> bool:
    """Whether this transaction may seal now; it may ask again. Other sealers wait for its end, or go without."""
    return bool(conn.execute(select(func.pg_try_advisory_xact_lock(_LOCK))).scalar_one())


def wait_for_lock(conn: Connection) -> None:
    """Takes the same lock, once the current sealer is done."""
    conn.execute(select(func.pg_advisory_xact_lock(_LOCK)))


def newest(conn: Connection, vkeys: Sequence[Vkey]) -> tuple[Checkpoint, str] | None:
    """The last signed tree head and its note, None before the first seal. Raises BrokenLedger or UnknownKey."""
    row = conn.execute(select(checkpoints).order_by(checkpoints.c.size.desc()).limit(1)).one_or_none()
    if row is None:
        return None
    checkpoint = open_checkpoint(row.note, vkeys)
    if (checkpoint.size, checkpoint.root) != (row.size, row.root):
        raise BrokenLedger(f"the checkpoint of size {row.size} was replaced: its note says size {checkpoint.size}")
    return checkpoint, row.note


def must_hold(conn: Connection, known: Checkpoint) -> None:
    """Raises LedgerBehind unless this database contains the tree head `known`.

    A database restored from an older copy lacks it, or holds another root of that size. Signing on would make two
    histories of one log, and no later proof could tell which one is true.
    """
    root = conn.execute(select(checkpoints.c.root).where(checkpoints.c.size == known.size)).scalar_one_or_none()
    if root == known.root:
        return
    size = conn.execute(select(func.max(checkpoints.c.size))).scalar_one() or 0
    raise LedgerBehind(
        f"a checkpoint of {known.size} entries was signed, but this database "
        + ("holds another root of that size" if root else f"does not hold it; its newest has {size}")
        + ". It was restored from an older copy or another log's. Remedy: restore the newer copy, "
        "or begin a new log with another PRESSWORK_LEDGER_ORIGIN"
    )


def lag_seconds(conn: Connection) -> float:
    """Age of the oldest entry not sealed yet, 0.0 if all are: the tampering window as it is now."""
    age = select(func.extract("epoch", func.clock_timestamp() - entries.c.recorded_at))
    oldest = age.join_from(pending, entries, entries.c.id == pending.c.entry_id).order_by(pending.c.entry_id).limit(1)
    return float(conn.execute(oldest).scalar_one_or_none() or 0.0)


def _resume(conn: Connection, vkeys: Sequence[Vkey]) -> MerkleTree:
    """The tree as of the last checkpoint, from at most 255 hashes of each level."""
    head = newest(conn, vkeys)
    size = head[0].size if head else 0
    tree = stored_tree(conn, size)
    if head and tree.root() != head[0].root:
        raise BrokenLedger(
            f"the stored leaves and nodes do not add up to the signed head of {size} entries; nothing is sealed "
            "until a person looks at it. Remedy: 'presswork audit verify' names what was changed"
        )
    return tree


def stored_tree(conn: Connection, size: int) -> MerkleTree:
    """The tree of the first `size` leaves by the stored hashes, which nothing proves but a signed root."""
    return MerkleTree.resume(
        size, [_tail(conn, level, size, length) for level, length in enumerate(tail_lengths(size))]
    )


def _tail(conn: Connection, level: int, size: int, length: int) -> list[bytes]:
    """The last `length` hashes of one level of the tree of `size` leaves."""
    end = size >> 8 * level
    if level == 0:
        query = select(sequence.c.leaf).where(sequence.c.index >= end - length, sequence.c.index < end)
        return list(conn.scalars(query.order_by(sequence.c.index)))
    query = select(nodes.c.hash).where(nodes.c.level == level, nodes.c.index >= end - length, nodes.c.index < end)
    return list(conn.scalars(query.order_by(nodes.c.index)))


def _keep(conn: Connection, completed: list[Node]) -> None:
    if completed:
        conn.execute(
            _KEEP_NODES,
            {
                "levels": [node.level for node in completed],
                "indices": [node.index for node in completed],
                "hashes": [node.hash for node in completed],
            },
        )

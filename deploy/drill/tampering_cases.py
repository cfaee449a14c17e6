"""Tampering cases: what a database superuser can do to a log, and how the offline verifier must name it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, text

from deploy.drill.log import DrillLog
from policy.ledger.tree.keys import LocalNoteSigner
from policy.ledger.tree.merkle import MerkleTree, leaf_hash
from policy.ledger.tree.notes import Checkpoint, sign_checkpoint

Edit = Callable[[Connection, DrillLog], None]
Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TamperingCase:
    """A change to a log, and alternatives of what the verifier must say: every word of one of them in one line."""

    name: str
    apply: Edit
    expected: Callable[[DrillLog], Sequence[Words]]
    applicable: Callable[[DrillLog], bool] = lambda _: True


def _sql(*statements: str) -> Edit:
    """A change by SQL statements, in which {target} and the other names are filled in from the log."""

    def run(conn: Connection, log: DrillLog) -> None:
        values = {
            "target": log.target.entry_id,
            "leaf": log.target.index,
            "event": log.target.event_id,
            "next": log.following.index,
            "other": log.other.entry_id if log.other else 0,
            "size": log.size,
            "previous": log.heads[-2],
            "first": log.heads[0],
            "source": log.heads[0] if log.heads[0] != log.heads[-2] else log.size,
        }
        for statement in statements:
            conn.execute(text(statement.format(**values)))

    return run


def _cut_after(size: str) -> Edit:
    """A change that removes everything above the head of this size, with its heads, private texts and nodes."""
    statements = (
        "CREATE TEMP TABLE late ON COMMIT DROP AS SELECT entry_id FROM audit.sequence WHERE index >= {SIZE}",
        "DELETE FROM audit.private WHERE event_id IN "
        "(SELECT event_id FROM audit.entries WHERE id IN (SELECT entry_id FROM late))",
        "DELETE FROM audit.entries WHERE id IN (SELECT entry_id FROM late)",
        "DELETE FROM audit.sequence WHERE index >= {SIZE}",
        "DELETE FROM audit.nodes WHERE (index + 1) << (8 * level) > {SIZE}",
        "DELETE FROM audit.checkpoints WHERE size > {SIZE}",
    )
    return _sql(*(statement.replace("SIZE", size) for statement in statements))


def _rewrite(conn: Connection, log: DrillLog, signer: LocalNoteSigner) -> None:
    """Edit one event and recompute everything above it: leaves, nodes, roots, and heads signed by `signer`."""
    _sql(_EDIT_BODY, _LEAVES_FOLLOW, "DELETE FROM audit.nodes")(conn, log)
    tree, heads = MerkleTree(), set(log.heads)
    query = "SELECT e.body FROM audit.sequence s JOIN audit.entries e ON e.id = s.entry_id ORDER BY s.index"
    for (body,) in conn.execute(text(query)).all():
        for node in tree.add(leaf_hash(bytes(body))):
            conn.execute(text("INSERT INTO audit.nodes VALUES (:level, :index, :hash)"),
                         {"level": node.level, "index": node.index, "hash": node.hash})  # fmt: skip
        if tree.size in heads:
            note = sign_checkpoint(Checkpoint(log.vkeys[0].name, tree.size, tree.root()), signer)
            conn.execute(text("UPDATE audit.checkpoints SET root = :root, note = :note WHERE size = :size"),
                         {"root": tree.root(), "note": note, "size": tree.size})  # fmt: skip


def _with_another_key(conn: Connection, log: DrillLog) -> None:
    _rewrite(conn, log, LocalNoteSigner(log.vkeys[0].name, Ed25519PrivateKey.generate()))


def _with_the_real_key(conn: Connection, log: DrillLog) -> None:
    if log.signer:
        _rewrite(conn, log, log.signer)


def _leaf(*words: str) -> Callable[[DrillLog], Sequence[Words]]:
    return lambda log: [(f"leaf {log.target.index},", *words)]


_EDIT_BODY = (
    "UPDATE audit.entries SET body = convert_to(replace(convert_from(body, 'UTF8'), "
    "'\"actor\":\"', '\"actor\":\"not-'), 'UTF8') WHERE id = {target}"
)
_LEAVES_FOLLOW = "UPDATE audit.sequence s SET leaf = e.leaf FROM audit.entries e WHERE e.id = s.entry_id"
_SWAP = (
    "CREATE TEMP TABLE kept ON COMMIT DROP AS SELECT id, body, tenant, subjects, actor, kind, recorded_at "
    "FROM audit.entries WHERE id IN ({target}, {other})",
    "UPDATE audit.entries e SET body = k.body, tenant = k.tenant, subjects = k.subjects, actor = k.actor, "
    "kind = k.kind, recorded_at = k.recorded_at FROM kept k "
    "WHERE e.id IN ({target}, {other}) AND k.id = {target} + {other} - e.id",
)
UNCHANGED = TamperingCase("no change, for comparison", _sql(), lambda _: [])
CASES = (
    TamperingCase("edit the body of an event", _sql(_EDIT_BODY), _leaf("edited")),
    TamperingCase(
        "edit a stored leaf",
        _sql("UPDATE audit.sequence SET leaf = sha256('x') WHERE index = {leaf}"),
        _leaf("stored leaf was changed"),
    ),
    TamperingCase("edit a body and its leaf", _sql(_EDIT_BODY, _LEAVES_FOLLOW), lambda log: [(log.around,)]),
    TamperingCase(
        "edit a column: another tenant",
        _sql("UPDATE audit.entries SET tenant = 'rival' WHERE id = {target}"),
        _leaf("column tenant says 'rival'"),
    ),
    TamperingCase(
        "edit a prompt",
        _sql("UPDATE audit.private SET value = value || ' flowers' WHERE event_id = '{event}'"),
        _leaf("does not fit its digest"),
        lambda log: log.target.has_private,
    ),
    TamperingCase(
        "delete a prompt",
        _sql("DELETE FROM audit.private WHERE event_id = '{event}'"),
        _leaf("no event says it was erased"),
        lambda log: log.target.has_private,
    ),
    TamperingCase("delete one event", _sql("DELETE FROM audit.entries WHERE id = {target}"), _leaf("deleted")),
    TamperingCase(
        "delete one event and its leaf",
        _sql("DELETE FROM audit.entries WHERE id = {target}", "DELETE FROM audit.sequence WHERE index = {leaf}"),
        lambda log: [(f"leaf {log.target.index}:", "deleted")],
    ),
    TamperingCase(
        "delete the tail",
        _sql(
            "DELETE FROM audit.entries WHERE id IN (SELECT entry_id FROM audit.sequence WHERE index >= {size} - 2)",
            "DELETE FROM audit.sequence WHERE index >= {size} - 2",
        ),
        lambda log: [(f"leaf {log.size - 2}, {log.size - 1}:", "deleted")],
    ),
    TamperingCase(
        "delete the tail with its head",
        _cut_after("previous"),
        lambda log: [(f"covers {log.size} leaves, the pack's newest {log.heads[-2]}", "cut off")],
    ),
    TamperingCase(
        "reorder: swap two leaves",
        _sql(
            "UPDATE audit.sequence SET index = index + 1000000000 WHERE index IN ({leaf}, {next})",
            "UPDATE audit.sequence SET index = {leaf} + {next} + 1000000000 - index WHERE index >= 1000000000",
        ),
        lambda log: [("reordered",), (log.around,), ("do not hash",)],
    ),
    TamperingCase(
        "insert an event in the middle",
        _sql(
            "INSERT INTO audit.entries (event_id, tenant, kind, actor, subjects, recorded_at, body) "
            "SELECT gen_random_uuid(), tenant, kind, actor, subjects, recorded_at, body FROM audit.entries "
            "WHERE id = {target}",
            "UPDATE audit.sequence SET index = index + 1000000000 WHERE index > {leaf}",
            "UPDATE audit.sequence SET index = index - 999999999 WHERE index >= 1000000000",
            "INSERT INTO audit.sequence SELECT {leaf} + 1, id, event_id, leaf FROM audit.entries "
            "ORDER BY id DESC LIMIT 1",
        ),
        lambda log: [(f"leaf {log.target.index + 1},", "column event_id")],
    ),
    TamperingCase(
        "swap the events of two tenants", _sql(*_SWAP), _leaf("column event_id"), lambda log: log.other is not None
    ),
    TamperingCase(
        "replace a head with another",
        _sql(
            "UPDATE audit.checkpoints SET note = (SELECT note FROM audit.checkpoints "
            "WHERE size = {source}) WHERE size = {previous}"
        ),
        lambda log: [(f"checkpoints/{log.heads[-2]}:", "replaced")],
    ),
    TamperingCase(
        "restore an older copy of the database",
        _cut_after("first"),
        lambda log: [(f"covers {log.size} leaves, the pack's newest {log.heads[0]}", "older copy")],
    ),
    TamperingCase(
        "rewrite everything, signed with another key",
        _with_another_key,
        lambda log: [(f"checkpoints/{log.size}:", "an unknown key")],
    ),
    TamperingCase(
        "rewrite everything, signed with the real key",
        _with_the_real_key,
        lambda _: [("the checkpoint you kept:", "two histories")],
        lambda log: log.signer is not None,
    ),
)

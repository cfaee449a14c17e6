"""What a database superuser can do to a log, and the words with which the offline verifier must name it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, text

from deploy.drill.log import Scene
from policy.ledger.tree.keys import LocalNoteSigner
from policy.ledger.tree.merkle import Tree, leaf_hash
from policy.ledger.tree.notes import Checkpoint, sign_checkpoint

Act = Callable[[Connection, Scene], None]
Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Crime:
    """An act, and the words of the line that names it: the first of these that one line holds all of."""

    name: str
    commit: Act
    words: Callable[[Scene], Sequence[Words]]
    possible: Callable[[Scene], bool] = lambda _: True


def _sql(*statements: str) -> Act:
    """Statements in which {victim} and its like are numbers of the scene."""

    def run(conn: Connection, scene: Scene) -> None:
        values = {
            "victim": scene.victim.entry_id,
            "leaf": scene.victim.index,
            "event": scene.victim.event_id,
            "next": scene.neighbour.index,
            "other": scene.other.entry_id if scene.other else 0,
            "size": scene.size,
            "previous": scene.heads[-2],
            "first": scene.heads[0],
            "source": scene.heads[0] if scene.heads[0] != scene.heads[-2] else scene.size,
        }
        for statement in statements:
            conn.execute(text(statement.format(**values)))

    return run


def _cut_after(size: str) -> Act:
    """Everything above the head of this size is gone, heads, texts and nodes included."""
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


def _rewrite(conn: Connection, scene: Scene, signer: LocalNoteSigner) -> None:
    """Change one event and make everything above it fit: leaves, nodes, roots, and heads signed by `signer`."""
    _sql(_EDIT_BODY, _LEAVES_FOLLOW, "DELETE FROM audit.nodes")(conn, scene)
    tree, heads = Tree(), set(scene.heads)
    query = "SELECT e.body FROM audit.sequence s JOIN audit.entries e ON e.id = s.entry_id ORDER BY s.index"
    for (body,) in conn.execute(text(query)).all():
        for node in tree.add(leaf_hash(bytes(body))):
            conn.execute(text("INSERT INTO audit.nodes VALUES (:level, :index, :hash)"),
                         {"level": node.level, "index": node.index, "hash": node.hash})  # fmt: skip
        if tree.size in heads:
            note = sign_checkpoint(Checkpoint(scene.vkeys[0].name, tree.size, tree.root()), signer)
            conn.execute(text("UPDATE audit.checkpoints SET root = :root, note = :note WHERE size = :size"),
                         {"root": tree.root(), "note": note, "size": tree.size})  # fmt: skip


def _with_another_key(conn: Connection, scene: Scene) -> None:
    _rewrite(conn, scene, LocalNoteSigner(scene.vkeys[0].name, Ed25519PrivateKey.generate()))


def _with_the_real_key(conn: Connection, scene: Scene) -> None:
    if scene.signer:
        _rewrite(conn, scene, scene.signer)


def _leaf(*words: str) -> Callable[[Scene], Sequence[Words]]:
    return lambda scene: [(f"leaf {scene.victim.index},", *words)]


_EDIT_BODY = (
    "UPDATE audit.entries SET body = convert_to(replace(convert_from(body, 'UTF8'), "
    "'\"actor\":\"', '\"actor\":\"not-'), 'UTF8') WHERE id = {victim}"
)
_LEAVES_FOLLOW = "UPDATE audit.sequence s SET leaf = e.leaf FROM audit.entries e WHERE e.id = s.entry_id"
_SWAP = (
    "CREATE TEMP TABLE kept ON COMMIT DROP AS SELECT id, body, tenant, subjects, actor, kind, recorded_at "
    "FROM audit.entries WHERE id IN ({victim}, {other})",
    "UPDATE audit.entries e SET body = k.body, tenant = k.tenant, subjects = k.subjects, actor = k.actor, "
    "kind = k.kind, recorded_at = k.recorded_at FROM kept k "
    "WHERE e.id IN ({victim}, {other}) AND k.id = {victim} + {other} - e.id",
)
NOTHING = Crime("nothing, for comparison", _sql(), lambda _: [])
CRIMES = (
    Crime("edit the body of an event", _sql(_EDIT_BODY), _leaf("edited")),
    Crime("edit a stored leaf", _sql("UPDATE audit.sequence SET leaf = sha256('x') WHERE index = {leaf}"),
          _leaf("stored leaf was changed")),
    Crime("edit a body and its leaf", _sql(_EDIT_BODY, _LEAVES_FOLLOW), lambda scene: [(scene.around,)]),
    Crime("edit a column: another tenant", _sql("UPDATE audit.entries SET tenant = 'rival' WHERE id = {victim}"),
          _leaf("column tenant says 'rival'")),
    Crime("edit a prompt", _sql("UPDATE audit.private SET value = value || ' flowers' WHERE event_id = '{event}'"),
          _leaf("does not fit its digest"), lambda scene: scene.victim.told),
    Crime("take a prompt away", _sql("DELETE FROM audit.private WHERE event_id = '{event}'"),
          _leaf("no event says it was erased"), lambda scene: scene.victim.told),
    Crime("delete one event", _sql("DELETE FROM audit.entries WHERE id = {victim}"), _leaf("deleted")),
    Crime("delete one event and its leaf",
          _sql("DELETE FROM audit.entries WHERE id = {victim}", "DELETE FROM audit.sequence WHERE index = {leaf}"),
          lambda scene: [(f"leaf {scene.victim.index}:", "deleted")]),
    Crime("delete the tail",
          _sql("DELETE FROM audit.entries WHERE id IN "
               "(SELECT entry_id FROM audit.sequence WHERE index >= {size} - 2)",
               "DELETE FROM audit.sequence WHERE index >= {size} - 2"),
          lambda scene: [(f"leaf {scene.size - 2}, {scene.size - 1}:", "deleted")]),
    Crime("delete the tail with its head", _cut_after("previous"),
          lambda scene: [(f"covers {scene.size} leaves, the pack's newest {scene.heads[-2]}", "cut off")]),
    Crime("reorder: two leaves change places",
          _sql("UPDATE audit.sequence SET index = index + 1000000000 WHERE index IN ({leaf}, {next})",
               "UPDATE audit.sequence SET index = {leaf} + {next} + 1000000000 - index WHERE index >= 1000000000"),
          lambda scene: [("reordered",), (scene.around,), ("do not hash",)]),
    Crime("insert an event in the middle",
          _sql("INSERT INTO audit.entries (event_id, tenant, kind, actor, subjects, recorded_at, body) "
               "SELECT gen_random_uuid(), tenant, kind, actor, subjects, recorded_at, body FROM audit.entries "
               "WHERE id = {victim}",
               "UPDATE audit.sequence SET index = index + 1000000000 WHERE index > {leaf}",
               "UPDATE audit.sequence SET index = index - 999999999 WHERE index >= 1000000000",
               "INSERT INTO audit.sequence SELECT {leaf} + 1, id, event_id, leaf FROM audit.entries "
               "ORDER BY id DESC LIMIT 1"),
          lambda scene: [(f"leaf {scene.victim.index + 1},", "column event_id")]),
    Crime("swap the events of two tenants", _sql(*_SWAP), _leaf("column event_id"),
          lambda scene: scene.other is not None),
    Crime("replace a head by another", _sql("UPDATE audit.checkpoints SET note = (SELECT note FROM audit.checkpoints "
                                            "WHERE size = {source}) WHERE size = {previous}"),
          lambda scene: [(f"checkpoints/{scene.heads[-2]}:", "replaced")]),
    Crime("roll the database back to yesterday", _cut_after("first"),
          lambda scene: [(f"covers {scene.size} leaves, the pack's newest {scene.heads[0]}", "older copy")]),
    Crime("rewrite all, signed with another key", _with_another_key,
          lambda scene: [(f"checkpoints/{scene.size}:", "an unknown key")]),
    Crime("rewrite all, signed with the real key", _with_the_real_key,
          lambda _: [("the checkpoint you kept:", "two histories")], lambda scene: scene.signer is not None),
)  # fmt: skip

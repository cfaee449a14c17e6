"""The tampering drill: a log made for it, copied once for each crime, the crime as superuser, the auditor's verdict.

The judge is the offline verifier, given a pack of the tampered copy, the public key and one checkpoint from before.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, Engine, create_engine, text

from deploy.embedded.postgres import Postgres
from migrations.upgrade import upgrade
from policy.events import ItemRefused, Private
from policy.ledger import offline_verifier
from policy.ledger.append import append
from policy.ledger.keys import LocalNoteSigner
from policy.ledger.merkle import Tree, leaf_hash
from policy.ledger.notes import Checkpoint, sign_checkpoint
from policy.ledger.pack import write_pack
from policy.ledger.seal import seal
from policy.ledger.selection import Selection

ORIGIN = "presswork.example/drill"
SEALS, EVENTS_A_SEAL = 3, 5  # entry n is leaf n - 1; tenants take turns
_TABLES = ("entries", "private", "sequence", "nodes", "checkpoints")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done to a copy, and what the verifier said of it; `named` is the line that names it."""

    crime: str
    problems: tuple[str, ...]
    named: str | None


@dataclass(frozen=True, slots=True)
class Crime:
    """What a superuser does, and the words with which the verifier must name the place."""

    name: str
    commit: Callable[[Connection, LocalNoteSigner], None]
    words: tuple[str, ...]


def _sql(*statements: str) -> Callable[[Connection, LocalNoteSigner], None]:
    def run(conn: Connection, _: LocalNoteSigner) -> None:
        for statement in statements:
            conn.execute(text(statement))

    return run


def _rewrite(conn: Connection, signer: LocalNoteSigner) -> None:
    """Change one event and make everything above it fit: leaf, roots, and heads signed by `signer`."""
    conn.execute(text(_EDIT_BODY))
    conn.execute(text(_LEAVES_FOLLOW))
    tree = Tree()
    for (body,) in conn.execute(text("SELECT body FROM audit.entries ORDER BY id")).all():
        tree.add(leaf_hash(bytes(body)))
        if tree.size % EVENTS_A_SEAL == 0:
            note = sign_checkpoint(Checkpoint(ORIGIN, tree.size, tree.root()), signer)
            conn.execute(
                text("UPDATE audit.checkpoints SET root = :root, note = :note WHERE size = :size"),
                {"root": tree.root(), "note": note, "size": tree.size},
            )


def _rewrite_with_another_key(conn: Connection, _: LocalNoteSigner) -> None:
    _rewrite(conn, LocalNoteSigner(ORIGIN, Ed25519PrivateKey.generate()))


_EDIT_BODY = (
    "UPDATE audit.entries SET body = convert_to(replace(convert_from(body, 'UTF8'), 'weapons', 'flowers'), 'UTF8') "
    "WHERE id = 4"
)
_LEAVES_FOLLOW = "UPDATE audit.sequence s SET leaf = e.leaf FROM audit.entries e WHERE e.id = s.entry_id"
CRIMES = (
    Crime("edit the body of an event", _sql(_EDIT_BODY), ("leaf 3,", "edited")),
    Crime("edit a stored leaf", _sql("UPDATE audit.sequence SET leaf = sha256('x') WHERE index = 3"),
          ("leaf 3,", "stored leaf was changed")),
    Crime("edit a body and its leaf", _sql(_EDIT_BODY, _LEAVES_FOLLOW), ("leaves 0 to 4", "leaf 3,")),
    Crime("edit a column: another tenant", _sql("UPDATE audit.entries SET tenant = 'rival' WHERE id = 4"),
          ("leaf 3,", "column tenant says 'rival'")),
    Crime("edit a prompt", _sql("UPDATE audit.private SET value = 'flowers' WHERE field = 'prompt' AND event_id = "
                                "(SELECT event_id FROM audit.entries WHERE id = 4)"),
          ("leaf 3,", "does not fit its digest")),
    Crime("delete one event", _sql("DELETE FROM audit.entries WHERE id = 4"), ("leaf 3,", "deleted")),
    Crime("delete one event and its leaf",
          _sql("DELETE FROM audit.entries WHERE id = 4", "DELETE FROM audit.sequence WHERE index = 3"),
          ("leaf 3:", "deleted")),
    Crime("delete the tail",
          _sql("DELETE FROM audit.entries WHERE id > 13", "DELETE FROM audit.sequence WHERE index > 12"),
          ("leaf 13, 14:", "deleted")),
    Crime("delete the tail with its checkpoint",
          _sql("DELETE FROM audit.entries WHERE id > 10", "DELETE FROM audit.sequence WHERE index > 9",
               "DELETE FROM audit.checkpoints WHERE size > 10"), ("covers 15 leaves, the pack's newest 10", "cut off")),
    Crime("reorder: two leaves change places",
          _sql("UPDATE audit.sequence SET index = 99 WHERE index = 1",
               "UPDATE audit.sequence SET index = 1 WHERE index = 3",
               "UPDATE audit.sequence SET index = 3 WHERE index = 99"), ("leaf 2,", "reordered")),
    Crime("insert an event in the middle",
          _sql("INSERT INTO audit.entries (event_id, tenant, kind, actor, subjects, recorded_at, body) "
               "SELECT gen_random_uuid(), tenant, kind, actor, subjects, recorded_at, body FROM audit.entries "
               "WHERE id = 4",
               "UPDATE audit.sequence SET index = index + 1000 WHERE index > 3",
               "UPDATE audit.sequence SET index = index - 999 WHERE index > 1000",
               "INSERT INTO audit.sequence SELECT 4, id, event_id, leaf FROM audit.entries WHERE id > 15"),
          ("leaf 4,", "column event_id")),
    Crime("swap the events of two tenants",
          _sql("CREATE TEMP TABLE kept ON COMMIT DROP AS SELECT id, body, tenant, subjects FROM audit.entries "
               "WHERE id IN (3, 8)",
               "UPDATE audit.entries e SET body = k.body, tenant = k.tenant, subjects = k.subjects FROM kept k "
               "WHERE e.id + k.id = 11 AND e.id IN (3, 8)"), ("leaf 7,", "not those that were sealed")),
    Crime("replace a checkpoint", _sql("UPDATE audit.checkpoints SET note = (SELECT note FROM audit.checkpoints "
                                       "WHERE size = 5) WHERE size = 10"), ("checkpoints/10:", "replaced")),
    Crime("roll the database back to yesterday",
          _sql("DELETE FROM audit.private WHERE event_id IN (SELECT event_id FROM audit.entries WHERE id > 5)",
               "DELETE FROM audit.entries WHERE id > 5", "DELETE FROM audit.sequence WHERE index > 4",
               "DELETE FROM audit.checkpoints WHERE size > 5"),
          ("covers 15 leaves, the pack's newest 5", "older copy")),
    Crime("rewrite all, signed with another key", _rewrite_with_another_key, ("checkpoints/15:", "an unknown key")),
    Crime("rewrite all, signed with the real key", _rewrite, ("the checkpoint you kept:", "two histories")),
)  # fmt: skip


def drill(postgres: Postgres, folder: Path) -> Iterator[Outcome]:
    """The untouched log first, then each crime on a copy of its own. Databases are made and dropped on `postgres`."""
    signer = LocalNoteSigner(ORIGIN, Ed25519PrivateKey.generate())
    admin = create_engine(postgres.url("superuser", database="postgres"), isolation_level="AUTOCOMMIT")
    with ExitStack() as open_here:
        open_here.callback(admin.dispose)
        original = open_here.enter_context(_database(admin, "template0"))
        upgrade(postgres.url("owner", database=original))
        kept = _make_log(postgres, original, signer)
        for crime in (Crime("nothing, for comparison", _sql(), ()), *CRIMES):
            with _database(admin, original) as copy:
                with _engine(postgres, "superuser", copy) as engine, engine.begin() as conn:
                    for table in _TABLES:
                        conn.execute(text(f"ALTER TABLE audit.{table} DISABLE TRIGGER ALL"))
                    crime.commit(conn, signer)
                with _engine(postgres, "auditor", copy) as engine, engine.connect() as conn:
                    write_pack(conn, folder / "pack.zip", Selection(), vkeys=[signer.vkey])
            found = tuple(offline_verifier.verify(folder / "pack.zip", [str(signer.vkey)], [kept]).problems)
            named = next((said for said in found if all(word in said for word in crime.words)), None)
            yield Outcome(crime.name, found, named)


def _make_log(postgres: Postgres, database: str, signer: LocalNoteSigner) -> str:
    """Two tenants' events under three checkpoints; the last of them, as an auditor would keep it."""
    note = ""
    with _engine(postgres, "worker", database) as worker, _engine(postgres, "sealer", database) as sealer:
        for number in range(SEALS * EVENTS_A_SEAL):
            with worker.begin() as conn:
                append(conn, tenant=("acme", "globex")[number % 2], actor="drill", events=[_event(number)])
            if (number + 1) % EVENTS_A_SEAL == 0:
                with sealer.begin() as conn:
                    sealed = seal(conn, signer, (signer.vkey,))
                note = sealed.note if sealed else note
    return note


def _event(number: int) -> ItemRefused:
    return ItemRefused(
        request_id=f"request-{number % 2}",
        item_id=f"item-{number}",
        batch_id=None,
        attempt=None,
        prompt=Private(f"a thing that is refused, number {number}"),
        negative_prompt=Private(""),
        recipe={"model": "starter"},
        seed=str(number),
        verdict={"decision": "refuse", "findings": ["weapons"]},
    )


@contextmanager
def _database(admin: Engine, template: str) -> Iterator[str]:
    """A database of a name nobody else has, dropped afterwards."""
    name = f"drill_{secrets.token_hex(6)}"
    with admin.connect() as conn:
        conn.execute(text(f"CREATE DATABASE {name} OWNER presswork_owner TEMPLATE {template}"))
    try:
        yield name
    finally:
        with admin.connect() as conn:
            conn.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@contextmanager
def _engine(postgres: Postgres, role: str, database: str) -> Iterator[Engine]:
    engine = create_engine(postgres.url(role, database=database))
    try:
        yield engine
    finally:
        engine.dispose()

"""The tampering drill: a log, copied once for each crime, the crime as superuser, the auditor's verdict.

The judge is the offline verifier, given a pack of the tampered copy, the public keys and the newest head from before.
The log is made for the drill, or it is the beginning of a real one, which is verified before and after, read by the
auditor's login alone, and never written. Killed anywhere, nothing but a temporary folder is left.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, Engine, create_engine, text

from deploy.drill.log import ORIGIN, TABLES, Scene, copy_log, make_log, scene_of
from deploy.drill.tampering_cases import CRIMES, NOTHING, Crime
from deploy.embedded.postgres import Postgres
from migrations.upgrade import upgrade
from policy.errors import BrokenLedger
from policy.ledger.evidence import offline_verifier
from policy.ledger.evidence.pack import write_pack
from policy.ledger.evidence.selection import Selection
from policy.ledger.tree.keys import LocalNoteSigner
from policy.ledger.tree.notes import Vkey
from policy.ledger.verification.verify import verify

Connect = Callable[[], Connection]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done to a copy, and what the verifier said of it; `named` is the line that names it."""

    crime: str
    problems: tuple[str, ...]
    named: str | None
    possible: bool = True  # False: this log has nothing to do it to


@dataclass(frozen=True, slots=True)
class RealLog:
    """Somebody's log: how an auditor reads it, whose keys sign it, how many leaves are copied at most."""

    connect: Connect
    vkeys: tuple[Vkey, ...]
    limit: int


def drill(postgres: Postgres, folder: Path, real: RealLog | None = None) -> Iterator[Outcome]:
    """The untouched log first, then each crime on a copy of its own. Databases are made and dropped on `postgres`.

    Raises BrokenLedger for a real log that is not intact, or is not afterwards what it was before.
    """
    admin = create_engine(postgres.url("superuser", database="postgres"), isolation_level="AUTOCOMMIT")
    with ExitStack() as open_here:
        open_here.callback(admin.dispose)
        original = open_here.enter_context(_database(admin, "template0"))
        upgrade(postgres.url("owner", database=original))
        signer = None if real else LocalNoteSigner(ORIGIN, Ed25519PrivateKey.generate())
        vkeys = real.vkeys if real else (signer.vkey,) if signer else ()
        before = _intact(real.connect, vkeys) if real else ""
        _fill(postgres, original, signer, real)
        with _engine(postgres, "auditor", original) as engine, engine.connect() as conn:
            here = _root(conn, vkeys)
            scene = scene_of(conn, vkeys, signer)
        for crime in (NOTHING, *CRIMES):
            if not crime.possible(scene):
                yield Outcome(crime.name, (), None, possible=False)
                continue
            with _database(admin, original) as copy:
                yield _committed(postgres, copy, crime, scene, folder / "pack.zip")
        with _engine(postgres, "auditor", original) as engine, engine.connect() as conn:
            _same(here, _root(conn, vkeys), "the log that the copies were made of")
        if real:
            _same(before, _intact(real.connect, vkeys, below=before), "the real log")


def _committed(postgres: Postgres, copy: str, crime: Crime, scene: Scene, path: Path) -> Outcome:
    with _engine(postgres, "superuser", copy) as engine, engine.begin() as conn:
        for table in TABLES:
            conn.execute(text(f"ALTER TABLE audit.{table} DISABLE TRIGGER ALL"))
        crime.commit(conn, scene)
    with _engine(postgres, "auditor", copy) as engine, engine.connect() as conn:
        write_pack(conn, path, Selection(), vkeys=scene.vkeys)
    found = tuple(offline_verifier.verify(path, [vkey.line for vkey in scene.vkeys], [scene.kept]).problems)
    wanted = [words for words in crime.words(scene) if any(all(word in said for word in words) for said in found)]
    named = next((said for said in found if wanted and all(word in said for word in wanted[0])), None)
    return Outcome(crime.name, found, named)


def _fill(postgres: Postgres, database: str, signer: LocalNoteSigner | None, real: RealLog | None) -> None:
    if signer is not None:
        with _engine(postgres, "worker", database) as worker, _engine(postgres, "sealer", database) as sealer:
            make_log(worker, sealer, signer)
    elif real is not None:
        with (
            _engine(postgres, "superuser", database) as engine,
            engine.begin() as target,
            real.connect() as source,
        ):
            copy_log(source, target, limit=real.limit)


def _intact(connect: Connect, vkeys: Sequence[Vkey], *, below: str = "") -> str:
    """The newest head of a log that verifies from end to end; or that of an earlier time, which it still must hold."""
    with connect() as conn:
        report = verify(conn, vkeys)
        if not report.intact:
            raise BrokenLedger(f"the log is not as it was signed: {report.problems[0].message}; "
                               "'presswork audit verify' says more")  # fmt: skip
        size = int(below.partition(" ")[0]) if below else report.proven
        root = conn.scalar(text("SELECT encode(root, 'hex') FROM audit.checkpoints WHERE size = :size"), {"size": size})
    return f"{size} leaves, root {root}"


def _root(conn: Connection, vkeys: Sequence[Vkey]) -> str:
    report = verify(conn, vkeys)
    return f"{report.proven} leaves, root {report.root.hex()}, {len(report.problems)} problems"


def _same(before: str, after: str, what: str) -> None:
    if before != after:
        raise BrokenLedger(f"{what} was changed by the drill: {before} before, {after} afterwards")


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

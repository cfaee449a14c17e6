"""Tampering drill: copies a log once per case, applies the case as superuser, and runs the offline verifier.

Then a pack of the unchanged copy is forged, once per forgery. The verifier gets each pack, the public keys and the
newest head from before. The log is generated for the drill, or it is the beginning of a real log. A real log is
verified before and after, read with the auditor's login only, and never written. A drill that is killed leaves nothing
but a temporary folder.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, Engine, create_engine, text

from deploy.drill.log import ORIGIN, TABLES, DrillLog, copy_log, describe_log, make_log
from deploy.drill.pack_cases import FORGERIES, answer, forged, named_in
from deploy.drill.tampering_cases import CASES, UNCHANGED, TamperingCase
from deploy.embedded.postgres import Postgres
from migrations.upgrade import upgrade
from policy.errors import BrokenLedger
from policy.ledger.evidence.pack import write_pack
from policy.ledger.evidence.selection import Selection
from policy.ledger.tree.keys import LocalNoteSigner
from policy.ledger.tree.notes import Vkey
from policy.ledger.verification.verify import verify

Connect = Callable[[], Connection]


@dataclass(frozen=True, slots=True)
class DrillResult:
    """A case and what the verifier said about the copy; `named` is the line that names the change."""

    case: str
    problems: tuple[str, ...]
    named: str | None
    applicable: bool = True  # False: this log has nothing that the case could change


@dataclass(frozen=True, slots=True)
class RealLog:
    """A real log: how the auditor connects to it, the keys that sign it, and how many leaves are copied at most."""

    connect: Connect
    vkeys: tuple[Vkey, ...]
    limit: int


def drill(postgres: Postgres, folder: Path, real: RealLog | None = None) -> Iterator[DrillResult]:
    """The unchanged log first, each case on its own copy, then the forged packs.

    Databases are created and dropped on `postgres`. Raises BrokenLedger if a real log is not intact, or differs
    afterwards.
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
            log = describe_log(conn, vkeys, signer)
        for case in (UNCHANGED, *CASES):
            if not case.applicable(log):
                yield DrillResult(case.name, (), None, applicable=False)
                continue
            with _database(admin, original) as copy:
                yield _applied(postgres, copy, case, log, folder / "pack.zip")
        with _engine(postgres, "auditor", original) as engine, engine.connect() as conn:
            write_pack(conn, folder / "whole.zip", Selection(), vkeys=vkeys)
        for forgery in FORGERIES:
            found = answer(forged(folder / "whole.zip", forgery), [vkey.line for vkey in vkeys], [log.kept])
            yield DrillResult(forgery.name, found, named_in(found, forgery))
        with _engine(postgres, "auditor", original) as engine, engine.connect() as conn:
            _same(here, _root(conn, vkeys), "the log that was copied")
        if real:
            _same(before, _intact(real.connect, vkeys, below=before), "the real log")


def _applied(postgres: Postgres, copy: str, case: TamperingCase, log: DrillLog, path: Path) -> DrillResult:
    with _engine(postgres, "superuser", copy) as engine, engine.begin() as conn:
        for table in TABLES:
            conn.execute(text(f"ALTER TABLE audit.{table} DISABLE TRIGGER ALL"))
        case.apply(conn, log)
    with _engine(postgres, "auditor", copy) as engine, engine.connect() as conn:
        write_pack(conn, path, Selection(), vkeys=log.vkeys)
    found = answer(path, [vkey.line for vkey in log.vkeys], [log.kept])
    wanted = [words for words in case.expected(log) if any(all(word in said for word in words) for said in found)]
    named = next((said for said in found if wanted and all(word in said for word in wanted[0])), None)
    return DrillResult(case.name, found, named)


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
    """The newest head of a log that verifies completely, or the head `below`, which the log must still hold."""
    with connect() as conn:
        report = verify(conn, vkeys)
        if not report.intact:
            raise BrokenLedger(f"the log is not intact: {report.problems[0].message}. "
                               "`presswork audit verify` shows every problem")  # fmt: skip
        size = int(below.partition(" ")[0]) if below else report.proven
        root = conn.scalar(text("SELECT encode(root, 'hex') FROM audit.checkpoints WHERE size = :size"), {"size": size})
    return f"{size} leaves, root {root}"


def _root(conn: Connection, vkeys: Sequence[Vkey]) -> str:
    report = verify(conn, vkeys)
    return f"{report.proven} leaves, root {report.root.hex()}, {len(report.problems)} problems"


def _same(before: str, after: str, what: str) -> None:
    if before != after:
        raise BrokenLedger(f"{what} changed during the drill: {before} before, {after} afterwards")


@contextmanager
def _database(admin: Engine, template: str) -> Iterator[str]:
    """A database with a random name, dropped afterwards."""
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

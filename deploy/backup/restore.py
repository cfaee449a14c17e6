"""Return of a dump into an empty database, held against its manifest, with an event that says who did it and why.

    1. the dump's digest is that of the manifest; the roles are there; the database is empty
    2. pg_restore puts everything back in one transaction
    3. one more transaction compares the rows and the head with the manifest, and appends `database.restored`

Killed in 2, nothing is there. Killed before the end of 3, the rows are there without the event: the next run finds a
database that holds what the manifest says, and goes on with 3. Any other database that is not empty is refused.
"""

from __future__ import annotations

import json
from pathlib import Path

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from deploy.backup.manifest import DUMP, Contents, DumpManifest
from deploy.backup.programs import run, with_driver
from deploy.backup.take import digest
from deploy.embedded.passwords import DATABASE_ROLES
from deploy.errors import ComponentFailed, DataUnusable
from policy.events import DatabaseRestored, Private
from policy.ledger.append import SYSTEM_TENANT, append

_KNOWN = "select rolname::text from pg_roles where rolname like 'presswork\\_%'"
_FILLED = "select to_regclass('public.alembic_version') is not null or to_regclass('audit.entries') is not null"
_TOLD = "select count(*) from audit.entries where kind = 'database.restored' and :subject = any(subjects)"


def restore(url: str, folder: Path, *, by: str, reason: str) -> DumpManifest:
    """Restore the backup in `folder` into the database of `url`, as an administrator.

    Raises DataUnusable where the backup or the database cannot be used, ProgramMissing, and ComponentFailed.
    """
    manifest = DumpManifest.read(folder)
    if digest(folder / DUMP) != manifest.sha256:
        raise DataUnusable(f"{folder / DUMP} is not the file that the manifest names: its SHA-256 differs")
    engine = create_engine(with_driver(url), hide_parameters=True)
    try:
        with engine.begin() as conn:
            filled = _is_filled(conn, manifest)
        if not filled:
            run("pg_restore", make_url(url), ["--single-transaction", "--exit-on-error", "--no-password",
                                              f"--dbname={make_url(url).database}", str(folder / DUMP)])  # fmt: skip
        with engine.begin() as conn:
            _compare(conn, manifest)
            _tell(conn, manifest, by, reason)
    except SQLAlchemyError as error:
        raise ComponentFailed(f"Postgres: {' '.join(str(getattr(error, 'orig', error)).split())}") from error
    finally:
        engine.dispose()
    return manifest


def _is_filled(conn: Connection, manifest: DumpManifest) -> bool:
    """Whether the rows of this backup are there already. Raises DataUnusable where others are."""
    wanted = {f"presswork_{role}" for role in DATABASE_ROLES}
    if missing := wanted - set(conn.scalars(text(_KNOWN))):
        lacking = ", ".join(sorted(missing))
        raise DataUnusable(f"the server lacks {lacking}. Remedy: presswork provision --apply, then this command again")
    if not conn.scalar(text(_FILLED)):
        return False
    conn.execute(text("set local row_security = off"))
    if Contents.of(conn) != manifest.contents:
        raise DataUnusable(f"the database {conn.engine.url.database} is not empty. Remedy: name an empty one")
    return True


def _compare(conn: Connection, manifest: DumpManifest) -> None:
    conn.execute(text("set local row_security = off"))
    if (found := Contents.of(conn)) != manifest.contents:
        raise ComponentFailed(
            f"the database does not hold what was dumped: {json.dumps(found.rows)} instead of"
            f" {json.dumps(manifest.contents.rows)}. Remedy: make the database anew and repeat"
        )


def _tell(conn: Connection, manifest: DumpManifest, by: str, reason: str) -> None:
    """One event a dump. It is appended as the clerk, who carries out what people order."""
    if conn.scalar(text(_TOLD), {"subject": f"dump:{manifest.sha256}"}):
        return
    event = DatabaseRestored(
        dump_sha256=manifest.sha256,
        taken_at=manifest.taken_at,
        revision=manifest.contents.revision,
        size=manifest.contents.size,
        root=manifest.contents.root,
        person=Private(by),
        reason=Private(reason),
    )
    conn.execute(text("set local role presswork_clerk"))
    append(conn, tenant=SYSTEM_TENANT, actor=f"operator:{by}", events=[event])

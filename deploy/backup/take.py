"""Dump of the database with its manifest, both of one snapshot, while everything runs.

    1. a transaction exports its snapshot and reads what the manifest says
    2. pg_dump writes .database.dump.half under that snapshot
    3. the half is named database.dump
    4. manifest.json is written

Killed before 4, the folder holds no backup: restore refuses it, and the next run into it begins again.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from deploy.backup.manifest import DUMP, MANIFEST, Contents, DumpManifest
from deploy.backup.programs import run, with_driver
from deploy.errors import ComponentFailed, DataUnusable

_SNAPSHOT = "select pg_export_snapshot() as id, now()::text as at, current_setting('server_version') as server"


def take(url: str, folder: Path) -> DumpManifest:
    """Dump the database of `url` into `folder`, which holds no finished backup yet.

    The login must not be under row-level security. Raises DataUnusable, ProgramMissing and ComponentFailed.
    """
    if (folder / MANIFEST).exists():
        raise DataUnusable(f"{folder} holds a backup. Remedy: name a new folder")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    half = folder / f".{DUMP}.half"
    half.unlink(missing_ok=True)
    half.touch(mode=0o600)
    engine = create_engine(with_driver(url), isolation_level="REPEATABLE READ", hide_parameters=True)
    try:
        with engine.connect() as conn:
            conn.execute(text("set transaction read only"))
            conn.execute(text("set local row_security = off"))  # an error instead of a part of the rows
            snapshot = conn.execute(text(_SNAPSHOT)).one()
            contents = Contents.of(conn)
            options = ["--format=custom", f"--snapshot={snapshot.id}", f"--file={half}", "--no-password"]
            run("pg_dump", make_url(url), options)
    except SQLAlchemyError as error:
        raise ComponentFailed(f"Postgres: {' '.join(str(getattr(error, 'orig', error)).split())}") from error
    finally:
        engine.dispose()
    half.replace(folder / DUMP)
    manifest = DumpManifest(
        digest(folder / DUMP), (folder / DUMP).stat().st_size, snapshot.at, snapshot.server, contents
    )
    manifest.write(folder)
    return manifest


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

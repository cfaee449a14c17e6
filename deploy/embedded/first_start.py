"""First start: everything that a data directory needs before the application runs.

Each step is safe to repeat, so the next start finishes a first start that was killed.
"""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import create_engine

from deploy.embedded.environment import LEDGER_ORIGIN, key_folder
from deploy.embedded.passwords import api_key_file, reviewer_key_file
from deploy.embedded.stack import Stack
from migrations.upgrade import upgrade
from policy.ledger.tree.keys import make_key_files
from policy.marks.provenance.certificates import make_development_chain
from workers.jobs.keys import SCOPES, create_key, create_tenant

TENANT = "demo"
_ACTOR = "presswork up"


def prepare(stack: Stack) -> None:
    """Keys, migrations, and the first tenant with two keys (0600): `api.key` with every scope, and `reviewer.key`.

    The person who submitted a request may not release its images, so the reviewer is another person from the start.
    """
    keys = key_folder(stack.data)
    keys.folder.mkdir(mode=0o700, exist_ok=True)
    make_development_chain(keys.folder)
    make_key_files(keys.folder, origin=LEDGER_ORIGIN)
    upgrade(stack.postgres.url("owner"))
    if not api_key_file(stack.data).exists():
        _make_key(stack, api_key_file(stack.data), name="made at first start", scopes=SCOPES, person="operator")
    if not reviewer_key_file(stack.data).exists():
        _make_key(stack, reviewer_key_file(stack.data), name="reviewer", scopes=("review",), person="reviewer")


def _make_key(stack: Stack, path: Path, *, name: str, scopes: tuple[str, ...], person: str | None = None) -> None:
    """Write the key beside its file before the commit and rename it afterwards: a key in the file always works.

    A crash in between leaves a key that nobody knows, and the next start makes another one.
    """
    engine = create_engine(stack.postgres.url("api"))
    half = path.with_suffix(".half")
    half.unlink(missing_ok=True)
    with engine.begin() as conn:
        create_tenant(conn, TENANT, name="Demo", actor=_ACTOR)
        _, key = create_key(conn, TENANT, name=name, scopes=scopes, actor=_ACTOR, person=person)
        with os.fdopen(os.open(half, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as file:
            file.write(key)
    half.replace(path)
    engine.dispose()

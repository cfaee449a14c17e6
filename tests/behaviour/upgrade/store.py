"""Database of a release: filled by this checkout's code, written as SQL without its schema, with the ledger's key.

    python -m tests.behaviour.upgrade.store VERSION

Run once a release (docs/releasing.md). Writes VERSION.sql and VERSION.vkey beside this file, and overwrites neither.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from sqlalchemy import make_url

from deploy.embedded.postgres import _program
from deploy.embedded.stack import Stack
from tests.support.databases import Database, Databases
from tests.support.ledger import Ledger
from tests.support.line import Line, released
from tests.support.reviews import Reviewing
from workers.jobs.cancel import cancel_request
from workers.jobs.recall.criteria import Criteria
from workers.jobs.recall.orders import order
from workers.jobs.settle import settle
from workers.jobs.types import Failed
from workers.jobs.webhooks import endpoints

HERE = Path(__file__).parent
_FOR_PSQL = ("\\restrict ", "\\unrestrict ")  # commands of psql; the rest is SQL


def fill(database: Database) -> str:
    """Rows in the states that an installation stops in; a sealed and an unsealed part of the ledger. The public key."""
    line = Line.on(database)
    ledger = Ledger(database)
    line.add_tenant("acme")
    with line.as_tenant("acme") as conn:
        endpoints.create_webhook(conn, "acme", "https://example.com/", endpoints.EVENTS, actor="key:test")
    held = line.claimed(4)
    with line.worker.begin() as conn:
        settle(conn, held, [*(released(held, item) for item in held.items[:3]), Failed(held.items[3], "worker_lost")])
    with line.as_tenant("acme") as conn:
        order(conn, "acme", Criteria(model="studio"), reason_code="licence", reason="withdrawn", actor="key:test")
    ledger.seal()
    people = Reviewing(line, "bolt")
    waiting, refused = people.hold("brands", "brands")
    people.say("refuse", refused)
    people.say("release", waiting)
    people.hold("brands")
    ledger.seal()
    line.dispatch(line.submit("acme", 2))
    line.submit("bolt", 3)
    line.submit("cole", 2)
    (unwanted,) = line.submit("cole", 1)
    with line.as_tenant("cole") as conn:
        cancel_request(conn, "cole", str(line.item(unwanted).request_id), "key:test")
    return str(ledger.signer.vkey)


def dump(database: Database) -> str:
    """Every row, as INSERT statements with column names."""
    url = make_url(database.url("superuser"))
    told = subprocess.run(
        [
            _program("pg_dump"), "--data-only", "--column-inserts", "--exclude-table=public.alembic_version",
            f"--host={url.host}", f"--port={url.port}", f"--username={url.username}", str(url.database),
        ],
        env={**os.environ, "PGPASSWORD": str(url.password)}, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return "".join(line for line in told.stdout.splitlines(keepends=True) if not line.startswith(_FOR_PSQL))


def main() -> None:
    version = sys.argv[1]
    stored, key = HERE / f"{version}.sql", HERE / f"{version}.vkey"
    if stored.exists():
        sys.exit(f"{stored} is there already; the database of a release never changes")
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder) / "stack", ports={}) as stack:
        databases = Databases(stack)
        with databases.lent() as database:
            vkey = fill(database)
            rows = dump(database)
        databases.close()
    key.write_text(f"{vkey}\n")
    stored.write_text(rows)


if __name__ == "__main__":
    main()

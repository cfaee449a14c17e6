"""Supervisor: starts the services and the application's processes in order, keeps them running, stops them in order.

A component that ends is restarted after a pause, which doubles while it keeps ending. If the supervisor itself is
killed, its children end with it (see launch), and the next start cleans up. The application is stopped before the
services, so that the worker can finish or return its batch while Postgres, Redis and S3 still answer.
"""

from __future__ import annotations

import os
import signal
import time
import urllib.request
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from deploy.embedded import forks
from deploy.embedded import state as states
from deploy.embedded.children import Child, begin_log, own_start
from deploy.embedded.environment import process_environment
from deploy.embedded.first_start import prepare
from deploy.embedded.forks import Program, StartGate
from deploy.embedded.ports import LOOPBACK
from deploy.embedded.stack import Stack
from deploy.embedded.state import Component, ComponentState, State
from deploy.errors import ComponentFailed, DeployError
from workers.loop import Every

_ROOT = Path(__file__).resolve().parents[2]
_CHECK_SECONDS = 0.2
_ROTATE_SECONDS = 60.0
_API_READY_SECONDS = 90.0
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0
_STEADY_SECONDS = 30.0  # after a life of this length the pause starts at its first value again


GPU_IMPORTS = (
    "workers.sampling.sampler",
    "workers.gpu.executor",
    "workers.gpu.presence",
    "policy.marks.cutouts.marker",
)


@dataclass(frozen=True, slots=True)
class Process:
    """One of the application's processes, and how it is started."""

    name: str
    role: str
    program: Program
    grace_seconds: float  # from SIGTERM to SIGKILL


# Those first that take longest until they work. The fork server has imported what is not named here.
PROCESSES = (
    Process("api", "api", Program("api", (), ("api.app",)), 25.0),
    Process("worker", "worker", Program("workers", ("gpu",), GPU_IMPORTS), 60.0),
    Process("planner", "planner", Program("workers", ("planner",), ()), 10.0),
    Process("identify", "identify", Program("workers", ("identify",), ("workers.identification.loop",)), 10.0),
    Process("sealer", "sealer", Program("workers", ("sealer",), ()), 10.0),
    Process("clerk", "clerk", Program("workers", ("clerk",), ()), 10.0),
)


@dataclass(slots=True)
class _Supervised:
    """A component that is to run for as long as the supervisor does."""

    child: Child
    restarts: int = 0
    pause_seconds: float = _FIRST_PAUSE_SECONDS
    start_again_at: float | None = None


class Supervisor:
    """Runs until SIGTERM or Ctrl-C. Use from the main thread: children die with the thread that started them."""

    def __init__(self, data: Path) -> None:
        self._stack = Stack(data)
        self._kept: dict[str, _Supervised] = {}
        self._stopping = False
        self._phase, self._ready = "", False

    def run(self) -> None:
        """Start everything, watch it, stop it. Raises DeployError if the start fails; then everything is stopped."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        with closing(self._stack):
            self._stack.open()
            try:
                self._start_application()
                rotate = Every(_ROTATE_SECONDS, self._rotate_logs)
                while not self._stopping:
                    self._restart_ended()
                    rotate()
                    time.sleep(_CHECK_SECONDS)
            finally:
                self._stop_application()

    def _start_application(self) -> None:
        """The processes import while the services start; they run once the database is prepared."""
        gate = StartGate()
        application = {process.name: _Supervised(self._start(process, gate)) for process in PROCESSES}
        self._kept = dict(application)  # stopped with the rest if a service does not start
        self._stack.start()
        self._kept = {name: _Supervised(child) for name, child in self._stack.children.items()} | application
        self._record("preparing the database")
        prepare(self._stack)
        gate.open()
        self._record("starting the application")
        self._wait_for_api()
        self._ready = True
        self._record("running")

    def _start(self, process: Process, gate: StartGate | None = None) -> Child:
        log = self._stack.log_dir / f"{process.name}.log"
        begin_log(log)
        environment = process_environment(self._stack, process.role, os.environ)
        return Child(forks.start(process.program, environment=environment, log=log, cwd=_ROOT, gate=gate), log)

    def _wait_for_api(self) -> None:
        until = time.monotonic() + _API_READY_SECONDS
        child = self._kept["api"].child
        while time.monotonic() < until and not self._stopping:
            if (code := child.exit_code()) is not None:
                raise ComponentFailed(f"the API stopped while it started (exit code {code}). {child.log_tail()}")
            try:
                with urllib.request.urlopen(f"{self.api_url}/healthz", timeout=2):  # noqa: S310 - our own address
                    return
            except OSError:
                time.sleep(0.05)
        if not self._stopping:
            raise ComponentFailed(f"the API did not answer within {_API_READY_SECONDS:g} seconds. {child.log_tail()}")

    @property
    def api_url(self) -> str:
        return f"http://{LOOPBACK}:{self._stack.ports['api']}"

    def _rotate_logs(self) -> None:
        for kept in self._kept.values():
            kept.child.rotate_log()

    def _restart_ended(self) -> None:
        """Restart what has ended and waited long enough."""
        changed = False
        for name, kept in self._kept.items():
            code = kept.child.exit_code()
            if code is None:
                continue
            now = time.monotonic()
            if kept.start_again_at is None:
                lived = time.time() - kept.child.started
                kept.pause_seconds = (
                    _FIRST_PAUSE_SECONDS
                    if lived > _STEADY_SECONDS
                    else min(2 * kept.pause_seconds, _LONGEST_PAUSE_SECONDS)
                )
                kept.start_again_at = now + kept.pause_seconds
                print(f"{name} ended (exit code {code}), restarts in {kept.pause_seconds:g} s", flush=True)
                changed = True
            elif now >= kept.start_again_at:
                self._restart(name, kept)
                changed = True
        if changed:
            self._record("running")

    def _restart(self, name: str, kept: _Supervised) -> None:
        process = next((p for p in PROCESSES if p.name == name), None)
        if process is not None:
            kept.child = self._start(process)
        else:
            try:
                self._stack.restart(name)
            except DeployError as error:  # the others continue; this one is restarted after a longer pause
                print(error, flush=True)
                self._stack.kill(name)
            kept.child = self._stack.children[name]
        kept.restarts += 1
        kept.start_again_at = None

    def _stop_application(self) -> None:
        """Ask all at once, then wait for each as long as its grace period allows."""
        self._ready = False
        self._record("stopping")
        running = [(p, self._kept[p.name].child) for p in PROCESSES if p.name in self._kept]
        for _, child in running:
            child.ask_to_stop()
        for process, child in running:
            child.stop(grace_seconds=process.grace_seconds)
            del self._kept[process.name]

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True

    def _record(self, phase: str) -> None:
        """Write the state for `presswork status` and for the next start. Only while the lock is held."""
        if phase != self._phase:
            print(phase, flush=True)
        self._phase = phase
        components = tuple(
            Component(
                name, kept.child.pid, kept.child.started, self._state_of(kept), self._address(name), kept.restarts
            )
            for name, kept in self._kept.items()
        )
        record = State(phase, self._ready, os.getpid(), own_start(), self._stack.ports, components)
        states.write(self._stack.data, record)

    def _state_of(self, kept: _Supervised) -> str:
        if kept.start_again_at is not None:
            return ComponentState.WAITING
        return ComponentState.READY if self._ready else ComponentState.STARTING

    def _address(self, name: str) -> str:
        if name == "api":
            return self.api_url
        port = self._stack.ports.get(name)
        return f"{LOOPBACK}:{port}" if port else ""

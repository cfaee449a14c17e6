"""The stack and the application's processes, started in order, kept running, stopped in order.

A part that dies is started again after a pause that doubles while it keeps dying. Killed itself, its
children end with it (see launch), and the next start clears up. The stop order gives the worker time to
finish or give back its batch while Postgres, Redis and S3 still answer.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from deploy.embedded import state as states
from deploy.embedded.children import Child, own_start, spawn
from deploy.embedded.environment import process_environment
from deploy.embedded.first_start import prepare
from deploy.embedded.ports import LOOPBACK
from deploy.embedded.stack import Stack
from deploy.embedded.state import Part, PartState, State
from deploy.errors import DeployError, PartFailed

HOUSE = Path(__file__).resolve().parents[2]
_LOOK_SECONDS = 0.2
_API_READY_SECONDS = 90.0
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0
_STEADY_SECONDS = 30.0  # a part that lived this long starts again at the first pause


@dataclass(frozen=True, slots=True)
class Process:
    """One of the application's processes."""

    name: str
    role: str
    arguments: tuple[str, ...]
    grace_seconds: float  # from SIGTERM to SIGKILL


PROCESSES = (
    Process("api", "api", ("-m", "api"), 25.0),
    Process("planner", "planner", ("-m", "workers", "planner"), 10.0),
    Process("sealer", "sealer", ("-m", "workers", "sealer"), 10.0),
    Process("clerk", "clerk", ("-m", "workers", "clerk"), 10.0),
    Process("identify", "identify", ("-m", "workers", "identify"), 10.0),
    Process("worker", "worker", ("-m", "workers", "gpu"), 60.0),
)


@dataclass(slots=True)
class _Kept:
    """A part that is to run for as long as the supervisor does."""

    child: Child
    restarts: int = 0
    pause_seconds: float = _FIRST_PAUSE_SECONDS
    start_again_at: float | None = None


class Supervisor:
    """Runs until SIGTERM or ^C. Use from the main thread: children die with the thread that started them."""

    def __init__(self, data: Path) -> None:
        self._stack = Stack(data)
        self._kept: dict[str, _Kept] = {}
        self._stopping = False
        self._phase, self._ready = "", False

    def run(self) -> None:
        """Start everything, watch it, stop it. Raises DeployError if the start fails; what ran is stopped."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        with self._stack:
            self._kept = {name: _Kept(child) for name, child in self._stack.children.items()}
            try:
                self._start_application()
                while not self._stopping:
                    self._look()
                    time.sleep(_LOOK_SECONDS)
            finally:
                self._stop_application()

    def _start_application(self) -> None:
        self._tell("preparing the database")
        prepare(self._stack)
        for process in PROCESSES:
            self._kept[process.name] = _Kept(self._spawn(process))
        self._tell("starting the application")
        self._wait_for_api()
        self._ready = True
        self._tell("running")

    def _spawn(self, process: Process) -> Child:
        return spawn(
            [sys.executable, *process.arguments],
            log=self._stack.log_dir / f"{process.name}.log",
            environment=process_environment(self._stack, process.role, os.environ),
            cwd=HOUSE,
        )

    def _wait_for_api(self) -> None:
        until = time.monotonic() + _API_READY_SECONDS
        child = self._kept["api"].child
        while time.monotonic() < until and not self._stopping:
            if (code := child.exit_code()) is not None:
                raise PartFailed(f"the API stopped while starting (exit code {code}); {child.last_words()}")
            try:
                with urllib.request.urlopen(f"{self.api_url}/healthz", timeout=2):  # noqa: S310 - our own address
                    return
            except OSError:
                time.sleep(0.1)
        if not self._stopping:
            raise PartFailed(f"the API did not answer within {_API_READY_SECONDS:g} seconds; {child.last_words()}")

    @property
    def api_url(self) -> str:
        return f"http://{LOOPBACK}:{self._stack.ports['api']}"

    def _look(self) -> None:
        """Start again what has died and waited long enough."""
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
                print(f"{name} ended (exit code {code}), starts again in {kept.pause_seconds:g} s", flush=True)
                changed = True
            elif now >= kept.start_again_at:
                self._restart(name, kept)
                changed = True
        if changed:
            self._tell("running")

    def _restart(self, name: str, kept: _Kept) -> None:
        process = next((p for p in PROCESSES if p.name == name), None)
        if process is not None:
            kept.child = self._spawn(process)
        else:
            try:
                self._stack.restart(name)
            except DeployError as error:  # the others go on; this one is tried again after a longer pause
                print(error, flush=True)
                self._stack.kill(name)
            kept.child = self._stack.children[name]
        kept.restarts += 1
        kept.start_again_at = None

    def _stop_application(self) -> None:
        """Ask all side by side, then wait for each as long as its grace allows."""
        self._ready = False
        self._tell("stopping")
        running = [(p, self._kept[p.name].child) for p in PROCESSES if p.name in self._kept]
        for _, child in running:
            child.ask_to_stop()
        for process, child in running:
            child.stop(grace_seconds=process.grace_seconds)
            del self._kept[process.name]

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True

    def _tell(self, phase: str) -> None:
        """Write down what runs, for `presswork status` and for the next start. Only while the lock is ours."""
        if phase != self._phase:
            print(phase, flush=True)
        self._phase = phase
        parts = tuple(
            Part(name, kept.child.pid, kept.child.started, self._state_of(kept), self._address(name), kept.restarts)
            for name, kept in self._kept.items()
        )
        record = State(phase, self._ready, os.getpid(), own_start(), self._stack.ports, parts)
        states.write(self._stack.data, record)

    def _state_of(self, kept: _Kept) -> str:
        if kept.start_again_at is not None:
            return PartState.WAITING
        return PartState.READY if self._ready else PartState.STARTING

    def _address(self, name: str) -> str:
        if name == "api":
            return self.api_url
        port = self._stack.ports.get(name)
        return f"{LOOPBACK}:{port}" if port else ""

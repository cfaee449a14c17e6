"""Supervisor in the background: start it, wait until it is ready, stop it. What `up` and `down` do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from deploy.embedded import state as states
from deploy.embedded.children import is_same_process
from deploy.embedded.state import State
from deploy.errors import ComponentFailed, NotRunning

_START_SECONDS = 300.0
_STOP_SECONDS = 120.0
_CHECK_SECONDS = 0.05


def running(data: Path) -> State | None:
    """The state of the running supervisor on this data directory, None if none runs."""
    state = states.read(data) if data.exists() else None
    if state is None or not states.is_locked(data):
        return None
    return state if is_same_process(state.supervisor, state.supervisor_started) else None


def require_running(data: Path) -> State:
    """The state of the running supervisor. Raises NotRunning."""
    state = running(data)
    if state is None:
        raise NotRunning(f"no stack is running on {data}. Remedy: start it with `presswork up`, or name another --data")
    return state


def start(data: Path, report: Callable[[str], None]) -> State:
    """A running supervisor on `data`: the one that runs, or a new one. `report` is called with every phase.

    Raises ComponentFailed with the end of the supervisor's log if it does not get ready.
    """
    state = running(data)
    if state is not None and state.ready:
        return state
    states.make_directories(data)
    written_before = _log(data).stat().st_size if _log(data).exists() else 0
    child = _spawn(data) if state is None else None
    until, last = time.monotonic() + _START_SECONDS, ""
    while time.monotonic() < until:
        state = running(data)
        if state is not None and state.phase != last:
            last = state.phase
            report(last)
        if state is not None and state.ready:
            return state
        if child is not None and child.poll() is not None and not states.is_locked(data):
            raise ComponentFailed(
                _log_tail(data, written_before)
            )  # locked: another `up` was faster, and its supervisor counts
        time.sleep(_CHECK_SECONDS)
    raise ComponentFailed(
        f"the stack was not ready after {_START_SECONDS:g} seconds. {_log_tail(data, written_before)}"
    )


def stop(data: Path, report: Callable[[str], None]) -> None:
    """Ask the supervisor to stop, and wait until it has. Raises NotRunning."""
    state = require_running(data)
    os.kill(state.supervisor, signal.SIGTERM)
    report("stopping: the worker finishes or returns its batch")
    until = time.monotonic() + _STOP_SECONDS
    while time.monotonic() < until:
        if not is_same_process(state.supervisor, state.supervisor_started):
            return
        time.sleep(_CHECK_SECONDS)
    raise ComponentFailed(f"the supervisor (pid {state.supervisor}) did not stop within {_STOP_SECONDS:g} seconds")


def _spawn(data: Path) -> subprocess.Popen[bytes]:
    """A supervisor in its own session, which closing the terminal does not end."""
    with _log(data).open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "deploy.embedded", str(data.absolute())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=Path(__file__).resolve().parents[2],
        )


def _log(data: Path) -> Path:
    return data / "log" / "supervisor.log"


def _log_tail(data: Path, written_before: int) -> str:
    lines = _log(data).read_bytes()[written_before:].decode(errors="replace").strip().splitlines()
    return "\n".join(lines[-12:]) or f"The supervisor wrote nothing to its log {_log(data)}"

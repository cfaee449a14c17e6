"""Starting the supervisor in the background, waiting until it runs, stopping it: what `up` and `down` do."""

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
from deploy.embedded.stack import make_directories
from deploy.embedded.state import State
from deploy.errors import NotRunning, PartFailed

_START_SECONDS = 300.0
_STOP_SECONDS = 120.0
_LOOK_SECONDS = 0.1


def running(data: Path) -> State | None:
    """The state of the live supervisor on this data directory, None if none lives."""
    state = states.read(data) if data.exists() else None
    if state is None or not states.is_locked(data):
        return None
    return state if is_same_process(state.supervisor, state.supervisor_started) else None


def start(data: Path, tell: Callable[[str], None]) -> State:
    """A running supervisor on `data`, the one that runs or a new one; `tell` hears every phase.

    Raises PartFailed with what the supervisor said if it does not come up.
    """
    state = running(data)
    if state is not None and state.ready:
        return state
    make_directories(data)
    said_before = _log(data).stat().st_size if _log(data).exists() else 0
    child = _spawn(data) if state is None else None
    until, last = time.monotonic() + _START_SECONDS, ""
    while time.monotonic() < until:
        state = running(data)
        if state is not None and state.phase != last:
            last = state.phase
            tell(last)
        if state is not None and state.ready:
            return state
        if child is not None and child.poll() is not None and not states.is_locked(data):
            raise PartFailed(_last_words(data, said_before))  # locked: another `up` was quicker; its supervisor will do
        time.sleep(_LOOK_SECONDS)
    raise PartFailed(f"the stack was not ready after {_START_SECONDS:g} seconds; {_last_words(data, said_before)}")


def stop(data: Path, tell: Callable[[str], None]) -> None:
    """Ask the supervisor to stop and wait for its end. Raises NotRunning."""
    state = running(data)
    if state is None:
        raise NotRunning(f"nothing runs on {data}. Remedy: `presswork up` starts it, or name another --data")
    os.kill(state.supervisor, signal.SIGTERM)
    tell("stopping: the worker finishes or gives back its batch")
    until = time.monotonic() + _STOP_SECONDS
    while time.monotonic() < until:
        if not is_same_process(state.supervisor, state.supervisor_started):
            return
        time.sleep(_LOOK_SECONDS)
    raise PartFailed(f"the supervisor (pid {state.supervisor}) did not end within {_STOP_SECONDS:g} seconds")


def _spawn(data: Path) -> subprocess.Popen[bytes]:
    """A supervisor in a session of its own: closing the terminal does not reach it."""
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


def _last_words(data: Path, said_before: int) -> str:
    lines = _log(data).read_bytes()[said_before:].decode(errors="replace").strip().splitlines()
    return "\n".join(lines[-12:]) or f"the supervisor said nothing; its log is {_log(data)}"

"""State of the stack: which components run where. The supervisor writes it at every change; everything else reads it.

There are two files in the data directory. `lock` is held while a supervisor lives. `state.json` says what it runs. From
the state of a dead supervisor the next start learns which ports to ask for again, and which orphans to stop.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

from deploy.errors import AlreadyRunning, DataUnusable

_PROBE_SECONDS = 0.5  # far longer than `is_locked` holds the lock while it probes


class ComponentState(StrEnum):
    STARTING = "starting"  # its process runs and does not answer yet
    READY = "ready"  # it answered; for processes without a probe: its process runs
    WAITING = "waiting"  # it ended; the supervisor restarts it after a pause


@dataclass(frozen=True, slots=True)
class Component:
    """A service or an application process, as the supervisor last saw it."""

    name: str
    pid: int
    started: float  # seconds since the epoch; together with the pid it identifies a process
    state: str
    address: str = ""
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class State:
    phase: str  # what the supervisor is doing, for people
    ready: bool
    supervisor: int  # pid
    supervisor_started: float
    ports: dict[str, int] = field(default_factory=dict)
    components: tuple[Component, ...] = ()


def make_directories(data: Path) -> None:
    """Create the data directory and its log folder, readable by their owner only. Raises DataUnusable."""
    try:
        (data / "log").mkdir(mode=0o700, parents=True, exist_ok=True)
        data.chmod(0o700)
    except OSError as error:
        raise DataUnusable(
            f"cannot use {data} as the data directory ({error}). Remedy: choose another --data"
        ) from error


def read(data: Path) -> State | None:
    """The last state written, by this version or another one; None if there is none that can be read."""
    try:
        content = json.loads((data / "state.json").read_text())
        listed = content["components"] if "components" in content else content["parts"]  # as 0.1 called them
        components = tuple(Component(**_known(Component, one)) for one in listed)
        return State(**{**_known(State, content), "components": components})
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return None


def _known(kind: type[Component | State], content: dict[str, Any]) -> dict[str, Any]:
    return {field.name: content[field.name] for field in fields(kind) if field.name in content}


def write(data: Path, state: State) -> None:
    half = data / f"state.{os.getpid()}.half"
    half.write_text(json.dumps(asdict(state), indent=1))
    half.replace(data / "state.json")


@contextmanager
def held_lock(data: Path) -> Iterator[None]:
    """Hold the data directory exclusively. Raises AlreadyRunning. The system releases it however we end."""
    with (data / "lock").open("a") as lock:
        until = time.monotonic() + _PROBE_SECONDS
        while not _acquired(lock):
            if time.monotonic() > until:
                raise AlreadyRunning(
                    f"a stack is already running on {data}. "
                    "Remedy: `presswork status` shows it, `presswork down` stops it"
                )
            time.sleep(_PROBE_SECONDS / 10)
        yield


def is_locked(data: Path) -> bool:
    """Whether a supervisor lives on this data directory right now."""
    if not (data / "lock").exists():
        return False
    with (data / "lock").open("a") as lock:
        return not _acquired(lock)


def _acquired(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

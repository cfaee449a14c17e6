"""What runs where, written by the supervisor at every change, read by everybody else.

Two files of a data directory: `lock` is held while a supervisor lives and says whether one does; `state.json`
says what it runs. The state of a dead supervisor tells the next start which ports to ask for again and which
orphans to stop.
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

from deploy.errors import AlreadyRunning

_PROBE_SECONDS = 0.5  # far longer than `is_locked` holds the lock to find out that nobody does


class PartState(StrEnum):
    STARTING = "starting"  # its process runs; not ready yet
    READY = "ready"  # it answered; of planner, sealer and worker: its process runs
    WAITING = "waiting"  # it died; the supervisor starts it again after a pause


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    pid: int
    started: float  # seconds since the epoch: with the pid, a process for good
    state: str
    address: str = ""
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class State:
    phase: str  # what the supervisor is doing, in words for a person
    ready: bool
    supervisor: int  # pid
    supervisor_started: float
    ports: dict[str, int] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()


def read(data: Path) -> State | None:
    """The last state written, by this version or another one; None if there never was one that can be read."""
    try:
        content = json.loads((data / "state.json").read_text())
        parts = tuple(Part(**_known(Part, part)) for part in content["parts"])
        return State(**{**_known(State, content), "parts": parts})
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return None


def _known(kind: type[Part | State], content: dict[str, Any]) -> dict[str, Any]:
    return {field.name: content[field.name] for field in fields(kind) if field.name in content}


def write(data: Path, state: State) -> None:
    half = data / f"state.{os.getpid()}.half"
    half.write_text(json.dumps(asdict(state), indent=1))
    half.replace(data / "state.json")


@contextmanager
def held_lock(data: Path) -> Iterator[None]:
    """The data directory is ours alone; raises AlreadyRunning. The system lets go of it however we die."""
    with (data / "lock").open("a") as lock:
        until = time.monotonic() + _PROBE_SECONDS
        while not _acquired(lock):
            if time.monotonic() > until:
                raise AlreadyRunning(
                    f"a stack already runs on {data}. Remedy: 'presswork status' shows it, 'presswork down' stops it"
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

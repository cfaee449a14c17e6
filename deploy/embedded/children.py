"""Child processes: started through `launch`, with a log of their own, stopped by the signal that suits them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import psutil

from deploy.embedded.forks import Forked
from deploy.errors import ProgramMissing

_LAUNCH = Path(__file__).with_name("launch.py")
LOG_BYTES = 16 * 1024 * 1024  # a longer log becomes NAME.log.1, in place of the one before


class Child:
    """A started program. The supervisor's main thread owns it: it dies with the thread that started it."""

    def __init__(
        self, popen: subprocess.Popen[bytes] | Forked, log: Path, stop_signal: signal.Signals = signal.SIGTERM
    ) -> None:
        self.pid = popen.pid
        self.started = process_started(popen.pid) or time.time()
        self._popen, self._log, self._stop_signal = popen, log, stop_signal

    def exit_code(self) -> int | None:
        """None while it runs; the negative signal number if a signal ended it."""
        return self._popen.poll()

    def ask_to_stop(self) -> None:
        if self.exit_code() is None:
            self._popen.send_signal(self._stop_signal)

    def stop(self, *, grace_seconds: float) -> None:
        """Ask it to stop, and kill it after the grace period. It has ended when this returns. Safe to repeat."""
        self.ask_to_stop()
        try:
            self._popen.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        self._popen.kill()
        self._popen.wait()

    def rotate_log(self) -> bool:
        """Copy a long log to NAME.log.1 and empty it; whether it was long. The program goes on writing to its end.

        What it writes between the two steps is lost: at most a few lines, once in 16 MiB.
        """
        if self._log.stat().st_size <= LOG_BYTES:
            return False
        shutil.copyfile(self._log, self._log.with_suffix(".log.1"))
        os.truncate(self._log, 0)
        return True

    def log_tail(self, lines: int = 8) -> str:
        """The end of its log, for an error message."""
        written = self._log.read_text(errors="replace").splitlines()[-lines:]
        return "\n".join([f"Last lines of {self._log}:", *(f"  {line[:300]}" for line in written)])


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path,
    environment: Mapping[str, str],
    cwd: Path,
    stop_signal: signal.Signals = signal.SIGTERM,
    identity: str = "same",
) -> Child:
    """Start a program in its own session, so that Ctrl-C reaches the supervisor only, which stops it in order."""
    begin_log(log)
    with log.open("ab") as lines:
        popen = subprocess.Popen(
            launched(command, identity=identity, stop_signal=stop_signal),
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=lines,
            stderr=lines,
            start_new_session=True,
            cwd=cwd,
        )
    return Child(popen, log, stop_signal)


def begin_log(log: Path) -> None:
    """Put a long log aside before a program goes on with it."""
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))


def launched(
    command: Sequence[str | Path], *, identity: str, stop_signal: signal.Signals = signal.SIGTERM
) -> list[str]:
    """The command line that runs `command` through the launcher."""
    launcher = [sys.executable, "-I", "-S", str(_LAUNCH), str(os.getpid()), str(int(stop_signal)), identity]
    return [*launcher, *(str(argument) for argument in command)]


@cache
def identity_without_root() -> str:
    """The identity under which a program that refuses root is launched here (see launch)."""
    if os.geteuid() != 0:
        return "same"
    probe = subprocess.run(launched([_true()], identity="namespace"), capture_output=True, check=False, cwd="/")
    return "namespace" if probe.returncode == 0 else "nobody"  # many containers forbid user namespaces


def process_started(pid: int) -> float | None:
    """When the process began, None if there is none. Together with the pid it identifies a process."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None


def own_start() -> float:
    """When this process began."""
    return process_started(os.getpid()) or time.time()


def is_same_process(pid: int, started: float) -> bool:
    now = process_started(pid)
    return now is not None and abs(now - started) < 0.05


def bare_environment(home: Path) -> dict[str, str]:
    """The environment of the services: no secret and no setting of the caller's shell reaches them."""
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), "LC_ALL": "C", "TZ": "UTC"}


def program(name: str) -> Path:
    """A program installed beside this Python."""
    beside = Path(sys.executable).parent / name  # not resolved: the venv's own folder
    if beside.exists():
        return beside
    elsewhere = shutil.which(name)
    if elsewhere is None:
        raise ProgramMissing(f"the program {name} is not installed. Remedy: pip install 'presswork[embedded]'")
    return Path(elsewhere)


def _true() -> str:
    return shutil.which("true") or "/bin/true"

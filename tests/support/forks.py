"""Test runner that collects once and forks: each fork runs whole files, and the parent reports what they found.

`python -m pytest -p tests.support.forks -p no:xdist --forks 3`. With pytest-xdist each process would import every test
anew, torch and FastAPI included, which takes twenty seconds of a core; a fork has them already. The parent runs no
test: it forks while it has one thread, no service and no fixture, so that the forks share nothing that changes.
A fork asks for one file after the other. If it dies, the test it ran has failed, and a new fork goes on behind it.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import traceback
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import groupby
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Any

import pytest

_STILLBORN = 5  # forks that may end before their first test: then something is wrong with all of them


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--forks", type=int, default=0, help="collect once, and run the tests in so many forked processes")


def pytest_configure(config: pytest.Config) -> None:
    """OpenCV begins its pool of threads with the first resizing, and the forks of a process have no such threads."""
    if config.option.forks:
        os.environ["OPENCV_FOR_THREADS_NUM"] = "1"


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Pytest's own loop does what needs no fork: it lists tests, and stops after an error of collection."""
    options = session.config.option
    if options.forks < 0:
        raise pytest.UsageError("--forks is 0 or more")
    is_broken = session.testsfailed and not options.continue_on_collection_errors
    if not options.forks or options.collectonly or is_broken:
        return None
    _Parent(session).run(options.forks)
    return True


def _file(item: pytest.Item) -> Path:
    """What one fork runs. The tests of the house are one: each of their files would parse all of ours anew."""
    return item.path.parent if item.path.parent.name == "house" else item.path


@dataclass(slots=True)
class _Fork:
    """A running process, and the tests of its file that it has not ended yet, by their places in the session."""

    pid: int
    ahead: deque[int] = field(default_factory=deque)
    last: int | None = None
    is_done: bool = False


class _Parent:
    """The one who knows what is left to do. Everything it hears goes through pytest's own hooks."""

    def __init__(self, session: pytest.Session) -> None:
        self._session = session
        self._hook = session.config.hook
        by_file = groupby(range(len(session.items)), key=lambda place: _file(session.items[place]))
        self._files = deque(list(places) for _, places in by_file)
        self._forks: dict[Connection, _Fork] = {}
        self._begun: set[int] = set()
        self._stillborn = 0

    def run(self, count: int) -> None:
        if threading.active_count() > 1:
            raise pytest.UsageError(f"a test module starts a thread when it is imported: {threading.enumerate()}")
        terminal = self._session.config.pluginmanager.getplugin("terminalreporter")
        terminal.showfspath = False  # the dots of several files are mixed
        try:
            for _ in range(min(count, len(self._files))):
                self._fork()
            while self._forks:
                for connection in wait(list(self._forks)):
                    self._hear(connection)
                self._stop_if_asked()
        finally:
            self._end()
        if left := [item.nodeid for place, item in enumerate(self._session.items) if place not in self._begun]:
            raise RuntimeError(f"{len(left)} tests were collected and not run, {left[0]} among them")

    def _fork(self) -> None:
        ours, theirs = Pipe()
        self._session.config._tmp_path_factory.getbasetemp()  # the folder of all forks
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if not pid:
            for connection in (ours, *self._forks):  # held open by a sister, they would hide that the parent is gone
                connection.close()
            _Child(self._session, theirs).run()
        theirs.close()
        self._forks[ours] = _Fork(pid)

    def _hear(self, connection: Connection) -> None:
        fork = self._forks[connection]
        said, value = _heard(connection)
        if said == "ended":
            self._bury(connection)
        elif said == "free":
            fork.ahead = deque(self._files.popleft() if self._files else [])
            with suppress(BrokenPipeError):  # it died meanwhile: the next look at it tells
                connection.send(list(fork.ahead))
        elif said == "done":
            fork.is_done = True
        elif said == "began":
            fork.last = fork.ahead.popleft()
            self._begun.add(fork.last)
        elif said == "report":
            self._report(self._hook.pytest_report_from_serializable(config=self._session.config, data=value))
        elif said == "warned":
            self._hook.pytest_warning_recorded.call_historic(kwargs=value)
        else:
            getattr(self._hook, said)(**value)

    def _report(self, report: Any) -> None:
        self._hook.pytest_runtest_logreport(report=report)

    def _bury(self, connection: Connection) -> None:
        """The tests that a dead fork had not begun go to a new one. Only its own word says that it is not dead."""
        fork = self._forks.pop(connection)
        connection.close()
        status = os.waitstatus_to_exitcode(os.waitpid(fork.pid, 0)[1])
        if fork.is_done:
            return
        ended = f"signal {-status}" if status < 0 else f"exit code {status}"
        if fork.last is None:
            self._stillborn += 1
            if self._stillborn > _STILLBORN:
                raise RuntimeError(f"{self._stillborn} processes ended before they ran a test, the last with {ended}")
        else:
            item = self._session.items[fork.last]
            told = f"the process that ran this test ended with {ended}"
            self._report(pytest.TestReport(item.nodeid, item.location, {}, "failed", told, "call"))
        if fork.ahead:
            self._files.appendleft(list(fork.ahead))
        if self._files:
            self._fork()

    def _stop_if_asked(self) -> None:
        if self._session.shouldfail:
            raise self._session.Failed(self._session.shouldfail)
        if self._session.shouldstop:
            raise self._session.Interrupted(self._session.shouldstop)

    def _end(self) -> None:
        """Nobody is left when the parent goes on: what is still running was interrupted, and ends its services."""
        for connection, fork in self._forks.items():
            with suppress(ProcessLookupError):
                os.kill(fork.pid, signal.SIGINT)
            connection.close()
        for fork in self._forks.values():
            os.waitpid(fork.pid, 0)


def _heard(connection: Connection) -> tuple[str, Any]:
    try:
        said, value = connection.recv()
    except (EOFError, ConnectionResetError):
        return "ended", None
    return said, value


class _Child:
    """A fork: pytest as the parent had it after the collection, with hooks that tell the parent."""

    def __init__(self, session: pytest.Session, parent: Connection) -> None:
        self._session = session
        self._parent = parent
        self._last: pytest.Item | None = None

    def run(self) -> None:
        """Never returns."""
        status = 1
        try:
            self._separate()
            with suppress(EOFError, BrokenPipeError):  # the parent is gone
                with self._fixtures():
                    self._run_files()
                self._parent.send(("done", None))
                status = 0
        except KeyboardInterrupt:  # the parent's, or a test's own: then the parent misses the word that all was run
            status = 2
        except BaseException:  # noqa: BLE001 - the parent names the test
            traceback.print_exc()
        finally:
            try:
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(status)

    def _separate(self) -> None:
        """Output and temporary folders of its own; what is reported goes to the parent only.

        An interrupt is heard by what tests start, also where the shell began us in the background, deaf to it.
        """
        signal.signal(signal.SIGINT, signal.default_int_handler)
        plugins = self._session.config.pluginmanager
        capture = plugins.getplugin("capturemanager")
        capture.stop_global_capturing()
        capture.start_global_capturing()
        capture.suspend_global_capture()
        folders = self._session.config._tmp_path_factory
        folders._basetemp = folders.mktemp("fork")
        plugins.unregister(name="terminalreporter")
        forwarding = _Forwarding(self._session.config, self._parent)
        plugins.register(forwarding)  # and it is told the warnings so far
        forwarding.forwards_warnings = True

    def _run_files(self) -> None:
        while places := self._asked():
            for place, after in zip(places, [*places[1:], None], strict=True):
                self._last = self._session.items[place]
                self._parent.send(("began", None))
                following = self._session if after is None else self._session.items[after]  # session: keep its fixtures
                self._last.ihook.pytest_runtest_protocol(item=self._last, nextitem=following)

    def _asked(self) -> Sequence[int]:
        self._parent.send(("free", None))
        places: list[int] = self._parent.recv()
        return places

    @contextmanager
    def _fixtures(self) -> Iterator[None]:
        """Those of the session end with the fork, interrupted or not. What fails then is the last test's."""
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            if (item := self._last) is not None:
                state = self._session._setupstate
                call = pytest.CallInfo.from_call(lambda: state.teardown_exact(None), "teardown")
                report = item.ihook.pytest_runtest_makereport(item=item, call=call)
                if report.failed:
                    item.ihook.pytest_runtest_logreport(report=report)


class _Forwarding:
    """Hooks of a fork: the parent calls them again."""

    def __init__(self, config: pytest.Config, parent: Connection) -> None:
        self._config = config
        self._parent = parent
        self.forwards_warnings = False

    def pytest_runtest_logstart(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        self._parent.send(("pytest_runtest_logstart", {"nodeid": nodeid, "location": location}))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        written = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._parent.send(("report", written))

    def pytest_runtest_logfinish(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        self._parent.send(("pytest_runtest_logfinish", {"nodeid": nodeid, "location": location}))

    def pytest_warning_recorded(
        self, warning_message: warnings.WarningMessage, when: str, nodeid: str, location: Any
    ) -> None:
        if not self.forwards_warnings:
            return
        sent = warnings.WarningMessage(
            _picklable(warning_message), warning_message.category, warning_message.filename, warning_message.lineno
        )
        value = {"warning_message": sent, "when": when, "nodeid": nodeid, "location": location}
        self._parent.send(("warned", value))


def _picklable(warning: warnings.WarningMessage) -> Warning | str:
    """Its words alone where the warning itself holds what no other process can read."""
    try:
        pickle.dumps(warning.message)
    except Exception:  # noqa: BLE001 - whatever somebody's object raises when it is written
        return str(warning.message)
    return warning.message

"""Forked processes: they run when they are told to, with what is theirs alone, and end with whoever started them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from deploy.embedded import forks
from deploy.embedded.forks import Program, StartGate
from tests.support.line import eventually
from tests.support.repository import REPOSITORY

pytestmark = pytest.mark.processes
SUPERVISOR = """
import sys
from pathlib import Path
from deploy.embedded import forks
from deploy.embedded.forks import Program

program = Program("http.server", ("0", "--bind", "127.0.0.1"), ())
child = forks.start(program, environment={}, log=Path(sys.argv[1]), cwd=Path.cwd())
print(child.pid, flush=True)
sys.stdin.read()
"""


def test_a_child_runs_when_it_is_told_to_with_its_own_environment_directory_and_log(tmp_path: Path) -> None:
    gate, log = StartGate(), tmp_path / "log"
    log.touch()
    (tmp_path / "given.json").write_text("{}")
    programs = Program("site", ("--user-base",), ("json",)), Program("json.tool", ("given.json", "made.json"), ())
    children = [
        forks.start(one, environment={"PYTHONUSERBASE": "/told"}, log=log, cwd=tmp_path, gate=gate) for one in programs
    ]
    assert [child.poll() for child in children] == [None, None]
    assert log.read_bytes() == b""
    gate.open()
    assert [child.wait(60) for child in children][1] == 0  # that of `site` says whether such folders are used
    assert log.read_text() == "/told\n"
    assert (tmp_path / "made.json").read_text() == "{}\n"


def test_a_child_whose_supervisor_is_killed_ends_with_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SUPERVISOR, str(tmp_path / "log")]
    supervisor = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY)
    assert supervisor.stdout is not None
    child = psutil.Process(int(supervisor.stdout.readline()))
    server = child.parent()
    supervisor.kill()
    supervisor.wait()
    gone, alive = psutil.wait_procs([one for one in (child, server) if one], timeout=60)
    assert (len(gone), alive) == (2, [])


def test_a_child_whose_fork_server_is_killed_ends_too_and_is_seen_to(tmp_path: Path) -> None:
    program = Program("http.server", ("0", "--bind", "127.0.0.1"), ())
    child = forks.start(program, environment={}, log=tmp_path / "log", cwd=tmp_path)
    process = psutil.Process(child.pid)
    eventually(lambda: process.name().startswith("presswork"))  # before that, it does not know yet whose child it is
    server = process.parent()
    assert server is not None
    server.kill()
    assert child.wait(60) != 0
    assert psutil.wait_procs([process], timeout=60)[1] == []
    again = forks.start(program, environment={}, log=tmp_path / "log", cwd=tmp_path)
    again.kill()
    assert again.wait(60) == -9

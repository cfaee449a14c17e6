"""Runner of tests: what happens in a fork is told as if it had happened here, its death included."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.repository import REPOSITORY

pytestmark = pytest.mark.processes
_TESTS = """
import os, signal, warnings
import pytest

runs = []

@pytest.fixture(scope="session")
def service():
    yield os.getpid()
    open({ended!r} + str(os.getpid()), "x").close()

def test_passes(service, tmp_path):
    assert list(tmp_path.iterdir()) == []

def test_passes_once_it_failed(service):
    runs.append(1)
    assert len(runs) == 2

def test_fails(service):
    print("-".join("abcd"))
    assert not service

def test_warns():
    warnings.warn("beware", stacklevel=1)

@pytest.mark.parametrize("number", range(3))
def test_dies(number):
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)

def test_comes_after(service):
    pass
"""
_ENDS = """
import os, signal
import pytest

def test_ends_as_if_all_were_well():
    os._exit(0)

def test_is_interrupted():
    raise KeyboardInterrupt

def test_interrupts_itself():
    os.kill(os.getpid(), signal.SIGINT)

def test_fails():
    assert 0
"""


def test_a_test_that_ends_its_process_quietly_fails_and_the_rest_is_run(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"test_{name}.py").write_text(_ENDS)
    told = _run(tmp_path, "--forks", "1")
    assert "8 failed in" in told.splitlines()[-1], told
    assert "--forks is 0 or more" in _run(tmp_path, "--forks", "-1")


def test_forks_report_failures_reruns_warnings_and_their_own_death(tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    ended.mkdir()
    for name in ("one", "two"):
        (tmp_path / f"test_{name}.py").write_text(_TESTS.format(ended=f"{ended}/"))
    told = _run(tmp_path, "--forks", "2", "--reruns", "1", "-raR")
    assert "4 failed, 12 passed, 2 warnings, 4 rerun in" in told.splitlines()[-1], told
    assert told.count("a-b-c-d") == 4  # twice each, in the report of the test that failed
    assert told.count("the process that ran this test ended with signal 9") == 2
    assert told.count("UserWarning: beware") == 2
    for name in ("one", "two"):
        assert f"RERUN test_{name}.py::test_passes_once_it_failed" in told
        assert f"FAILED test_{name}.py::test_dies[1]" in told
    assert len(list(ended.iterdir())) == 2  # one killed fork a file leaves its fixtures behind, its follower does not


def test_a_fork_that_lost_its_parent_ends_its_fixtures(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import os, signal, pytest\n"
        "@pytest.fixture(scope='session')\n"
        f"def service():\n    yield\n    open({str(tmp_path / 'ended')!r}, 'x').close()\n"
        "def test_it(service):\n    os.kill(os.getppid(), signal.SIGKILL)\n"
        "def test_next(service):\n    pass\n"
    )
    _run(tmp_path, "--forks", "1")  # returns when the last process that holds its output has ended
    assert (tmp_path / "ended").exists()


def _run(folder: Path, *options: str) -> str:
    own = ("-p", "tests.support.forks", "-p", "no:xdist", "-p", "no:schemathesis", "-p", "no:cacheprovider")
    ini = ("-c", os.devnull, "--rootdir", str(folder), "--basetemp", str(folder / "temporary"))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *own, *ini, *options, str(folder)],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout.rstrip()

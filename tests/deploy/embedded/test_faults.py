"""Faults that a laptop brings to the embedded stack: kills, leftovers, taken ports, long and spaced paths.

One drama on a data directory of its own is told once and looked at from several sides.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from deploy.embedded import state as states
from deploy.embedded.children import LOG_BYTES, Child, is_same_process, launched, process_started
from deploy.embedded.ports import LOOPBACK
from deploy.embedded.seaweed import BUCKET
from deploy.embedded.stack import Stack
from deploy.embedded.state import Component, ComponentState, State
from deploy.errors import AlreadyRunning, ComponentFailed, DataUnusable
from tests.support.repository import REPOSITORY

pytestmark = pytest.mark.processes
HOLDER = """
import sys
from pathlib import Path
from deploy.embedded.stack import Stack

with Stack(Path(sys.argv[1]), ports={}):
    print("ready", flush=True)
    sys.stdin.read()
"""


@dataclass(frozen=True, slots=True)
class Aftermath:
    """A supervisor was refused beside another, then killed; a stack was started on what it left."""

    refusal: str
    left_running: list[str]
    ports_before: dict[str, int]
    ports_after: dict[str, int]
    taken: int
    row: Any
    message: Any
    stored: bytes


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a space in its name, far below the root."""
    return tmp_path_factory.mktemp("a laptop") / ("deep " * 30).strip() / "data"


@pytest.fixture(scope="module")
def aftermath(data: Path) -> Aftermath:
    command = [sys.executable, "-c", HOLDER, str(data)]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"ready\n"
    before = states.read(data)
    assert before is not None
    _leave_something(Stack.attached(data, before.ports))
    with pytest.raises(AlreadyRunning) as refused, Stack(data):
        pass

    holder.kill()
    holder.wait()
    left_running = _still_running_after(before.components, seconds=20)
    _plant_stale_pid(data / "postgres")
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind((LOOPBACK, before.ports["valkey"]))
        squatter.listen()
        with Stack(data, ports={}) as again:
            found = _what_is_left(again)
            for name in again.services:
                again.kill(name)
    return Aftermath(str(refused.value), left_running, before.ports, again.ports, before.ports["valkey"], *found)


def test_a_second_supervisor_is_refused_and_told_what_to_do(aftermath: Aftermath) -> None:
    assert "already running" in aftermath.refusal
    assert "presswork down" in aftermath.refusal


def test_a_killed_supervisor_takes_its_parts_along(aftermath: Aftermath) -> None:
    assert aftermath.left_running == []


def test_a_start_after_a_crash_finds_the_data(aftermath: Aftermath) -> None:
    assert (aftermath.row, aftermath.message, aftermath.stored) == (("kept",), b"kept", b"kept")


def test_a_start_after_every_part_was_killed_finds_the_data_too(aftermath: Aftermath, data: Path) -> None:
    with Stack(data, ports={}) as again:
        assert _what_is_left(again) == (aftermath.row, aftermath.message, aftermath.stored)
        assert again.ports == aftermath.ports_after


def test_a_start_asks_for_the_last_ports_and_yields_a_taken_one(aftermath: Aftermath) -> None:
    moved = {name for name, port in aftermath.ports_before.items() if aftermath.ports_after[name] != port}
    assert "valkey" in moved
    # Another stack on this machine may meanwhile have taken one of the inner ports; those that people know stay.
    assert not moved & {"postgres", "seaweed", "api"}
    assert aftermath.ports_after["valkey"] != aftermath.taken


def test_a_part_that_does_not_start_says_why_and_the_others_are_stopped(aftermath: Aftermath, data: Path) -> None:
    manifest = next((data / "valkey" / "appendonlydir").glob("*.manifest"))
    kept = manifest.read_bytes()
    manifest.write_text("nonsense\n")
    stack = Stack(data, ports={})
    try:
        with pytest.raises(ComponentFailed) as failed, stack:
            pass
    finally:
        manifest.write_bytes(kept)
    assert "valkey stopped while it started" in str(failed.value)
    assert str(data / "log" / "valkey.log") in str(failed.value)
    assert "manifest" in str(failed.value).lower()
    last = states.read(data)
    assert last is not None
    assert _still_running_after(last.components, seconds=0) == []
    assert not states.is_locked(data)


def test_a_cluster_of_another_version_is_refused_not_touched(tmp_path: Path) -> None:
    cluster = tmp_path / "postgres"
    cluster.mkdir()
    (cluster / "PG_VERSION").write_text("15\n")
    stack = Stack(tmp_path, ports={})
    with pytest.raises(DataUnusable, match=r"made by Postgres 15.*Remedy"), stack:
        pass
    assert [path.name for path in cluster.iterdir()] == ["PG_VERSION"]
    assert not states.is_locked(tmp_path)


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataUnusable, match=r"file.*Remedy: choose another --data"), Stack(tmp_path / "file" / "data"):
        pass


def test_the_state_of_another_version_is_read_and_a_broken_one_counts_as_none(tmp_path: Path) -> None:
    part = Component("valkey", 1, 2.0, ComponentState.READY, "127.0.0.1:1", 3)
    states.write(tmp_path, State("running", True, 4, 5.0, {"valkey": 1}, (part,)))
    known = states.read(tmp_path)
    content = json.loads((tmp_path / "state.json").read_text())
    newer = {**content, "mood": "fine", "components": [{**content["components"][0], "mood": "fine"}]}
    (tmp_path / "state.json").write_text(json.dumps(newer))
    assert states.read(tmp_path) == known
    older = {**content, "parts": content["components"]}
    del older["components"]
    (tmp_path / "state.json").write_text(json.dumps(older))
    assert states.read(tmp_path) == known
    for broken in ("", "{}", '{"components": [{}]}', "[]"):
        (tmp_path / "state.json").write_text(broken)
        assert states.read(tmp_path) is None


def test_orphans_are_stopped_and_a_later_process_with_the_same_pid_is_not(tmp_path: Path) -> None:
    orphan, unrelated = (subprocess.Popen(["sleep", "60"]) for _ in range(2))
    parts = (
        Component("valkey", orphan.pid, _started(orphan), ComponentState.READY),
        Component("seaweed", unrelated.pid, _started(unrelated) - 100, ComponentState.READY),
    )
    states.write(tmp_path, State("running", True, 1, 0.0, {}, parts))
    stack = Stack(tmp_path, ports={})
    stack.open()
    stack.close()
    try:
        assert orphan.wait(60) == -signal.SIGTERM
        assert unrelated.poll() is None
    finally:
        unrelated.kill()
        unrelated.wait()


def test_a_program_whose_parent_is_gone_does_not_start(tmp_path: Path) -> None:
    command = launched(["/bin/sh", "-c", f"touch '{tmp_path}/started'"], identity="same")
    parent = command.index(str(os.getpid()))
    command[parent] = "1"
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0
    assert list(tmp_path.iterdir()) == []


def test_a_long_log_is_rotated_under_a_program_that_goes_on_writing(tmp_path: Path) -> None:
    """O20: an idle installation wrote 246 KB an hour into logs that were looked at at the next start only."""
    log = tmp_path / "part.log"
    program = "import sys; [print(line.strip(), flush=True) for line in sys.stdin]"
    with log.open("ab") as lines:
        popen = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=lines, text=True)
    assert popen.stdin is not None
    child = Child(popen, log, signal.SIGTERM)
    assert not child.rotate_log()
    os.truncate(log, LOG_BYTES + 1)
    assert child.rotate_log()
    assert (log.stat().st_size, log.with_suffix(".log.1").stat().st_size) == (0, LOG_BYTES + 1)
    popen.communicate("after\n")
    assert log.read_text() == "after\n"


def _leave_something(stack: Stack) -> None:
    with psycopg.connect(stack.postgres.url("owner").replace("+psycopg", ""), autocommit=True) as conn:
        conn.execute("create table left_behind as select 'kept' as word")
    with redis.Redis.from_url(stack.valkey.url()) as client:
        client.set("left_behind", "kept")
        client.execute_command("WAITAOF", 1, 0, 5000)
    stack.seaweed.client("worker").put_object(Bucket=BUCKET, Key="quarantine/left-behind", Body=b"kept")


def _what_is_left(stack: Stack) -> tuple[Any, Any, bytes]:
    with psycopg.connect(stack.postgres.url("owner").replace("+psycopg", "")) as conn:
        row = conn.execute("select word from left_behind").fetchone()
    with redis.Redis.from_url(stack.valkey.url()) as client:
        message = client.get("left_behind")
    stored = stack.seaweed.client("worker").get_object(Bucket=BUCKET, Key="quarantine/left-behind")["Body"].read()
    return row, message, stored


def _still_running_after(parts: tuple[Component, ...], *, seconds: float) -> list[str]:
    until = time.monotonic() + seconds
    while True:
        running = [part.name for part in parts if is_same_process(part.pid, part.started)]
        if not running or time.monotonic() >= until:
            return running
        time.sleep(0.05)


def _plant_stale_pid(cluster: Path) -> None:
    """postmaster.pid of a crash, whose pid belongs to a living process of somebody else by now: ours."""
    (cluster / "postmaster.pid").write_text(f"{os.getpid()}\n{cluster}\n1\n5432\n\n{LOOPBACK}\n 1 1\nready\n")


def _started(process: subprocess.Popen[bytes]) -> float:
    started = process_started(process.pid)
    assert started is not None
    return started

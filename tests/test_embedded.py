"""The embedded stack: what it survives, what it refuses, and what it says."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import redis
from botocore.exceptions import ClientError

from deploy.embedded import state as states
from deploy.embedded.children import is_same_process
from deploy.embedded.ports import LOOPBACK
from deploy.embedded.seaweed import BUCKET
from deploy.embedded.stack import PREFERRED_PORTS, Stack
from deploy.errors import AlreadyRunning, DataUnusable, PartFailed

ROOT = Path(__file__).resolve().parents[1]
HOLD = """
import sys, time
from pathlib import Path
from deploy.embedded.stack import Stack
with Stack(Path(sys.argv[1]), ports={}):
    print("ready", flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place with a long name and spaces in it, as people have them."""
    return tmp_path_factory.mktemp("a long and winding name") / ("x" * 60) / ("y y" * 20)


@pytest.fixture
def holder(home: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds a running stack."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home / "held")], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.wait()


def test_data_survives_a_clean_stop_and_a_kill_of_everything(home: Path) -> None:
    data = home / "kept"
    with Stack(data, ports={}) as stack:
        put(stack, "released/a", b"kept")
        execute(stack, "create table kept (n int); insert into kept values (7)")
        redis.Redis.from_url(stack.valkey.url()).set("kept", "yes")
        ports = dict(stack.ports)
        for name in ("seaweed", "valkey", "postgres"):
            stack.kill(name)
    with Stack(data, ports={}) as again:
        assert again.ports == ports
        assert again.seaweed.client("api").get_object(Bucket=BUCKET, Key="released/a")["Body"].read() == b"kept"
        assert execute(again, "select n from kept") == [(7,)]
        assert redis.Redis.from_url(again.valkey.url()).get("kept") == b"yes"


def test_one_supervisor_at_a_time_and_its_parts_die_with_it(home: Path, holder: subprocess.Popen[str]) -> None:
    data = home / "held"
    with pytest.raises(AlreadyRunning, match="presswork down"), Stack(data, ports={}):
        pass
    recorded = states.read(data)
    assert recorded is not None
    assert len(recorded.parts) == 3
    holder.kill()
    holder.wait()
    deadline = time.monotonic() + 20
    while any(is_same_process(part.pid, part.started) for part in recorded.parts):
        assert time.monotonic() < deadline, "a part outlived its supervisor"
        time.sleep(0.05)


def test_a_stale_pid_file_that_names_a_living_stranger_does_not_stop_a_start(home: Path) -> None:
    data = home / "kept"
    pid_file = data / "postgres" / "postmaster.pid"
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        pid_file.write_text(f"{stranger.pid}\n{data / 'postgres'}\n1\n5432\n\n{LOOPBACK}\n 1 1\nready\n")
        with Stack(data, ports={}) as stack:
            assert execute(stack, "select n from kept") == [(7,)]
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_taken_port_is_left_to_its_owner(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        stack = Stack(tmp_path / "data", ports={**PREFERRED_PORTS, "postgres": port})
        stack.open()
        try:
            assert stack.ports["postgres"] != port
            assert len(set(stack.ports.values())) == len(stack.ports)
        finally:
            stack.close()


def test_data_of_another_postgres_is_refused_with_the_remedy(home: Path) -> None:
    version = home / "kept" / "postgres" / "PG_VERSION"
    kept = version.read_text()
    version.write_text("17\n")
    try:
        with pytest.raises(DataUnusable, match="17"), Stack(home / "kept", ports={}):
            pass
    finally:
        version.write_text(kept)


def test_a_part_that_does_not_start_says_why(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "valkey" / "appendonlydir").mkdir(parents=True)
    (data / "valkey" / "appendonlydir" / "appendonly.aof.manifest").write_text("this is no manifest\n")
    with pytest.raises(PartFailed, match=r"(?s)valkey stopped while starting.*manifest"), Stack(data, ports={}):
        pass


@pytest.mark.parametrize("url", ["postgres", "valkey"])
def test_every_part_wants_a_password(stack: Stack, url: str) -> None:
    if url == "postgres":
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(host=LOOPBACK, port=stack.postgres.port, user="postgres", dbname="postgres", password="no")
    else:
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(host=LOOPBACK, port=stack.valkey.port).ping()


@pytest.mark.parametrize(
    ("role", "key", "verb", "allowed"),
    [
        ("api", "released/x", "get", True),
        ("api", "quarantine/x", "get", False),
        ("api", "raw/x", "get", False),
        ("api", "ledger/x", "get", False),
        ("api", "released/x", "put", False),
        ("worker", "released/x", "put", True),
        ("worker", "quarantine/x", "put", True),
        ("worker", "ledger/x", "put", False),
        ("sealer", "ledger/x", "put", True),
        ("sealer", "released/x", "put", False),
        ("auditor", "ledger/x", "get", True),
        ("auditor", "ledger/x", "put", False),
        ("auditor", "quarantine/x", "get", False),
    ],
)
def test_each_identity_reaches_its_own_places_only(s3: Any, role: str, key: str, verb: str, allowed: bool) -> None:
    s3.client("admin").put_object(Bucket=s3.bucket, Key=key, Body=b"x")
    client = s3.client(role)

    def act() -> None:
        if verb == "get":
            client.get_object(Bucket=s3.bucket, Key=key)["Body"].read()
        else:
            client.put_object(Bucket=s3.bucket, Key=key, Body=b"y")

    if allowed:
        act()
    else:
        with pytest.raises(ClientError, match=r"AccessDenied|403"):
            act()


def test_the_api_identity_cannot_list(s3: Any) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.client("api").list_objects_v2(Bucket=s3.bucket, Prefix="quarantine/")


def test_everything_listens_on_loopback_only(stack: Stack) -> None:
    """By the kernel's own table: sockets of our parts that listen anywhere else."""
    wanted = {stack.children[name].pid for name in ("postgres", "valkey", "seaweed")}
    listening = [
        conn.laddr
        for pid in wanted
        for conn in psutil.Process(pid).net_connections("inet")
        if conn.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= 3
    assert {address.ip for address in listening} == {LOOPBACK}


def put(stack: Stack, key: str, body: bytes) -> None:
    stack.seaweed.client("worker").put_object(Bucket=BUCKET, Key=key, Body=body)


def execute(stack: Stack, sql: str) -> list[tuple[Any, ...]]:
    url = stack.postgres.url("owner").replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as conn:
        cursor = conn.execute(sql)
        return cursor.fetchall() if cursor.description else []


def test_signals_reach_the_supervisor_not_its_parts(stack: Stack) -> None:
    """^C in a terminal goes to a process group: ours is another one than theirs."""
    for child in stack.children.values():
        assert os.getpgid(child.pid) != os.getpgrp()
        os.kill(child.pid, signal.SIGCONT)  # it is there

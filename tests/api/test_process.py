"""API as a process of its own: it starts light, logs JSON, stops when told, and dies without half-done work."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from tests.support.client import SPEC, ApiServer, campaign
from tests.support.line import eventually, until_blocked
from tests.support.repository import REPOSITORY

ROWS = 3_000
TABLE = "object,colour\n" + "car,red\n" * ROWS
KEY = {"Idempotency-Key": "spring-2027"}


@contextmanager
def _process(server: ApiServer, log: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A running `python -m api`, and its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "api"],
            env={
                **os.environ,
                "PYTHONPATH": str(REPOSITORY),
                **server.settings_for("api", api_port=port).to_environment(),
            },
            stderr=errors,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: process.poll() is not None or _answers(address), seconds=60)
        yield process, address
    finally:
        process.kill()
        process.wait()


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/healthz").status_code == 200
    except httpx.TransportError:
        return False


def _submit(address: str, key: str) -> httpx.Response:
    return httpx.post(
        f"{address}/v1/campaigns",
        data={"spec": json.dumps(SPEC)},
        files={"file": ("rows.csv", TABLE)},
        headers={"Authorization": f"Bearer {key}", **KEY},
        timeout=60,
    )


def test_it_serves_logs_json_and_stops_when_told(own_api: ApiServer, tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    with _process(own_api, log) as (process, address):
        accepted = _submit(address, own_api.key()[1])
        assert accepted.status_code == 202
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    (logged,) = [line for line in lines if line["event"] == "http_request"]
    assert (logged["route"], logged["status"], logged["process"]) == ("/v1/campaigns", 202, "api")
    assert logged["http_request_id"] == accepted.headers["x-request-id"]


def test_killed_in_the_middle_of_an_import_it_leaves_nothing_and_a_retry_does_the_work(
    own_api: ApiServer, tmp_path: Path
) -> None:
    _, key = own_api.key()
    caller = own_api.anonymous()
    caller.headers["Authorization"] = f"Bearer {key}"
    with _process(own_api, tmp_path / "api.log") as (process, address), ThreadPoolExecutor(1) as client:
        with own_api.line.owner.begin() as conn:
            conn.execute(text("lock table requests in share mode"))  # the items go in, the request waits
            answer = client.submit(_submit, address, key)
            until_blocked(own_api.line, seconds=60)
            process.kill()
            process.wait()
        with pytest.raises(httpx.TransportError):
            answer.result()
    eventually(lambda: not _sessions(own_api))
    assert caller.get("/v1/requests").json()["data"] == []
    assert sum(own_api.line.states().values()) == 0
    retried = campaign(caller, TABLE, headers=KEY)
    assert (retried.status_code, retried.json()["items"]) == (202, ROWS)


def _sessions(server: ApiServer) -> int:
    """Transactions of the API that are still open in the database."""
    query = text(
        "select count(*) from pg_stat_activity"
        " where datname = :name and usename = 'presswork_api' and xact_start is not null"
    )
    with server.database.engine("superuser").connect() as conn:
        return int(conn.execute(query, {"name": server.database.name}).scalar_one())


def test_it_does_not_start_on_rules_it_cannot_read(own_api: ApiServer, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("schema: 1\nname: broken\n")
    environment = own_api.settings_for("api", policy_rules=rules).to_environment()
    ended = subprocess.run(
        [sys.executable, "-m", "api"],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 1
    assert "presswork-api does not start" in ended.stderr
    assert "rules.yaml" in ended.stderr

"""Acceptance as an operator: Postgres, Valkey and a foreign S3 server, brought up by settings and commands alone.

Provision, a campaign, the death of a worker's host, an upgrade in the middle, a backup, its return on an empty server.
It takes minutes and moto, whose server MOTO_SERVER or PATH names, so it runs in `./run nightly` only. PREVIOUS names a
checkout of the release before; without it the campaign begins under the code of today.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from deploy.embedded.children import Child
from deploy.embedded.passwords import load_or_make
from deploy.embedded.ports import pick
from deploy.embedded.postgres import Postgres
from deploy.embedded.valkey import Valkey
from tests.support.repository import REPOSITORY

MOTO = os.environ.get("MOTO_SERVER") or shutil.which("moto_server")
pytestmark = [
    pytest.mark.skipif(
        not (os.environ.get("NIGHTLY") and MOTO), reason="takes minutes: NIGHTLY=1, and moto_server on PATH"
    ),
    pytest.mark.timeout(1800),
]
ROWS = 24
ROLES = {"planner": "worker", "gpu": "worker"}  # of the others the role has the process's name
_OPEN = "select count(*) from items where state in ('pending', 'planned')"


@dataclass
class Installation:
    """Services somebody else started, and processes that settings alone tell of them."""

    folder: Path
    ports: dict[str, int]
    postgres: Postgres
    valkey: Valkey
    services: list[Child | subprocess.Popen[bytes]] = field(default_factory=list)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def s3(self) -> str:
        return f"http://127.0.0.1:{self.ports['s3']}"

    @property
    def admin(self) -> str:
        return self.postgres.url("superuser", database="postgres").replace("+psycopg", "", 1)

    def settings(self, process: str) -> dict[str, str]:
        """What docs/deployment.md and the README's table say that a process needs."""
        secrets, role = self.folder / "secrets", ROLES.get(process, process)
        told = {
            "DATABASE_URL": (secrets / role / "url").read_text().strip(),
            "REDIS_URL": self.valkey.url(),
            "S3_ENDPOINT_URL": self.s3,
            "S3_BUCKET": "presswork",
            "S3_REGION": "us-east-1",
            "S3_ACCESS_KEY_ID": role,
            "S3_SECRET_ACCESS_KEY": "moto-checks-none",
            "LEDGER_ORIGIN": "presswork.example/ledger",
            "LEDGER_VKEYS": str(secrets / "ledger.vkeys"),
            "TRUST_ANCHORS": str(secrets / "anchors.pem"),
            "LEASE_SECONDS": "10",
        }
        if process == "api":
            told |= {
                "AUDITOR_DATABASE_URL": (secrets / "auditor" / "url").read_text().strip(),
                "API_PORT": str(self.ports["api"]),
            }
        if process == "gpu":
            told |= {
                "SIGNING_CERTIFICATE": str(secrets / "signing.pem"),
                "SIGNING_KEY": str(secrets / "signing.key"),
                "WORKER_THREADS": "1",
            }
        if process in ("sealer", "auditor"):
            told |= {"ANCHOR_S3_BUCKET": "presswork-anchors", "ANCHOR_S3_ENDPOINT_URL": self.s3}
            told |= {"ANCHOR_S3_ACCESS_KEY_ID": role, "ANCHOR_S3_SECRET_ACCESS_KEY": "moto-checks-none"}
        if process == "sealer":
            told["LEDGER_KEY"] = str(secrets / "ledger.key")
        return {f"PRESSWORK_{name}": value for name, value in told.items()}

    def start(self, *processes: str, code: Path = REPOSITORY) -> None:
        for process in processes:
            module = ["api"] if process == "api" else ["workers", process.partition("@")[0]]
            with (self.folder / f"{process}.log").open("ab") as log:
                self.processes[process] = subprocess.Popen(
                    [sys.executable, "-m", *module], cwd=code, stdout=log, stderr=log, start_new_session=True,
                    env={**_environment(code), **self.settings(process.partition("@")[0])},
                )  # fmt: skip

    def stop(self, *processes: str, number: int = signal.SIGTERM) -> None:
        for process in processes:
            self.processes[process].send_signal(number)
        for process in processes:
            self.processes.pop(process).wait(60)

    def command(self, *arguments: str, as_role: str = "api", code: Path = REPOSITORY, **more: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "deploy.cli", *arguments], cwd=code, capture_output=True, text=True, check=False,
            env={**_environment(code), **(self.settings(as_role) if as_role else {}), **more},
        )  # fmt: skip
        assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def value(self, query: str) -> Any:
        with psycopg.connect(self.postgres.url("superuser").replace("+psycopg", "", 1)) as conn:
            row = conn.execute(query).fetchone()
            return row[0] if row else None

    def until(self, what: str, condition: Callable[[], Any], seconds: float = 300.0) -> None:
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up:
            with suppress(psycopg.Error, httpx.HTTPError):
                if condition():
                    return
            ended = [name for name, process in self.processes.items() if process.poll() is not None]
            assert not ended, (ended, (self.folder / f"{ended[0]}.log").read_text()[-2000:])
            time.sleep(0.2)
        logs = "\n".join(f"--- {log.name}\n{log.read_text()[-1500:]}" for log in self.folder.glob("*.log"))
        raise AssertionError(f"not so after {seconds:g} s: {what}\n{logs}")

    def api_answers(self) -> bool:
        return httpx.get(f"http://127.0.0.1:{self.ports['api']}/readyz", timeout=5).status_code == 200

    def close(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()
        for service in self.services:
            service.kill()


def _environment(code: Path) -> dict[str, str]:
    """Nothing of this installation, and the credentials chain of S3, which moto does not check."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PRESSWORK_", "AWS_"))}
    return {**kept, "PYTHONPATH": str(code), "AWS_ACCESS_KEY_ID": "admin", "AWS_SECRET_ACCESS_KEY": "admin"}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Installation]:
    ports = pick(dict.fromkeys(("postgres", "valkey", "s3", "api"), ()))
    passwords = load_or_make(tmp_path / "passwords.json")
    postgres = Postgres(
        tmp_path / "pg", port=ports["postgres"], passwords=passwords, log=tmp_path / "pg.log", options={}
    )
    valkey = Valkey(tmp_path / "valkey", port=ports["valkey"], passwords=passwords, log=tmp_path / "valkey.log")
    made = Installation(tmp_path, ports, postgres, valkey)
    try:
        made.services += [postgres.start(), valkey.start()]
        with (tmp_path / "s3.log").open("ab") as log:
            made.services.append(
                subprocess.Popen([str(MOTO), "-H", "127.0.0.1", "-p", str(ports["s3"])], stdout=log, stderr=log)
            )
        made.until("Postgres answers", lambda: psycopg.connect(made.admin, connect_timeout=1).close() is None)
        made.until("S3 answers", lambda: httpx.get(made.s3, timeout=5).status_code < 500)
        yield made
    finally:
        made.close()


def test_an_operator_brings_it_up_loses_a_host_upgrades_and_restores(site: Installation, tmp_path: Path) -> None:
    before = Path(os.environ.get("PREVIOUS") or REPOSITORY)
    said = site.command(
        *("provision", "--apply", "--admin-url", site.admin, "--endpoint-url", site.s3),
        *("--secrets", str(tmp_path / "secrets")),
        as_role="",
    )
    assert "made the database" in said
    owner = (tmp_path / "secrets" / "owner" / "url").read_text().strip()
    site.command("migrate", owner, as_role="", code=before)
    scopes = ("--scopes", "submit,read,admin")
    key = site.command("key", "create", "--tenant", "acme", "--name", "first", *scopes, code=before).split()[-1]
    site.start("api", "planner", "sealer", "clerk", "identify", "gpu@first", code=before)
    site.until("the API is ready", site.api_answers)
    for role in ("api", "sealer", "clerk", "identify", "worker"):
        examined = site.command("doctor", "--json", "--role", role, as_role="gpu" if role == "worker" else role)
        wrong = [line for line in map(json.loads, examined.splitlines()) if line.get("health") == "wrong"]
        assert wrong == [], wrong

    caller = {"PRESSWORK_URL": f"http://127.0.0.1:{site.ports['api']}", "PRESSWORK_KEY": key}
    sheet = tmp_path / "goods.csv"
    sheet.write_text("sku,product\n" + "".join(f"{n},backpack {n}\n" for n in range(ROWS)))
    template = ("--template", "a {product} on a white background")
    site.command("submit", str(sheet), *template, as_role="", code=before, **caller)
    released = "select count(*) from items where state = 'released'"
    site.until("the first pictures", lambda: site.value(released) >= 2)

    site.stop("gpu@first", number=signal.SIGKILL)  # its host is gone
    site.start("gpu@second", code=before)
    kept = site.value(released)
    site.until("another host goes on", lambda: site.value(released) > kept)

    site.command("migrate", owner, as_role="")  # the upgrade: the schema first, beside processes of before
    for process in ("api", "planner", "sealer", "clerk", "identify"):
        site.stop(process)
        site.start(process)
    site.start("gpu@third")
    site.until("the API is ready again", site.api_answers)
    site.stop("gpu@second")  # gives back what it holds
    site.until("all is settled", lambda: site.value(_OPEN) == 0)
    assert site.value(released) == ROWS, site.value("select json_agg(distinct (state, reason)) from items")
    site.until("all is sealed", lambda: site.value("select count(*) from audit.pending") == 0)
    assert "INTACT" in site.command("audit", "verify", as_role="auditor")

    database = site.postgres.url("superuser")
    site.command("backup", str(tmp_path / "backup"), "--admin-url", database, as_role="")
    entries = site.value("select count(*) from audit.entries")
    site.stop(*site.processes)
    with psycopg.connect(site.admin, autocommit=True) as conn:
        conn.execute("drop database presswork with (force)")
    again = ("provision", "--apply", "--admin-url", site.admin, "--endpoint-url", site.s3)
    site.command(*again, "--secrets", str(tmp_path / "secrets"), as_role="")
    words = ("--by", "the operator", "--reason", "the disk of the server is gone")
    site.command("restore", str(tmp_path / "backup"), "--admin-url", database, *words, as_role="")
    site.command("migrate", owner, as_role="")
    site.start("sealer")
    newest = "select max(size) from audit.checkpoints"
    site.until("the event of the restore is sealed", lambda: site.value(newest) > entries)
    site.start("api", "planner", "clerk", "identify", "gpu@third")
    site.until("the API is ready", site.api_answers)
    site.command("submit", str(sheet), "--template", "a {product} on a blue background", as_role="", **caller)
    site.until("a campaign after it is made", lambda: site.value(released) == 2 * ROWS)
    assert "INTACT" in site.command("audit", "verify", as_role="auditor")

"""System for benchmarks: the embedded services, a planner, a worker and a sealer, each its own process."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import psutil
from sqlalchemy import create_engine, text

from deploy.embedded.ports import pick
from deploy.embedded.seaweed import BUCKET
from deploy.embedded.stack import Stack
from migrations.upgrade import upgrade
from policy.ledger.tree.keys import make_key_files
from policy.marks.provenance.certificates import make_development_chain
from workers.settings import Settings

REPOSITORY = Path(__file__).resolve().parent.parent
_PROCESSES = {"planner": "worker", "gpu": "worker", "sealer": "sealer"}  # python -m workers NAME -> database role


class System:
    """`with System(...) as system:` runs it in a temporary directory; keywords are settings of every process."""

    def __init__(self, **changes: Any) -> None:
        self._changes = changes
        self._open = ExitStack()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            self.folder = Path(opening.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
            self.stack = opening.enter_context(Stack(self.folder / "stack", ports={}))
            upgrade(self.stack.postgres.url("owner"))
            make_development_chain(self.folder / "signing")
            make_key_files(self.folder / "ledger", origin=Settings.model_fields["ledger_origin"].default)
            self.metrics_port = pick({"metrics": ()})["metrics"]
            for name, role in _PROCESSES.items():
                port = self.metrics_port if name == "gpu" else 0
                self.processes[name] = self._start(name, self.settings(role, metrics_port=port))
                opening.callback(_stop, self.processes[name])
            self.api = create_engine(self.stack.postgres.url("api"))
            opening.callback(self.api.dispose)
            self._auditor = create_engine(self.stack.postgres.url("auditor"))
            opening.callback(self._auditor.dispose)
            self._open = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._open.close()

    def settings(self, role: str, **changes: Any) -> Settings:
        """The settings of a process with this database role."""
        identity, signing = self.stack.passwords.s3(role), self.folder / "signing"
        values: dict[str, Any] = {
            "database_url": self.stack.postgres.url(role),
            "redis_url": self.stack.valkey.url(),
            "s3_endpoint_url": self.stack.seaweed.endpoint_url,
            "s3_bucket": BUCKET,
            "s3_access_key_id": identity.access_key,
            "s3_secret_access_key": identity.secret_key,
            "signing_certificate": signing / "signing.pem",
            "signing_key": signing / "signing.key",
            "trust_anchors": signing / "anchors.pem",
            "ledger_key": self.folder / "ledger" / "ledger.key",
            "ledger_vkeys": self.folder / "ledger" / "ledger.vkeys",
            "log_level": "WARNING",
        }
        return Settings(**values | self._changes | changes)

    def query(self, sql: str, **values: Any) -> Any:
        """The first row, as the auditor."""
        with self._auditor.connect() as conn:
            return conn.execute(text(sql), values).one()

    def cpu_seconds(self) -> dict[str, float]:
        """User and system time so far, by process; "services" is Postgres, Valkey and SeaweedFS together."""
        by_name = {name: _cpu(process.pid) for name, process in self.processes.items()}
        return by_name | {"services": sum(_cpu(child.pid) for child in self.stack.children.values())}

    def worker_metric(self, name: str) -> float:
        """One sample of the worker's /metrics."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10) as reply:
            lines = reply.read().decode().splitlines()
        return next(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"{name} "))

    def wait_until_settled(self, seconds: float = 600.0) -> None:
        """Raises SystemExit with the logs when it takes longer, or when a process ends."""
        until = time.monotonic() + seconds
        while self.query("select count(*) as open from items where state in ('pending', 'planned')").open:
            ended = [name for name, process in self.processes.items() if process.poll() is not None]
            if ended or time.monotonic() > until:
                raise SystemExit(f"ended: {ended or 'the time'}\n" + self._last_words())
            time.sleep(0.2)

    def _start(self, name: str, settings: Settings) -> subprocess.Popen[bytes]:
        environment = {**os.environ, **settings.to_environment(), "OMP_NUM_THREADS": "1"}  # torch has its own setting
        with (self.folder / f"{name}.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "workers", name], cwd=REPOSITORY, env=environment, stdout=log, stderr=log
            )

    def _last_words(self) -> str:
        return "\n".join(f"--- {log.name}\n{log.read_text()[-2000:]}" for log in self.folder.glob("*.log"))


def _cpu(pid: int) -> float:
    """Of the process, of its living descendants, and of those that ended."""
    process = psutil.Process(pid)
    return sum(sum(member.cpu_times()[:4]) for member in [process, *process.children(recursive=True)])


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_for_api(client: httpx.Client) -> None:
    """Returns once it answers. Raises SystemExit after three minutes."""
    until = time.monotonic() + 180
    while True:
        try:
            client.get("/healthz").raise_for_status()
            return
        except httpx.HTTPError as error:
            if time.monotonic() > until:
                raise SystemExit("the API did not start") from error
            time.sleep(0.1)

"""Installation of the soak: services from wheels, a proxy before the store, every process kept running."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psutil
import sqlalchemy as sa

from deploy.embedded.forks import Forked
from deploy.embedded.ports import pick
from deploy.embedded.seaweed import BUCKET
from deploy.embedded.stack import Stack
from migrations.upgrade import upgrade
from policy.ledger.tree.keys import make_key_files
from policy.marks.provenance.certificates import make_development_chain
from tests.support import forked
from tests.support.faulty_proxy import HttpFault, S3Proxy
from workers.settings import Settings

_ORIGIN = "presswork.example/soak"
_QUICK = {
    "lease_seconds": 5.0,
    "visibility_timeout_seconds": 20,
    "poll_seconds": 0.5,
    "return_seconds": 1.0,
    "window": 6,
    "max_batch": 4,
    "claims_allowed": 8,
    "seal_seconds": 0.5,
    "webhook_loopback": True,
    "webhook_seconds": 2.0,
    "torch_threads": 1,
    "log_level": "INFO",
}
_RESTART_SECONDS = 0.5


def no_fault(method: str, path: str) -> HttpFault | None:
    """All is well between the processes and the store."""
    return None


@dataclass
class Kept:
    """A process that is started again when it ends."""

    module: str
    arguments: tuple[str, ...]
    settings: Settings
    process: Forked | None = None
    wanted: bool = True
    starts: int = 0


@dataclass
class Installation:
    """Owned by the main thread, which starts and stops services; a thread of its own restarts processes."""

    folder: Path
    kept: dict[str, Kept] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)  # by themselves, with an error: no fault is a reason to end
    _open: ExitStack = field(default_factory=ExitStack)
    _stop: threading.Event = field(default_factory=threading.Event)
    # Held for every look at a process: its exit code can be read once, and a second reader at that moment would wait.
    _looking: threading.RLock = field(default_factory=threading.RLock)

    def __enter__(self) -> Self:
        self.stack = self._open.enter_context(Stack(self.folder / "stack", ports={}))
        upgrade(self.stack.postgres.url("owner"))
        make_development_chain(self.folder / "signing")
        make_key_files(self.folder / "ledger", origin=_ORIGIN)
        endpoint = self.stack.seaweed.endpoint_url
        self.proxy = self._open.enter_context(S3Proxy(endpoint, no_fault))
        self.port = pick({"api": ()})["api"]
        self._auditor = self.engine("auditor")
        self._keep_everything()
        self._open.callback(self._end)
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def engine(self, role: str, **options: Any) -> sa.Engine:
        made = sa.create_engine(self.stack.postgres.url(role), pool_pre_ping=True, **options)
        self._open.callback(made.dispose)
        return made

    def query(self, sql: str, **values: Any) -> list[Any]:
        with self._auditor.connect() as conn:
            return list(conn.execute(sa.text(sql), values))

    def states(self) -> Counter[str]:
        return Counter({row.state: row.n for row in self.query("select state, count(*) n from items group by state")})

    def until(self, true: Callable[[], bool], seconds: float) -> bool:
        """Whether it became true in time. While a service is away nothing is."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if true():
                    return True
            except (sa.exc.DBAPIError, OSError):
                pass
            time.sleep(0.2)
        return False

    def settings(self, role: str, **changes: Any) -> Settings:
        identity, keys = self.stack.passwords.s3(role), self.folder
        values: dict[str, Any] = {
            "database_url": self.stack.postgres.url(role),
            "auditor_database_url": self.stack.postgres.url("auditor"),
            "redis_url": self.stack.valkey.url(),
            "s3_endpoint_url": self.proxy.url,
            "s3_bucket": BUCKET,
            "s3_access_key_id": identity.access_key,
            "s3_secret_access_key": identity.secret_key,
            "signing_certificate": keys / "signing" / "signing.pem",
            "signing_key": keys / "signing" / "signing.key",
            "trust_anchors": keys / "signing" / "anchors.pem",
            "ledger_origin": _ORIGIN,
            "ledger_key": keys / "ledger" / "ledger.key",
            "ledger_vkeys": keys / "ledger" / "ledger.vkeys",
            "api_port": self.port,
        }
        return Settings(**values | _QUICK | changes)

    def keep(self, name: str, module: str, *arguments: str, role: str, **changes: Any) -> None:
        """Start it, and again whenever it ends."""
        self.kept[name] = Kept(module, arguments, self.settings(role, **changes))

    def drop(self, name: str) -> None:
        """Stop it for good."""
        kept = self.kept.pop(name, None)
        if kept is not None:
            kept.wanted = False
            self.signal(kept, signal.SIGKILL)

    def signal(self, kept: Kept, number: int) -> None:
        with self._looking:
            if kept.process is not None:
                kept.process.send_signal(number)

    def memory(self) -> dict[str, int]:
        """Resident MiB of each process."""
        found = {}
        for name, kept in list(self.kept.items()):
            if kept.process is not None and not self._has_ended(kept):
                found[name] = psutil.Process(kept.process.pid).memory_info().rss >> 20
        return found

    def _keep_everything(self) -> None:
        self.keep("api", "api.__main__", role="api", s3_endpoint_url=self.stack.seaweed.endpoint_url)
        for n in (1, 2):
            self.keep(f"planner-{n}", "workers.__main__", "planner", role="worker")
            self.keep(f"sealer-{n}", "workers.__main__", "sealer", role="sealer")
            self.keep(f"clerk-{n}", "workers.__main__", "clerk", role="clerk")
            self.keep(f"good-{n}", "bench.soak.worker", role="worker")

    def _watch(self) -> None:
        while not self._stop.wait(0.1):
            for name, kept in list(self.kept.items()):
                if kept.wanted and self._has_ended(kept):
                    if kept.process is not None:
                        if (kept.process.returncode or 0) > 0:
                            self.ended.append(f"{name} with status {kept.process.returncode}")
                        self._stop.wait(_RESTART_SECONDS)
                    self._start(name, kept)

    def _has_ended(self, kept: Kept) -> bool:
        with self._looking:
            return kept.process is None or kept.process.poll() is not None

    def _start(self, name: str, kept: Kept) -> None:
        environment = {**os.environ, **kept.settings.to_environment(), "OMP_NUM_THREADS": "1"}
        log = self.folder / f"{name}.log"
        kept.process = forked.start(kept.module, *kept.arguments, environment=environment, log=log)
        kept.starts += 1

    def _end(self) -> None:
        self._stop.set()
        time.sleep(0.3)
        for name in list(self.kept):
            self.drop(name)

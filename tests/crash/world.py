"""World of one crash test: a whole running system, and the four things that must be true when it has settled.

Planner and workers are real processes on the real services; only the device is fake (tests/crash/worker.py).
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from deploy.embedded.forks import Forked
from policy.verdict import Verdict
from tests.crash.sealing import seal_and_verify
from tests.support import forked
from workers.jobs.keys import create_tenant
from workers.jobs.submit import submit
from workers.jobs.types import NewItem, NewRequest, new_id
from workers.recipes import Recipe, seed_for
from workers.settings import Settings
from workers.states import Priority

ITEMS = int(os.environ.get("CRASH_ITEMS", "16"))  # four batches: the window, full
NIGHTLY_ITEMS = 200
TENANT = "acme"
RECIPE = Recipe("studio", "sha256:" + "0" * 64, 128, 128, 6, "DDIMScheduler", 3.0)
DEADLINE_SECONDS = 120.0 if ITEMS < 200 else 900.0
_UNWANTED = "select custom_id, state, reason, verdict from items where state in ('failed', 'held', 'refused')"


def of_size(reduced: Any, stated: Any) -> Any:
    """A number of a fault: as it is stated, in the nightly run, and reduced in the suite."""
    return stated if ITEMS >= NIGHTLY_ITEMS else reduced


@dataclass
class World:
    """Starts and kills processes, submits, waits, and checks what is left."""

    settings_for: Callable[..., Settings]
    database: Any
    s3: Any
    logs: Path
    changes: dict[str, Any]
    processes: list[Forked] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.auditor = self.database.engine("auditor", pool_pre_ping=True)

    def start(self, *module: str, role: str = "worker", **changes: Any) -> Forked:
        settings = self.settings_for(role, **{**self.changes, **changes})
        log = self.logs / f"{len(self.processes)}-{module[0]}.log"
        log.touch()
        process = forked.start(*module, environment={**os.environ, **settings.to_environment()}, log=log)
        self.processes.append(process)
        return process

    def planner(self, **changes: Any) -> Forked:
        return self.start("workers.__main__", "planner", **changes)

    def worker(self, *arguments: str, **changes: Any) -> Forked:
        return self.start("tests.crash.worker", *arguments, **changes)

    def stop(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()

    def log_of(self, process: Forked) -> Path:
        """The file with everything that the process said."""
        number = self.processes.index(process)
        return next(self.logs.glob(f"{number}-*.log"))

    def submit(self, count: int = ITEMS) -> str:
        """`count` items in one request, as the API would; its id."""
        request, new_items = campaign(count)
        with self.database.engine("api").begin() as conn:
            conn.execute(sa.text("select set_config('presswork.tenant', :t, true)"), {"t": TENANT})
            submit(conn, request, new_items)
        return request.id

    def states(self) -> Counter[str]:
        rows = self.query("select state, count(*) as n from items group by state")
        return Counter({row.state: row.n for row in rows})

    def query(self, sql: str, **values: Any) -> list[Any]:
        with self.auditor.connect() as conn:
            return list(conn.execute(sa.text(sql), values))

    def until(self, condition: Callable[[], bool], what: str, seconds: float = DEADLINE_SECONDS) -> None:
        """Look until it is so. While Postgres is away nothing is so."""
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up:
            try:
                if condition():
                    return
            except sa.exc.DBAPIError:
                pass
            time.sleep(0.05)
        raise AssertionError(
            f"after {seconds:g} s still not: {what}; states {dict(self.states())}\n{self.last_words()}"
        )

    def until_settled(self, seconds: float = DEADLINE_SECONDS) -> None:
        self.until(lambda: not self._open_items(), "every item settled", max(seconds, DEADLINE_SECONDS))

    def until_killed(self, process: Forked) -> None:
        """The crash point did it: the process ended by SIGKILL."""
        self.until(lambda: process.poll() is not None, "the process to die at its crash point")
        assert process.returncode == -signal.SIGKILL, self.last_words()

    def last_words(self) -> str:
        return "\n".join(f"--- {p.name}\n{p.read_text()[-2500:]}" for p in sorted(self.logs.glob("*.log")))

    def assert_sound(self, expected: dict[str, int]) -> None:
        """Nothing lost, nothing released twice, nothing unscreened released, and a ledger that verifies."""
        seen = dict(self.states())
        assert seen == expected, f"{seen}\n{self.query(_UNWANTED)}\n{self.last_words()}"
        self._nothing_released_twice(expected.get("released", 0))
        self._nothing_unscreened_released()
        self._every_item_settled_once()
        self._ledger_verifies()

    def _open_items(self) -> int:
        return int(self.query("select count(*) as n from items where state in ('pending', 'planned')")[0].n)

    def _nothing_released_twice(self, released: int) -> None:
        referred = {row.key for row in self.query("select key from renditions")}
        assert sum(not key.endswith("/_thumbnail.webp") for key in referred) == released
        stored = set(self.s3.keys("released/")) - {"released/.ready"}
        # A killed process may leave an object that nothing refers to; never may a reference lack its object,
        # and two objects of one item are never both referred to (renditions.key and assets.item_id are unique).
        assert referred <= stored
        assert len({key.split("/")[2] for key in referred}) == released

    def _nothing_unscreened_released(self) -> None:
        client = self.s3.client()
        for body in self._bodies("item.released"):
            assert body["event"]["verdict"]["decision"] == "allow"
            assert len(body["event"]["verdict"]["pixels"]) == 64
            for rendition in body["event"]["renditions"]:
                stored = client.get_object(Bucket=self.s3.bucket, Key=rendition["key"])["Body"].read()
                assert hashlib.sha256(stored).hexdigest() == rendition["sha256"]

    def _every_item_settled_once(self) -> None:
        settlements = Counter(
            body["event"]["item_id"]
            for kind in ("item.released", "item.held", "item.refused", "item.failed")
            for body in self._bodies(kind)
        )
        assert all(n == 1 for n in settlements.values()), settlements
        settled = {row.id for row in self.query("select id::text from items where state <> 'cancelled'")}
        assert set(settlements) == settled

    def _bodies(self, kind: str) -> list[dict[str, Any]]:
        rows = self.query("select body from audit.entries where kind = :kind", kind=kind)
        return [json.loads(bytes(row.body)) for row in rows]

    def _ledger_verifies(self) -> None:
        seal_and_verify(self.database)


def make_tenant(database: Any) -> None:
    with database.engine("api").begin() as conn:
        conn.execute(sa.text("select set_config('presswork.tenant', :t, true)"), {"t": TENANT})
        create_tenant(conn, TENANT, name="Acme", actor="test")


def campaign(count: int) -> tuple[NewRequest, list[NewItem]]:
    allowed = Verdict("sha256:test")
    request = NewRequest(
        id=new_id(),
        tenant=TENANT,
        kind="campaign",
        name="crash",
        template="a mug, number {n}",
        model="studio",
        model_revision=RECIPE.model_revision,
        priority=Priority.STANDARD,
        queue="gpu",
        key_id=new_id(),
        policy_version=allowed.policy_version,
    )
    ids = [f"row-{n}" for n in range(1, count + 1)]
    new_items = [
        NewItem(n, id, 0, f"a mug, number {n}", "", seed_for(request.id, id, 0), RECIPE, allowed)
        for n, id in enumerate(ids, start=1)
    ]
    return request, new_items

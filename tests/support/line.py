"""Line's tests in few words: submit as the API's role, work as the worker's, read as the auditor's.

Every row is written by workers/jobs itself.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, Engine, Row, event, func, select, text

from policy.ledger.tables import entries
from policy.verdict import Decision, Finding, Stage, Verdict
from workers.jobs import keys
from workers.jobs.claim import claim
from workers.jobs.dispatch import dispatch
from workers.jobs.submit import submit
from workers.jobs.tables import batches, items
from workers.jobs.types import (
    Claim,
    ClaimedItem,
    NewItem,
    NewRequest,
    Released,
    SamplingPosition,
    StoredRendition,
    new_id,
)
from workers.recipes import Recipe
from workers.states import WAKE_CHANNEL, ItemState, Priority

if TYPE_CHECKING:
    from tests.support.databases import Database

LEASE = timedelta(seconds=60)
POLICY = "sha256:" + "0" * 64
KEY_ID = new_id()
RECIPE = Recipe(
    model="studio",
    model_revision="sha256:" + "1" * 64,
    width=128,
    height=128,
    num_inference_steps=4,
    scheduler="DDIMScheduler",
    guidance_scale=1.0,
)
ALLOW = Verdict(POLICY, scores={"prompt": 0.0})
HOLD = Verdict(POLICY, (Finding(Decision.HOLD, Stage.IMAGE, "adult", "nsfw", 0.5),))
REFUSE = Verdict(POLICY, (Finding(Decision.REFUSE, Stage.PROMPT, "weapons", "list"),))


class Recorded(NamedTuple):
    """A line of the ledger, as the auditor reads it."""

    kind: str
    tenant: str
    actor: str
    subjects: list[str]
    event: dict[str, Any]


@dataclass(slots=True)
class Line:
    """The job tables of one test's database."""

    database: Database
    worker: Engine
    api: Engine
    owner: Engine  # tests only: moves the clock by moving leases
    auditor: Engine
    _tenants: set[str] = field(default_factory=set)

    @classmethod
    def on(cls, database: Database) -> Line:
        worker, api, owner, auditor = (database.engine(role) for role in ("worker", "api", "owner", "auditor"))
        return cls(database, worker, api, owner, auditor)

    @contextmanager
    def as_tenant(self, tenant: str) -> Iterator[Connection]:
        """A transaction of the API's role, confined to one tenant as the API confines it."""
        with self.api.begin() as conn:
            conn.execute(text("select set_config('presswork.tenant', :tenant, true)"), {"tenant": tenant})
            yield conn

    def add_tenant(self, tenant: str, weight: int = 1) -> None:
        if tenant not in self._tenants:
            with self.as_tenant(tenant) as conn:
                keys.create_tenant(conn, tenant, name=tenant, actor="test", weight=weight)
            self._tenants.add(tenant)

    def submit(
        self, tenant: str, images: int, *, new_items: Sequence[NewItem] | None = None, **request: Any
    ) -> list[str]:
        """Item ids, in row order."""
        self.add_tenant(tenant)
        wanted = new_request(tenant, **request)
        with self.as_tenant(tenant) as conn:
            submit(conn, wanted, new_items if new_items is not None else rows(images))
            found = select(items.c.id).where(items.c.request_id == wanted.id).order_by(items.c.row, items.c.variant)
            return list(conn.scalars(found))

    def dispatch(self, item_ids: Sequence[str], *, lease: timedelta = LEASE, claims_allowed: int = 2) -> str:
        with self.worker.begin() as conn:
            batch_id = dispatch(conn, "gpu", RECIPE.id, item_ids, lease=lease, claims_allowed=claims_allowed)
        assert batch_id is not None
        return batch_id

    def claim(self, batch_id: str, lease: timedelta = LEASE) -> Claim:
        with self.worker.begin() as conn:
            held = claim(conn, batch_id, lease, "worker-1")
        assert held is not None
        return held

    def claimed(self, images: int = 2, **dispatched: Any) -> Claim:
        """A fresh batch of that many images of one tenant, held by a worker."""
        return self.claim(self.dispatch(self.submit("acme", images), **dispatched))

    def lease_runs_out(self, batch_id: str) -> None:
        """Move the clock: the batch's lease ended a second ago."""
        with self.owner.begin() as conn:
            conn.execute(
                text("update batches set lease_until = clock_timestamp() - interval '1 second' where id = :id"),
                {"id": batch_id},
            )

    def cut_connections(self, role: str) -> None:
        """Every session of the database role ends at once, as in a restart of Postgres."""
        mine = "select pg_terminate_backend(pid) from pg_stat_activity where datname = :name and usename = :role"
        with self.database.engine("superuser", isolation_level="AUTOCOMMIT").connect() as conn:
            conn.execute(text(mine), {"name": self.database.name, "role": role})

    def is_listened_to(self) -> bool:
        """Whether somebody waits for a NOTIFY in this database."""
        waits = (
            "select count(*) from pg_stat_activity where datname = :name and query like 'LISTEN%' and state = 'idle'"
        )
        with self.database.engine("superuser", isolation_level="AUTOCOMMIT").connect() as conn:
            return bool(conn.execute(text(waits), {"name": self.database.name}).scalar_one())

    def open_transactions(self) -> int:
        """Of the database role of workers."""
        mine = "select count(*) from pg_stat_activity where usename = 'presswork_worker' and datname = :name"
        with self.database.engine("superuser", isolation_level="AUTOCOMMIT").connect() as conn:
            return int(
                conn.execute(text(f"{mine} and xact_start is not null"), {"name": self.database.name}).scalar_one()
            )

    def wake(self) -> None:
        with self.owner.begin() as conn:
            conn.execute(select(func.pg_notify(WAKE_CHANNEL, "")))

    def pending(self) -> list[str]:
        with self.auditor.connect() as conn:
            return list(conn.scalars(select(items.c.id).where(items.c.state == ItemState.PENDING)))

    def states(self) -> Counter[str]:
        with self.auditor.connect() as conn:
            return Counter(conn.scalars(select(items.c.state)))

    def item(self, item_id: str) -> Row[Any]:
        with self.auditor.connect() as conn:
            return conn.execute(select(items).where(items.c.id == item_id)).one()

    def batch(self, batch_id: str) -> Row[Any]:
        with self.auditor.connect() as conn:
            return conn.execute(select(batches).where(batches.c.id == batch_id)).one()

    def batch_ids(self, state: str) -> list[str]:
        with self.auditor.connect() as conn:
            return list(conn.scalars(select(batches.c.id).where(batches.c.state == state).order_by(batches.c.id)))

    def members(self, batch_id: str) -> list[str]:
        with self.auditor.connect() as conn:
            members = select(items.c.id).where(items.c.batch_id == batch_id).order_by(items.c.batch_position)
            return list(conn.scalars(members))

    def events(self, kind: str | None = None) -> list[Recorded]:
        """What the ledger says, oldest first, without the making of tenants."""
        with self.auditor.connect() as conn:
            found = conn.execute(select(entries).order_by(entries.c.id)).all()
        recorded = [
            Recorded(row.kind, row.tenant, row.actor, row.subjects, json.loads(row.body)["event"]) for row in found
        ]
        return [one for one in recorded if one.kind == kind or (kind is None and one.kind != "tenant.created")]

    def kinds(self) -> list[str]:
        return [one.kind for one in self.events()]


def new_request(tenant: str, **changes: Any) -> NewRequest:
    values: dict[str, Any] = {
        "id": new_id(),
        "tenant": tenant,
        "kind": "campaign",
        "name": "spring",
        "template": "a photo of {product}",
        "model": RECIPE.model,
        "model_revision": RECIPE.model_revision,
        "priority": Priority.BULK,
        "queue": "gpu",
        "key_id": KEY_ID,
        "policy_version": POLICY,
    }
    return NewRequest(**values | changes)


def new_item(row: int, **changes: Any) -> NewItem:
    values: dict[str, Any] = {
        "row": row,
        "custom_id": f"row-{row}",
        "variant": 0,
        "prompt": f"a red kettle number {row}",
        "negative_prompt": "",
        "seed": 1000 + row,
        "recipe": RECIPE,
        "verdict": ALLOW,
    }
    return NewItem(**values | changes)


def rows(images: int) -> list[NewItem]:
    return [new_item(row) for row in range(1, images + 1)]


def released(held: Claim, item: ClaimedItem, *, verdict: Verdict = ALLOW) -> Released:
    """The outcome of an image that passed everything, as the finisher would say it."""
    key = f"released/{item.tenant}/{item.id}/{held.attempt}/original.png"
    return Released(
        item=item,
        asset_id=new_id(),
        watermark_id=int(item.id.replace("-", "")[-12:], 16),
        position=SamplingPosition(batch_size=len(held.items), batch_position=held.items.index(item), device="cpu"),
        verdict=verdict,
        marks={"watermark": {"bit_errors": 0}},
        renditions=(StoredRendition("original", key, "image/png", 128, 128, 1234, "a" * 64),),
    )


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """Every statement the engine sends meanwhile; one executemany counts once."""
    sent: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)


def until_blocked(line: Line, *, seconds: float = 60.0) -> None:
    """Returns once some transaction of this database waits for another's lock."""
    waits = text("select count(*) from pg_stat_activity where datname = :name and wait_event_type = 'Lock'")
    with line.database.engine("superuser", isolation_level="AUTOCOMMIT").connect() as conn:
        eventually(lambda: conn.execute(waits, {"name": line.database.name}).scalar_one() > 0, seconds=seconds)


def eventually(true: Callable[[], object], *, seconds: float = 60.0) -> None:
    """Returns as soon as `true()` is; fails the test after `seconds`."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)

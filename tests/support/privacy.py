"""Erasures and holds in few words: requests in every state, the clerk's context, what is left of a text anywhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, text

from tests.support.line import HOLD, REFUSE, Line, new_item, released
from workers.clerk import erasures, removals, retention
from workers.clerk.context import ClerkContext
from workers.jobs.privacy import orders
from workers.jobs.privacy.orders import ErasureStatus
from workers.jobs.privacy.select import ErasureScope, preview
from workers.jobs.settle import settle
from workers.jobs.types import Failed, Held, Refused
from workers.settings import Settings
from workers.store import ObjectStore

if TYPE_CHECKING:
    from tests.conftest import S3

TENANT = "acme"
SECRET = "portrait of Jane Roe, jane@example.com"


@dataclass(slots=True)
class Privacy:
    """One test's jobs, and a clerk who erases."""

    line: Line
    clerk: Engine
    settings_for: Callable[..., Settings]
    s3: S3

    def context(self, **settings: Any) -> ClerkContext:
        chosen = self.settings_for("clerk", **settings)
        return ClerkContext(self.clerk, ObjectStore(chosen), chosen)

    def settled(self, prompt: str = SECRET, *, tenant: str = TENANT, **request: Any) -> list[str]:
        """Four items of one request: released, held (and its picture stored), failed, refused by its prompt."""
        rows = [
            new_item(row, prompt=f"{prompt}, number {row}", custom_id=f"c{row}", carried=(f"c{row}", prompt))
            for row in (1, 2, 3)
        ]
        rows.append(new_item(4, prompt=prompt, custom_id="c4", verdict=REFUSE))
        ids = self.line.submit(tenant, 4, new_items=rows, **request)
        held = self.line.claim(self.line.dispatch(ids[:3]))
        one, two, three = held.items
        key = f"quarantine/{tenant}/{two.id}/1/original.png"
        sha256 = ObjectStore(self.settings_for("worker")).put(key, b"picture", "image/png")
        with self.line.worker.begin() as conn:
            settle(conn, held, [released(held, one), Held(two, HOLD, key, sha256), Failed(three, "worker_lost")])
        return ids

    def refused(self, prompt: str = SECRET, *, tenant: str = TENANT, images: int = 1, **request: Any) -> list[str]:
        """Items that policy refused after sampling: settled, and nothing waits for anybody."""
        rows = [new_item(row, prompt=f"{prompt}, number {row}", carried=(prompt,)) for row in range(1, images + 1)]
        held = self.line.claim(self.line.dispatch(self.line.submit(tenant, images, new_items=rows, **request)))
        with self.line.worker.begin() as conn:
            settle(conn, held, [Refused(item, REFUSE) for item in held.items])
        return [item.id for item in held.items]

    def request_of(self, item_id: str) -> str:
        return str(self.line.item(item_id).request_id)

    def order(self, noun: str, value: str = "", *, tenant: str = TENANT) -> str:
        """The id of an order, as the API writes one."""
        scope = ErasureScope(noun, value)
        with self.line.auditor.connect() as conn:
            orders.refuse_where_it_cannot(scope, preview(conn, tenant, scope))
        with self.line.as_tenant(tenant) as conn:
            return orders.order(conn, tenant, scope, actor="key:test")

    def work(self, **settings: Any) -> None:
        """The clerk, until nothing is left that does not wait."""
        context = self.context(**settings)
        while erasures.run_once(context) + retention.run_once(context) + removals.run_once(context):
            pass
        self.wake()

    def wake(self) -> None:
        """Move the clock: what waits is looked at again, and no sweep rests."""
        with self.line.owner.begin() as conn:
            conn.execute(text("update erasures set look_at = clock_timestamp() where state <> 'finished'"))
            conn.execute(text("update sweeps set rested_at = null"))

    def erased(self, noun: str, value: str = "", *, tenant: str = TENANT) -> ErasureStatus:
        """An order, carried out."""
        erasure_id = self.order(noun, value, tenant=tenant)
        self.work()
        self.work()
        return self.status(erasure_id, tenant=tenant)

    def status(self, erasure_id: str, *, tenant: str = TENANT) -> ErasureStatus:
        with self.line.auditor.connect() as conn:
            return orders.get_erasure(conn, tenant, erasure_id)

    def age(self, days: int, *, ledger: bool = True) -> None:
        """Move the clock: everything in the job tables happened so many days ago; the ledger's times are columns."""
        with self.line.database.engine("superuser").begin() as conn:
            conn.execute(text("alter table audit.entries disable trigger all"))
            for table, columns in _TIMES.items():
                if table == "audit.entries" and not ledger:
                    continue
                moved = ", ".join(f"{column} = {column} - make_interval(days => {days})" for column in columns)
                conn.execute(text(f"update {table} set {moved}"))
            conn.execute(text("alter table audit.entries enable always trigger append_only"))
            conn.execute(text("alter table audit.entries enable always trigger no_truncate"))
            conn.execute(text("alter table audit.entries enable trigger remember_pending"))

    def holds_anywhere(self, words: str) -> list[str]:
        """Every column of every table in which these words stand, also inside JSON and bytes."""
        found = []
        with self.line.database.engine("superuser").connect() as conn:
            for schema, table in conn.execute(text(_TABLES)).all():
                rows = conn.execute(text(f'select row_to_json(t)::text from "{schema}"."{table}" t')).scalars()
                spelled = json.dumps(words)[1:-1], words.encode().hex()
                found += [f"{schema}.{table}" for row in rows if any(one in row for one in spelled)]
        return sorted(set(found))


_TABLES = """
select table_schema, table_name from information_schema.tables
where table_schema in ('public', 'audit') and table_type = 'BASE TABLE' and table_name <> 'alembic_version'
"""
_TIMES = {
    "items": ("created_at", "settled_at"),
    "requests": ("created_at",),
    "holds": ("created_at", "decided_at"),
    "idempotency_keys": ("created_at",),
    "audit.entries": ("recorded_at",),
}

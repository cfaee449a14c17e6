"""Recall tests in few words: pictures that are really in the store, orders, and a clerk's turns."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, select

from policy.verdict import Verdict
from tests.support.line import ALLOW, Line, released
from workers.clerk import recalls
from workers.clerk.context import ClerkContext
from workers.crash import Probe, no_probe
from workers.jobs.recall.criteria import Criteria, RecallCounts, preview
from workers.jobs.recall.orders import order
from workers.jobs.recall.tables import recall_assets
from workers.jobs.recall.views import RecallView, get_recall
from workers.jobs.settle import settle
from workers.jobs.tables import assets
from workers.jobs.types import Released, StoredRendition
from workers.settings import Settings
from workers.store import ObjectStore

if TYPE_CHECKING:
    from tests.conftest import S3

REASON = {"reason_code": "licence", "reason": "withdrawn by its maker"}


def picture(key: str) -> bytes:
    """The bytes under a released key: no two alike."""
    return b"\x89PNG of " + key.encode()


@dataclass(slots=True)
class Recalling:
    """One test's database and bucket, with released pictures, and the clerk that takes them back."""

    line: Line
    settings_for: Callable[..., Settings]
    s3: S3

    def release(
        self, images: int = 2, *, tenant: str = "acme", verdict: Verdict = ALLOW, names: Sequence[str] = ("original",),
        stored: bool = True, **request: Any,
    ) -> list[Released]:  # fmt: skip
        """Released pictures of one request; their objects lie in the store unless `stored` is False."""
        held = self.line.claim(self.line.dispatch(self.line.submit(tenant, images, **request)))
        store = ObjectStore(self.settings_for("worker"))
        outcomes = [self._with_files(released(held, item, verdict=verdict), names) for item in held.items]
        for outcome in outcomes if stored else ():
            for file in outcome.renditions:
                store.put(file.key, picture(file.key), file.media_type)
        with self.line.worker.begin() as conn:
            settle(conn, held, outcomes)
        return outcomes

    def order(self, criteria: Criteria, *, tenant: str = "acme", **more: Any) -> str:
        """As the API would, for a tenant."""
        with self.line.as_tenant(tenant) as conn:
            return order(conn, tenant, criteria, **{**REASON, "actor": "key:test", **more})

    def preview(self, criteria: Criteria, *, tenant: str = "acme") -> RecallCounts:
        with self.line.as_tenant(tenant) as conn:
            return preview(conn, tenant, criteria)

    def context(self, probe: Probe = no_probe, **settings: Any) -> ClerkContext:
        chosen = self.settings_for("clerk", **settings)
        return ClerkContext(self.line.database.engine("clerk"), ObjectStore(chosen), chosen, probe)

    def carry_out(self, context: ClerkContext | None = None) -> int:
        """Turns of the clerk until nothing is left; how much was done."""
        context, done = context or self.context(), 0
        while did := recalls.run_once(context):
            done += did
        return done

    def recall(self, recall_id: str) -> RecallView:
        with self.line.database.engine("clerk").begin() as conn:
            return get_recall(conn, None, recall_id)

    def states(self) -> dict[str, str]:
        """Asset id -> state."""
        with self.line.auditor.connect() as conn:
            return {row.id: row.state for row in conn.execute(select(assets.c.id, assets.c.state))}

    def member(self, asset_id: str) -> Row[Any]:
        with self.line.auditor.connect() as conn:
            return conn.execute(select(recall_assets).where(recall_assets.c.asset_id == asset_id)).one()

    def objects(self, place: str) -> set[str]:
        return {key for key in self.s3.keys(f"{place}/") if not key.endswith(".ready")}

    def _with_files(self, outcome: Released, names: Sequence[str]) -> Released:
        (first,) = outcome.renditions
        keys = [first.key.replace("original", name) for name in names]
        files = [replace(first, name=name, key=key, **_facts(key)) for name, key in zip(names, keys, strict=True)]
        return replace(outcome, renditions=tuple(files))


def _facts(key: str) -> dict[str, Any]:
    content = picture(key)
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def keys_of(outcomes: Sequence[Released]) -> set[str]:
    return {file.key for outcome in outcomes for file in outcome.renditions}


def files_of(outcomes: Sequence[Released]) -> list[StoredRendition]:
    return [file for outcome in outcomes for file in outcome.renditions]

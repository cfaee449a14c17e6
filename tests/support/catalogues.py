"""Catalogues in few words: planned over HTTP, made by a worker's functions, flipped by the clerk's duty."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from httpx import Response

from api.catalogues.scheduled import carry_out
from tests.support.client import ApiTenant
from tests.support.line import HOLD, LEASE, eventually, released
from workers.jobs.catalogue import flips, ticks
from workers.jobs.catalogue.ticks import Tick
from workers.jobs.claim import claim
from workers.jobs.dispatch import dispatch
from workers.jobs.settle import settle
from workers.jobs.types import Claim, Failed, Held, KeptDrawing, Released, SamplingPosition
from workers.store import ObjectStore

SPEC: dict[str, Any] = {
    "name": "chairs",
    "key": "sku",
    "make": {"template": "a {colour} {title}"},
    "limits": {"changed_percent": 100},
}
HEADER = "sku,title,colour,price"


def feed(rows: Sequence[str], header: str = HEADER) -> str:
    return "\n".join([header, *rows]) + "\n"


ROWS = [f"c-{n:02},chair {n},red,{n}.90" for n in range(1, 9)]


@dataclass
class Catalogue:
    """One tenant's catalogue."""

    api: ApiTenant
    spec: dict[str, Any] = field(default_factory=lambda: dict(SPEC))
    settings: dict[str, Any] = field(default_factory=dict)
    keeps: bool = False  # a drawing of each picture that is drawn
    stores: bool = False  # bytes of each file

    def __post_init__(self) -> None:
        self.client = self.api.caller(**self.settings)
        key = self.api.server.key(self.api.tenant, person="Ada")[1]  # a service's key confirms no safeguard
        self.client.headers["Authorization"] = f"Bearer {key}"
        self.url = f"/v1/catalogues/{self.spec['name']}"

    def send(self, rows: str | None, **spec: Any) -> Response:
        files: dict[str, Any] = {"catalogue": (None, json.dumps({**self.spec, **spec}), "application/json")}
        if rows is not None:
            files["file"] = ("feed.csv", rows, "text/csv")
        return self.client.post(f"{self.url}/plans", files=files)

    def plan(self, rows: str | None, **spec: Any) -> dict[str, Any]:
        """The plan, ready or failed."""
        sent = self.send(rows, **spec)
        assert sent.status_code == 202, sent.text
        return self.made(sent.json()["id"])

    def made(self, id: str) -> dict[str, Any]:
        found: dict[str, Any] = {}

        def is_made() -> bool:
            found.update(self.client.get(f"{self.url}/plans/{id}").json())
            return found["state"] != "planning"

        eventually(is_made)
        return found

    def changes(self, plan: dict[str, Any], kind: str = "") -> list[tuple[str, int, str, str]]:
        pages = self.client.get(f"{self.url}/plans/{plan['id']}/changes", params={"kind": kind} if kind else {})
        return [(one["key"], one["view"], one["kind"], one["cause"]) for one in pages.json()["data"]]

    def apply(self, plan: dict[str, Any], **body: Any) -> Response:
        return self.client.post(f"{self.url}/plans/{plan['id']}/apply", json={"digest": plan["digest"], **body})

    def applied(self, plan: dict[str, Any], **body: Any) -> dict[str, Any]:
        answered = self.apply(plan, **body)
        assert answered.status_code == 202, (answered.text, self.api.logs[-3:])
        begun: dict[str, Any] = answered.json()
        if begun["pilot"]:
            with self.api.server.line.owner.begin() as conn:
                conn.exec_driver_sql("update requests set phase = 'running' where id = %s", (begun["request_id"],))
        return begun

    def make(self, request_id: str, *, held: Sequence[str] = (), failed: Sequence[str] = ()) -> None:
        """Every item of the request is settled, and the clerk looks."""
        self.settle(request_id, held=held, failed=failed)
        self.clerk()

    def settle(self, request_id: str, *, held: Sequence[str] = (), failed: Sequence[str] = ()) -> None:
        items = [item for item in self.api.items() if item.request_id == request_id and item.state == "pending"]
        ids, (first, *_) = [item.id for item in items], items
        with self.api.server.line.worker.begin() as conn:
            batch_id = dispatch(conn, first.queue, first.recipe_id, ids, lease=LEASE, claims_allowed=2)
            claimed = claim(conn, str(batch_id), LEASE, "worker-1")
            assert claimed is not None
            outcomes: list[Any] = []
            for item in claimed.items:
                if item.custom_id in held:
                    outcomes.append(Held(item, HOLD, f"quarantine/{item.id}", "b" * 64))
                elif item.custom_id in failed:
                    outcomes.append(Failed(item, "worker_lost"))
                else:
                    outcomes.append(replace(self._released(claimed, item), kept=self._kept(item)))
            settle(conn, claimed, outcomes)
        with self.api.server.line.owner.begin() as conn:  # the verdicts of these outcomes name no rule set
            same = "update assets set policy_version = %s where tenant = %s and request_id = %s"
            rules = self.api.server.app(**self.settings).state.parts.rules
            conn.exec_driver_sql(same, (rules.version, self.api.tenant, request_id))

    def _released(self, claimed: Claim, item: Any) -> Released:
        outcome = released(claimed, item)
        if not self.stores:
            return outcome
        (file,), said = outcome.renditions, f"picture {item.id}".encode()
        digest = ObjectStore(self.api.server.settings_for("worker")).put(file.key, said, file.media_type)
        return replace(outcome, renditions=(replace(file, sha256=digest, bytes=len(said)),))

    def _kept(self, item: Any) -> KeptDrawing | None:
        if not self.keeps or item.made_of:
            return None
        return KeptDrawing(item.id, f"drawings/{item.id}", "a" * 64, 9, SamplingPosition(1, 0, "cpu"))

    def clerk(self) -> None:
        with self.api.server.database.engine("clerk").begin() as conn:
            while (run := flips.next_due(conn)) is not None:
                flips.settle(conn, run)

    def run(self, rows: str, **spec: Any) -> dict[str, Any]:
        """Planned, applied and made."""
        begun = self.applied(self.plan(rows, **spec), confirm=True)
        self.make(begun["request_id"])
        return begun

    def live(self) -> dict[str, str]:
        """Asset by key."""
        text = self.client.get(f"{self.url}/manifest", params={"format": "jsonl"}).text
        return {line["key"]: line["asset_id"] for line in map(json.loads, text.splitlines())}

    def start(self, **spec: Any) -> Response:
        return self.client.put(f"{self.url}/schedule", json={**self.spec, **spec})

    def begin(self) -> list[Tick]:
        """What is to be carried out once the clerk looked at the next due time."""
        server = self.api.server
        due = datetime.fromisoformat(self.client.get(f"{self.url}/schedule").json()["begin_at"])
        with server.line.owner.begin() as conn:  # of other tests
            conn.exec_driver_sql("delete from catalogue_schedules where tenant <> %s", (self.api.tenant,))
        with server.database.engine("clerk").begin() as conn:
            assert ticks.begin_next(conn, due)
        with server.app(**self.settings).state.parts.engine.begin() as conn:
            return [tick for tick in ticks.waiting(conn) if tick.tenant == self.api.tenant]

    def tick(self) -> dict[str, Any]:
        """The next due time, begun by the clerk and carried out by the API's process."""
        for tick in self.begin():
            carry_out(self.api.server.app(**self.settings).state.parts, tick)
        found: dict[str, Any] = self.client.get(f"{self.url}/schedule").json()["ticks"][0]
        return found

"""Customers of the soak: three tenants over HTTP, who try again with the same key until they are answered.

What they were told is kept: the accounts hold it against what the database has.
"""

from __future__ import annotations

import json
import random
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from bench.soak.installation import Installation
from tests.support.receiver import Receiver
from workers.jobs.keys import SCOPES, create_key, create_tenant
from workers.jobs.types import new_id

TENANTS = ("ant", "bee", "cat")
_OBJECTS = ("car", "backpack", "bicycle", "mug", "chair", "lamp")
_WAIT_SECONDS = 90.0  # for an answer to one act, over any fault
_MOST_OPEN = 150  # items, so that it all ends soon after the last fault
_EVENTS = ["asset.released", "asset.recalled"]


@dataclass
class Tenant:
    """One tenant, with the keys of two people, and what it was told."""

    name: str
    keys: tuple[str, str]
    requests: dict[str, int] = field(default_factory=dict)  # id -> items accepted
    cancelled: int = 0
    reviewed: int = 0
    recalls: list[str] = field(default_factory=list)
    pilots: list[str] = field(default_factory=list)
    accepted: int = 0
    unanswered: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)  # calls that no fault explains


@dataclass
class Customers:
    """Acts in a thread of its own between `start` and `stop`."""

    on: Installation
    receiver: Receiver
    chance: random.Random
    tenants: list[Tenant] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def open_accounts(self) -> None:
        """Tenants, keys and webhooks. Call it while everything runs."""
        engine = self.on.engine("api")
        for name in TENANTS:
            keys = []
            with engine.begin() as conn:
                conn.execute(text("select set_config('presswork.tenant', :t, true)"), {"t": name})
                create_tenant(conn, name, name=name, actor="soak")
                for person in ("ann", "bob"):
                    _, key = create_key(
                        conn, name, name=person, scopes=SCOPES, actor="soak", person=f"{person}@{name}.example"
                    )
                    keys.append(key)
            tenant = Tenant(name, (keys[0], keys[1]))
            self.tenants.append(tenant)
            self._post(tenant, "/v1/webhooks", {"url": f"{self.receiver.url}&of={name}", "events": _EVENTS})

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Returns once the act under way is answered."""
        self._stop.set()
        if self._thread is not None:
            if not self._thread.is_alive():
                raise RuntimeError("the customers ended before the faults")
            self._thread.join()

    def tidy(self) -> int:
        """Resume what paused itself, accept pilots, decide what is held; how much there was to do."""
        done = 0
        for tenant in self.tenants:
            paused = [one for one in self._requests(tenant) if one["phase"] == "paused"]
            for one in paused:
                self._post(tenant, f"/v1/requests/{one['id']}/resume")
            done += len(paused) + self._accept_pilots(tenant) + self._review(tenant, limit=200)
        return done

    def _run(self) -> None:
        while not self._stop.wait(self.chance.uniform(0.3, 1.2)):
            tenant = self.chance.choice(self.tenants)
            try:
                is_full = sum(self.on.states()[state] for state in ("pending", "planned")) > _MOST_OPEN
            except DBAPIError:
                continue  # this look at the database is the soak's own: no customer has one
            if not is_full:
                self._submit(tenant)
            if self.chance.random() < 0.3:
                self._review(tenant, limit=5)
                self._accept_pilots(tenant)
            if self.chance.random() < 0.1:
                self._recall(tenant)

    def _submit(self, tenant: Tenant) -> None:
        rows = self.chance.randint(2, 14)
        sheet = self._sheet(rows)
        spec: dict[str, Any] = {"template": "a {object}", "name": f"soak {rows}"}
        if rows > 2 and self.chance.random() < 0.1:  # a pilot of all rows is none
            spec["pilot"] = {"images": 2}
        form: dict[str, Any] = {"data": {"spec": json.dumps(spec)}, "files": {"file": ("rows.csv", sheet, "text/csv")}}
        reply = self._call(tenant, "POST", "/v1/campaigns", **form)
        if reply is None:
            return
        tenant.requests[reply["id"]] = rows
        if "pilot" in spec:
            tenant.pilots.append(reply["id"])
        elif self.chance.random() < 0.12:
            time.sleep(self.chance.uniform(0, 1))
            if (answer := self._post(tenant, f"/v1/requests/{reply['id']}/cancel")) is not None:
                tenant.cancelled += int(answer["cancelled"])

    def _sheet(self, rows: int) -> str:
        """A CSV file. Without seeds of its own, as one in eight is, its rows take pictures of earlier campaigns."""
        objects = [self.chance.choice(_OBJECTS) for _ in range(rows)]
        if self.chance.random() < 0.12:
            return "object\n" + "".join(f"{name}\n" for name in objects)
        return "object,seed\n" + "".join(f"{name},{self.chance.randrange(2**32)}\n" for name in objects)

    def _review(self, tenant: Tenant, *, limit: int) -> int:
        held = self._call(tenant, "GET", f"/v1/reviews?limit={min(limit, 100)}", key=1)
        decided = 0
        for one in held["data"] if held else ():
            decision = "release" if one["releasable"] and self.chance.random() < 0.6 else "refuse"
            said = {"decision": decision, "comment": "soak", "sha256": one["sha256"]}
            decided += self._post(tenant, f"/v1/reviews/{one['item_id']}", said, key=1) is not None
        tenant.reviewed += decided
        return decided

    def _recall(self, tenant: Tenant) -> None:
        if not tenant.requests:
            return
        request_id = self.chance.choice(list(tenant.requests))
        found = self._call(tenant, "GET", f"/v1/requests/{request_id}/assets?limit=5")
        assets = [one["id"] for one in found["data"] if one["state"] == "released"] if found else []
        if assets:
            reply = self._post(tenant, "/v1/recalls", {"asset_id": assets[0], "reason_code": "other"})
            if reply is not None:
                tenant.recalls.append(reply["id"])

    def _accept_pilots(self, tenant: Tenant) -> int:
        accepted = 0
        for request_id in list(tenant.pilots):
            shown = self._call(tenant, "GET", f"/v1/requests/{request_id}/pilot")
            if shown is None or not shown["ready"]:
                continue
            if shown["phase"] == "awaiting_acceptance":
                body = {"digest": shown["digest"], "rejected": []}
                accepted += self._post(tenant, f"/v1/requests/{request_id}/pilot/accept", body) is not None
            else:
                tenant.pilots.remove(request_id)
        tenant.accepted += accepted
        return accepted

    def _requests(self, tenant: Tenant) -> list[dict[str, Any]]:
        found, cursor = [], ""
        while True:
            page = self._call(tenant, "GET", f"/v1/requests?limit=100{cursor}") or {"data": [], "next_cursor": None}
            found += page["data"]
            if not page["next_cursor"]:
                return found
            cursor = f"&cursor={page['next_cursor']}"

    def _post(self, tenant: Tenant, path: str, body: dict[str, Any] | None = None, *, key: int = 0) -> Any:
        return self._call(tenant, "POST", path, key=key, **({"json": body} if body is not None else {}))

    def _call(self, tenant: Tenant, method: str, path: str, *, key: int = 0, **content: Any) -> Any:
        """The JSON of the answer; None for a refusal. The same key is sent until there is an answer."""
        headers = {"Authorization": f"Bearer {tenant.keys[key]}", "Idempotency-Key": new_id()}
        until = time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < until:
            try:
                answer = httpx.request(method, self.on.url + path, headers=headers, timeout=20.0, **content)
            except httpx.HTTPError:
                time.sleep(0.3)
                continue
            if answer.status_code < 300:
                return answer.json()
            if answer.status_code not in (409, 429) and answer.status_code < 500:
                tenant.refused.append(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
                return None
            if answer.status_code == 409 and answer.json().get("code") != "in_flight":
                return None  # decided, cancelled or recalled meanwhile
            time.sleep(0.5)
        tenant.unanswered.append(f"{method} {path}: no answer in {_WAIT_SECONDS:g} s")
        return None

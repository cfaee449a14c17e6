"""Accounts of the soak: nothing lost, doubled or unscreened, a ledger that verifies, and what is left over."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from bench.soak.customers import Customers
from bench.soak.installation import Installation
from policy.ledger.tree.keys import load_vkeys
from policy.ledger.verification.verify import verify

_SETTLED = ("item.released", "item.held", "item.refused", "item.failed")


@dataclass
class Accounts:
    """`wrong` is what must not be; `said` is what the report says."""

    on: Installation
    customers: Customers
    wrong: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def close(self) -> None:
        for count in (self._items, self._settlements, self._digests, self._webhooks, self._reviews, self._ledger):
            count()
        self._left_over()
        self._demand(not self.on.ended, f"processes ended by themselves: {self.on.ended}")
        for tenant in self.customers.tenants:
            self.wrong += [f"{tenant.name} was refused: {line}" for line in tenant.refused]

    def _demand(self, true: bool, what: str) -> None:
        if not true:
            self.wrong.append(what)

    def _items(self) -> None:
        accepted = sum(rows for tenant in self.customers.tenants for rows in tenant.requests.values())
        states = self.on.states()
        self.said.append(f"items accepted {accepted:,}: {', '.join(f'{n:,} {s}' for s, n in sorted(states.items()))}")
        stored = {row.id for row in self.on.query("select id::text as id from requests")}
        told = {id for tenant in self.customers.tenants for id in tenant.requests}
        self._demand(stored == told, f"requests stored and not told {len(stored - told)}, or told and not stored")
        self._demand(accepted == sum(states.values()), f"{accepted} items accepted, {sum(states.values())} there")
        self._demand(not states["pending"] + states["planned"], "items are open")
        self._demand(not states["failed"], f"{states['failed']} items failed: {self._reasons()}")
        cancelled = sum(tenant.cancelled for tenant in self.customers.tenants)
        self._demand(cancelled == states["cancelled"], f"{cancelled} told cancelled, {states['cancelled']} are")

    def _reasons(self) -> dict[str, int]:
        rows = self.on.query("select reason, count(*) n from items where state = 'failed' group by reason")
        return {row.reason: row.n for row in rows}

    def _settlements(self) -> None:
        released = self._bodies("item.released")
        by_item = Counter(body["event"]["item_id"] for body in released)
        assets = self.on.query("select item_id::text as id from assets")
        self._demand(max(by_item.values(), default=0) <= 1, "an item was released twice in the ledger")
        self._demand(set(by_item) == {row.id for row in assets}, "assets and releases differ")
        reused = Counter(body["event"]["item_id"] for body in self._bodies("item.reused"))
        self.said.append(f"released: {len(by_item):,} made, {len(reused):,} taken from earlier campaigns")
        self._demand(max(reused.values(), default=0) <= 1 and not reused.keys() & by_item, "an item was released twice")
        delivered = self.on.states()["released"] + self.on.states()["recalled"]
        self._demand(len(by_item) + len(reused) == delivered, f"{delivered} items released, or recalled since")
        first = Counter(
            body["event"]["item_id"]
            for kind in _SETTLED
            for body in self._bodies(kind)
            if not body["event"].get("review")
        )
        self._demand(max(first.values(), default=0) <= 1, "an item was settled twice")
        unscreened = [
            body["event"]["item_id"]
            for body in released
            if not body["event"]["review"]
            and (body["event"]["verdict"]["decision"] != "allow" or "pixels" not in body["event"]["verdict"])
        ]
        self._demand(not unscreened, f"released without an allow verdict on their pixels: {unscreened[:3]}")

    def _digests(self) -> None:
        client = self.on.stack.seaweed.client("admin")
        files = self.on.query(
            "select r.key, r.sha256, a.state from renditions r join assets a on a.id = r.asset_id order by r.key"
        )
        wrong = 0
        for row in files:
            key = row.key if row.state == "released" else row.key.replace("released/", "recalled/", 1)
            body = client.get_object(Bucket="presswork", Key=key)["Body"].read()
            wrong += hashlib.sha256(body).hexdigest() != row.sha256
        self.said.append(f"files read and compared with their digests: {len(files):,}")
        self._demand(not wrong, f"{wrong} files differ from their digests")

    def _webhooks(self) -> None:
        got: dict[str, set[str]] = {}
        for one in self.customers.receiver.got:
            message = json.loads(one.body)
            got.setdefault(message["type"], set()).add(message["data"]["asset_id"])
        assets = {row.id for row in self.on.query("select id::text as id from assets")}
        recalled = {row.id for row in self.on.query("select id::text as id from assets where state = 'recalled'")}
        ids = Counter(one.headers["webhook-id"] for one in self.customers.receiver.got)
        self.said.append(
            f"webhook messages {len(ids):,}, requests {sum(ids.values()):,}; of {len(assets):,} releases,"
            f" {len(recalled):,} recalls"
        )
        self._demand(got.get("asset.released", set()) == assets, "a release was not told, or one that is none")
        self._demand(got.get("asset.recalled", set()) == recalled, "a recall was not told, or one that is none")
        self._demand(len(ids) == len(assets) + len(recalled), "a message has two ids")

    def _reviews(self) -> None:
        final = self.on.query("select count(*) n from reviews where final")[0].n
        told = sum(tenant.reviewed for tenant in self.customers.tenants)
        pilots = sum(tenant.accepted for tenant in self.customers.tenants)
        self.said.append(f"reviews {final:,}, pilots accepted {pilots:,}")
        self._demand(final == told, f"{told} decisions were told, {final} are stored")

    def _ledger(self) -> None:
        engine = self.on.engine("auditor")
        keys = load_vkeys(self.on.folder / "ledger" / "ledger.vkeys")
        with engine.connect() as conn:
            report = verify(conn, keys)
        self.said.append(f"ledger: {report.entries:,} entries verified, {report.unsealed} unsealed")
        self._demand(not report.problems, f"ledger: {report.problems[:3]}")
        self._demand(report.unsealed == 0, f"{report.unsealed} entries are unsealed")

    def _left_over(self) -> None:
        keys = self._keys("released/")
        known = {row.key for row in self.on.query("select key from renditions")}
        spare = {key for key in keys if key not in known and "/." not in key}
        held = self._keys("quarantine/")
        self.said.append(
            f"left over: {len(spare)} objects of dead attempts in released/ (retention deletes them),"
            f" {len(held)} in quarantine/"
        )
        open_holds = self.on.query("select count(*) n from holds where decided_at is null")[0].n
        self._demand(open_holds == 0, f"{open_holds} holds are open")

    def _keys(self, prefix: str) -> list[str]:
        pages = self.on.stack.seaweed.client("admin").get_paginator("list_objects_v2")
        found = pages.paginate(Bucket="presswork", Prefix=prefix)
        return [entry["Key"] for page in found for entry in page.get("Contents", [])]

    def _bodies(self, kind: str) -> list[dict[str, Any]]:
        rows = self.on.query("select body from audit.entries where kind = :kind", kind=kind)
        return [json.loads(bytes(row.body)) for row in rows]

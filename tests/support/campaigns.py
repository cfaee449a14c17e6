"""Campaign of which two images are released, one failed, one is held and one waits, with its bytes in the store."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import httpx
from fastapi.testclient import TestClient

from tests.support.client import ApiTenant, campaign
from tests.support.line import HOLD, LEASE, released
from workers.jobs.claim import claim
from workers.jobs.dispatch import dispatch
from workers.jobs.settle import settle
from workers.jobs.types import Failed, Held
from workers.store import ObjectStore

HEADER = ["SKU", "object", "Notiz", "Größe"]
ROWS = [
    ["0042", "backpack", "=cmd()", "'=x"],
    ["0043", "car", "-5", "ä"],
    ["0044", "car", 'say "hi"\n', ""],
    ["0045", "bicycle", "", "42.0"],
    ["../../x", "car", "@me", "M"],
]
SPEC = {"template": "a {object}", "file": "{SKU}.{ext}", "name": "Frühling"}


def table(rows: Sequence[Sequence[str]] = ROWS, header: Sequence[str] = HEADER) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([header, *rows])
    return text.getvalue()


@dataclass
class Sent:
    """The campaign, and who sent it."""

    caller: TestClient
    id: str
    released: list[str]

    def get(self, **query: Any) -> httpx.Response:
        return self.caller.get(f"/v1/requests/{self.id}/results", params=query)

    def rows(self, **query: Any) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.get(format="jsonl", **query).text.splitlines()]


def settled_campaign(api: ApiTenant, **asked: Any) -> Sent:
    """Submitted with a fresh key of the tenant, settled by a worker."""
    caller, line = api.caller(), api.server.line
    request_id = campaign(caller, table(), {**SPEC, **asked}).json()["id"]
    items = api.items()
    ids = [item.id for item in items]
    store = ObjectStore(api.server.settings_for("worker"))
    with line.worker.begin() as conn:
        batch_id = dispatch(conn, "gpu", items[0].recipe_id, ids[:4], lease=LEASE, claims_allowed=2)
        held = claim(conn, str(batch_id), LEASE, "worker-1")
        assert held is not None
        outcomes: list[Any] = []
        for item in held.items[:2]:
            outcome = released(held, item)
            (file,) = outcome.renditions
            digest = store.put(file.key, f"picture of {item.custom_id}".encode(), file.media_type)
            outcomes.append(replace(outcome, renditions=(replace(file, sha256=digest, bytes=20),)))
        waiting = Held(held.items[3], HOLD, f"quarantine/{held.items[3].id}", "b" * 64)
        outcomes += [Failed(held.items[2], "worker_lost"), waiting]
        settle(conn, held, outcomes)
    return Sent(caller, request_id, [outcome.asset_id for outcome in outcomes[:2]])

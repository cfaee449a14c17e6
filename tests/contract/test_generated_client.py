"""Client that openapi-python-client generates calls every GET and reads every answer as a documented type."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from tests.support.client import ApiServer, ApiTenant
from tests.support.generated_client import generate, operations
from tests.support.ledger import new_signer
from tests.support.line import LEASE, released
from tests.support.reviews import Reviewing
from workers.jobs.claim import claim
from workers.jobs.dispatch import dispatch
from workers.jobs.settle import settle

UNKNOWN = "01a1fe00-0000-7000-8000-00000000000f"
# Answered by files or text that the generator leaves to the caller, or by nothing where nothing was sealed yet.
WITHOUT_MODEL = {"export", "pack", "checkpoint", "consistency", "newest", "metrics"}


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory, _api_server: ApiServer) -> ModuleType:
    return generate(_api_server.app().openapi(), tmp_path_factory.mktemp("client"))


def test_every_get_is_called_and_read_by_a_generated_client(
    api: ApiTenant, generated: ModuleType, tmp_path: Path
) -> None:
    vkeys = tmp_path / "ledger.vkeys"
    vkeys.write_text(f"{new_signer().vkey}\n")
    caller = api.caller(ledger_vkeys=vkeys, stream_seconds=0.05)  # a stream of events ends soon
    ids = _things(api, caller)
    client = generated.AuthenticatedClient(base_url=str(caller.base_url), token="unused")
    client.set_httpx_client(caller)  # the application itself, in this process, with its key
    called, unread = set(), []
    for name, module in operations(generated):
        if '"method": "get"' not in inspect.getsource(module._get_kwargs):
            continue
        signature = inspect.signature(module.sync_detailed)
        answer = module.sync_detailed(client=client, **_arguments(signature, ids))
        called.add(name)
        if answer.status_code >= 500 or (answer.parsed is None and not name.endswith(tuple(WITHOUT_MODEL))):
            unread.append((name, answer.status_code, answer.content[:200]))
    assert unread == []
    assert len(called) >= 35


def test_a_generated_client_reads_an_identification_and_its_lineage(api: ApiTenant, generated: ModuleType) -> None:
    read = next(module for name, module in operations(generated) if name == "identify_read")
    body = {
        "id": UNKNOWN, "state": "done", "sha256": "0" * 64, "bytes": 3, "reason": None, "settled_at": None,
        "created_at": "2026-11-21T08:30:00Z", "finding": "ours", "verified": True, "made_here": True, "own": True,
        "asset_state": "released", "reasons": [], "false_match_probability": 0.0, "layers": {}, "picture": {},
        "agreement": None, "place": [], "also": [],
        "lineage": {
            "asset_id": UNKNOWN, "state": "released", "request_id": UNKNOWN, "item_id": UNKNOWN, "custom_id": "a",
            "variant": 0, "released_at": "2026-11-21T08:30:00Z", "policy_version": "sha256:0", "model": "studio",
            "model_revision": None, "href": "/v1/assets/x", "events_href": "/v1/assets/x/events",
        },
    }  # fmt: skip
    answering = httpx.Client(
        transport=httpx.MockTransport(lambda _: httpx.Response(200, json=body)), base_url="http://api.example.com"
    )
    client = generated.AuthenticatedClient(base_url="http://api.example.com", token="t").set_httpx_client(answering)
    parsed = read.sync(UNKNOWN, client=client)
    assert parsed.lineage.request_id == UNKNOWN
    assert parsed.lineage.custom_id == "a"


def _arguments(signature: inspect.Signature, ids: dict[str, Any]) -> dict[str, Any]:
    """Required arguments of an operation: the ids of what is there."""
    required = [one for one in signature.parameters.values() if one.default is one.empty and one.name != "client"]
    return {one.name: ids.get(one.name, UNKNOWN) for one in required} | (
        {"asset": ids["asset_id"]} if "asset" in signature.parameters else {}
    )


def _things(api: ApiTenant, caller: TestClient) -> dict[str, Any]:
    """One of each thing that has an address, by the name of its parameter."""
    (held,) = Reviewing(api.server.line, api.tenant).hold("brands")
    request_id = caller.post("/v1/requests", json={"prompt": "a red car"}).json()["id"]
    item_id = caller.get(f"/v1/requests/{request_id}/items").json()["data"][0]["id"]
    asset_id = _release(api, item_id)
    picture = {"content": b"a picture", "headers": {"Content-Type": "application/octet-stream"}}
    recall = {"asset_id": asset_id, "reason_code": "other"}
    return {
        "request_id": request_id,
        "item_id": held,
        "asset_id": asset_id,
        "identification_id": caller.post("/v1/identify", **picture).json()["id"],  # type: ignore[arg-type]
        "recall_id": caller.post("/v1/recalls", json=recall).json().get("id", UNKNOWN),
        "hold_id": caller.post("/v1/legal-holds", json={"reason": "claim"}).json()["id"],
        "key_id": caller.get("/v1/keys").json()["data"][0]["id"],
        "policy": "sha256:" + "0" * 64,
        "old": 1,
        "new": 1,
    }


def _release(api: ApiTenant, item_id: str) -> str:
    line = api.server.line
    with line.worker.begin() as conn:
        batch_id = dispatch(conn, "gpu", line.item(item_id).recipe_id, [item_id], lease=LEASE, claims_allowed=2)
        held = claim(conn, str(batch_id), LEASE, "worker-1")
        assert held is not None
        outcome = released(held, held.items[0])
        settle(conn, held, [outcome])
    return outcome.asset_id

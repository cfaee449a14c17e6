"""Pilots in tests: a person who decides, and a worker that makes the sample."""

from __future__ import annotations

from fastapi.testclient import TestClient

from tests.support.client import ApiTenant
from tests.support.line import LEASE, released
from workers.jobs.claim import claim
from workers.jobs.dispatch import dispatch
from workers.jobs.keys import create_key
from workers.jobs.settle import settle


def a_person(api: ApiTenant, person: str = "ann", scopes: tuple[str, ...] = ("submit", "read")) -> TestClient:
    """A client with a key of that person."""
    caller = api.caller()
    with api.server.line.owner.begin() as conn:
        _, key = create_key(conn, api.tenant, name=person, scopes=scopes, actor="test", person=person)
    caller.headers["Authorization"] = f"Bearer {key}"
    return caller


def make_sample(api: ApiTenant) -> None:
    sample = [item for item in api.items() if item.sample and item.state == "pending"]
    with api.server.line.worker.begin() as conn:
        batch_id = dispatch(
            conn, "gpu", sample[0].recipe_id, [item.id for item in sample], lease=LEASE, claims_allowed=2
        )
        held = claim(conn, str(batch_id), LEASE, "worker-1")
        assert held is not None
        settle(conn, held, [released(held, item) for item in held.items])

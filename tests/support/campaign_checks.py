"""Campaigns whose large file is accepted first: submitted, left to nobody, taken, waited for."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.support.client import GOOD, ApiTenant, campaign
from tests.support.line import eventually
from workers.jobs.uploads import campaign_checks as verbs

DEAD = "api.edge.limits.background.Background.offer"  # a process that takes work and dies before it begins
LATER = {"check": "later"}


def ended(client: TestClient, id: str) -> dict[str, Any]:
    """The check, once it is over."""

    read: dict[str, Any] = {}

    def is_over() -> bool:
        read.update(client.get(f"/v1/campaigns/{id}").json())
        return bool(read["state"] != "checking")

    eventually(is_over)
    return read


def begun(client: TestClient, table: str = GOOD, headers: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    answer = campaign(client, table, headers=headers, **{**LATER, **more})
    assert answer.status_code == 202, answer.text
    accepted: dict[str, Any] = answer.json()
    assert accepted["state"] == "checking"
    assert answer.headers["location"] == accepted["links"]["self"] == f"/v1/campaigns/{accepted['id']}"
    return accepted


def held(api: ApiTenant, id: str) -> verbs.CampaignCheck:
    """The lease of a process that takes the check."""
    with api.server.line.owner.begin() as conn:
        check = verbs.begin(conn, api.tenant, id)
    assert check is not None
    return check


def left(client: TestClient, monkeypatch: pytest.MonkeyPatch, **more: Any) -> str:
    """The id of a check that nobody carries out until somebody asks for it."""
    with monkeypatch.context() as dead:
        dead.setattr(DEAD, lambda *_: False)
        return str(begun(client, **more)["id"])

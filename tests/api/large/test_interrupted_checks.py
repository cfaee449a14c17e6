"""Checks of large campaigns that are interrupted: killed, late, cancelled, revoked, or with something away."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from psycopg.errors import DeadlockDetected
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from api.edge.problems import Problem
from api.submission.large import checking
from api.submission.large.whole import WholeCampaign
from tests.support.campaign_checks import DEAD, begun, ended, held, left
from tests.support.client import ApiTenant, problem
from tests.support.foreign_files import saved
from tests.support.pictures import product
from workers.jobs.uploads import campaign_checks as verbs
from workers.jobs.uploads.tables import campaign_checks


def test_a_worker_that_dies_leaves_a_check_that_another_goes_on_with(
    api: ApiTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = api.caller()
    monkeypatch.setattr(DEAD, lambda *_: False)
    id = begun(client)["id"]
    assert client.get(f"/v1/campaigns/{id}").json()["stage"] == "waiting"
    with api.server.line.owner.begin() as conn:  # another one died in the middle: its lease is over
        this = campaign_checks.update().where(campaign_checks.c.id == id)
        past = func.now() - timedelta(seconds=1)
        conn.execute(this.values(attempt=1, unfinished=1, stage="storing", rows=2, rows_checked=1, lease_until=past))
    monkeypatch.undo()
    assert ended(client, id)["state"] == "accepted"
    assert api.stored() == 3  # the request and its two items, once


def test_a_late_worker_stores_nothing_beside_the_one_that_took_over(
    api: ApiTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, line = api.caller(), api.server.line
    id = left(client, monkeypatch)
    late = held(api, id)
    with line.owner.begin() as conn:
        assert verbs.begin(conn, api.tenant, id) is None  # as long as the lease lasts
        past = func.now() - timedelta(seconds=1)
        conn.execute(campaign_checks.update().where(campaign_checks.c.id == id).values(lease_until=past))
    ended(client, id)
    with line.owner.begin() as conn:
        assert not verbs.renew(conn, late, rows=2, rows_checked=1, stage="checking")
        assert not verbs.end(conn, late, state="accepted", reply={})
        assert not verbs.fail(conn, late, {"code": "invalid_campaign"})


def test_a_file_that_kills_its_worker_is_not_read_for_ever_and_a_store_that_is_away_does_not_count(
    api: ApiTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, line = api.caller(), api.server.line
    id = left(client, monkeypatch)
    for _ in range(5):
        check = held(api, id)
        assert check.unfinished == 1
        with line.owner.begin() as conn:
            verbs.give_back(conn, check, seconds=-1)
    with line.owner.begin() as conn:
        conn.execute(campaign_checks.update().where(campaign_checks.c.id == id).values(unfinished=3))
    done = ended(client, id)
    assert [one["code"] for one in done["problem"]["errors"]] == ["too_costly"]


def test_a_campaign_that_is_cancelled_while_it_is_checked_is_never_made(
    api: ApiTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, line = api.caller(), api.server.line
    id = left(client, monkeypatch)
    check = held(api, id)
    assert [client.post(f"/v1/campaigns/{id}/cancel").json()["state"] for _ in range(2)] == ["cancelled"] * 2
    with line.owner.begin() as conn:
        assert not verbs.renew(conn, check, rows=2, rows_checked=1, stage="storing")
    assert len(api.events("campaigncheck.cancelled")) == 1
    assert api.stored() == 0
    accepted = ended(client, begun(client)["id"])["id"]
    problem(client.post(f"/v1/campaigns/{accepted}/cancel"), 409, "conflict")


def test_a_revoked_key_makes_nothing_of_a_file_that_waits(api: ApiTenant, monkeypatch: pytest.MonkeyPatch) -> None:
    stored, key = api.server.key(api.tenant)
    sender = api.server.anonymous()
    sender.headers["Authorization"] = f"Bearer {key}"
    id = left(sender, monkeypatch)
    admin = api.caller()
    assert admin.delete(f"/v1/keys/{stored.id}").status_code == 204
    assert ended(admin, id)["problem"]["code"] == "forbidden"


def test_a_key_that_is_revoked_while_the_rows_are_checked_makes_nothing(
    api: ApiTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, key = api.server.key(api.tenant)
    admin, sender = api.caller(), api.server.anonymous()
    sender.headers["Authorization"] = f"Bearer {key}"
    checked = checking.checked_campaign

    @contextmanager
    def revoked(*given: Any) -> Iterator[WholeCampaign]:
        with checked(*given) as campaign:
            assert admin.delete(f"/v1/keys/{stored.id}").status_code == 204
            yield campaign

    monkeypatch.setattr(checking, "checked_campaign", revoked)
    assert ended(admin, begun(sender)["id"])["problem"]["code"] == "forbidden"
    assert api.stored() == 0


@pytest.mark.parametrize(
    "passing",
    [
        OperationalError("INSERT", {}, DeadlockDetected("deadlock detected")),
        Problem("too_many_open_items", "10,000 images of yours are open."),
    ],
)
def test_what_passes_does_not_count_against_a_file_and_does_not_end_it(
    passing: Exception, api: ApiTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, line = api.caller(), api.server.line
    id = left(client, monkeypatch)
    monkeypatch.setattr(checking, "store", Mock(side_effect=passing))
    checking.check_campaign(api.server.app().state.parts, api.tenant, id)
    with line.owner.begin() as conn:
        row = conn.execute(select(campaign_checks).where(campaign_checks.c.id == id)).one()
        assert (row.state, row.unfinished) == ("checking", 0)
        conn.execute(campaign_checks.update().where(campaign_checks.c.id == id).values(lease_until=None))
    monkeypatch.undo()
    assert ended(client, id)["state"] == "accepted"


def test_a_check_that_was_cancelled_stores_no_further_picture(api: ApiTenant, monkeypatch: pytest.MonkeyPatch) -> None:
    client, parts = api.caller(), api.server.app().state.parts
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(2):
            archive.writestr(f"{number}.png", saved(product(64, 64, seed=number)))
    rows = "object,colour,image\nmug,red,0.png\nmug,blue,1.png\n"
    id = left(client, monkeypatch, table=rows, pictures=packed.getvalue())
    put, names = parts.store.put, []

    def cancelled(key: str, *given: Any) -> None:
        names.append(key)
        put(key, *given)
        assert client.post(f"/v1/campaigns/{id}/cancel").status_code == 200

    monkeypatch.setattr("api.submission.large.progress._SECONDS", 0.0)
    monkeypatch.setattr(parts.store, "put", cancelled)
    checking.check_campaign(parts, api.tenant, id)
    assert len(names) == 1
    assert client.get(f"/v1/campaigns/{id}").json()["state"] == "cancelled"
    assert api.stored() == 0

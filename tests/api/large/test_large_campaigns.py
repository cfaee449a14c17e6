"""Large campaigns: accepted as a file, checked in the background, with progress, and answered as small ones are."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from api.submission.large.received import MAX_CHECKING
from tests.support.campaign_checks import DEAD, LATER, begun, ended
from tests.support.client import GOOD, ApiTenant, campaign, problem
from tests.support.console import visitor
from workers.jobs.uploads import campaign_checks as verbs
from workers.jobs.uploads.tables import campaign_checks, files


def test_a_file_that_is_accepted_first_becomes_the_request_that_it_would_have_been_at_once(api: ApiTenant) -> None:
    client = api.caller()
    id = begun(client, name="spring")["id"]
    done = ended(client, id)
    assert (done["state"], done["rows"], done["rows_checked"], done["problem"]) == ("accepted", 2, 2, None)
    at_once = campaign(client, name="spring").json()
    same = {name: value for name, value in at_once.items() if name not in ("id", "links", "warnings")}
    assert {name: done["reply"][name] for name in same} == same
    request = client.get(done["links"]["request"]).json()
    assert (request["id"], request["items"], request["name"]) == (id, 2, "spring")
    assert [line.event["campaign_check_id"] for line in api.events("campaigncheck.begun")] == [id]
    assert [line.event["reason"] for line in api.events("file.deleted")] == ["checked"]
    assert [one["id"] for one in client.get("/v1/campaigns").json()["data"]] == [id]
    assert client.get("/v1/files").json()["data"] == []  # none of the files that clients of OpenAI upload
    with api.server.line.owner.connect() as conn:
        kept = conn.execute(select(campaign_checks).where(campaign_checks.c.id == id)).one()
    assert (kept.spec, kept.name) == ({}, "")  # what was sent is with the request, where it can be erased


def test_a_large_file_is_accepted_first_whatever_the_client_asks(api: ApiTenant) -> None:
    client = api.caller()
    rows = "object,colour,note\n" + "".join(f"car,red,{'x' * 40_000}\n" for _ in range(27))
    answer = campaign(client, rows)
    assert (answer.status_code, answer.json()["state"]) == (202, "checking")
    assert answer.json()["bytes"] > 1024 * 1024
    assert ended(client, answer.json()["id"])["reply"]["items"] == 27


def test_a_bad_file_ends_with_every_error_stored_and_readable(api: ApiTenant) -> None:
    client = api.caller()
    table = "object,colour,width\ncar,,128\ncar,r\0d,99999\nsofa,#N/A,128\n"
    done = ended(client, begun(client, table)["id"])
    assert (done["state"], done["reply"]) == ("failed", None)
    at_once = problem(campaign(client, table), 422, "invalid_campaign")
    said = [{k: v for k, v in one.items() if v is not None} for one in done["problem"]["errors"]]
    assert said == at_once["errors"]
    assert done["problem"]["detail"] == at_once["detail"]
    (told,) = api.events("campaigncheck.failed")
    assert told.event["codes"] == {"empty_value": 1, "error_value": 1, "model_limit": 1, "nul": 1}
    assert api.stored() == 0
    problem(client.get(f"/v1/requests/{done['id']}"), 404, "not_found")


def test_a_check_alone_ends_with_its_reply_and_stores_nothing(api: ApiTenant) -> None:
    client = api.caller()
    done = ended(client, begun(client, dry_run=True)["id"])
    assert (done["state"], done["reply"]["dry_run"], done["reply"]["items"]) == ("checked", True, 2)
    assert done["reply"]["examples"][0]["prompt"].startswith("a ")
    assert api.stored() == 0


def test_the_same_idempotency_key_is_the_same_check(api: ApiTenant) -> None:
    client = api.caller()
    key = {"Idempotency-Key": "spring"}
    first = begun(client, headers=key)["id"]
    assert {campaign(client, headers=key, **LATER).json()["id"] for _ in range(2)} == {first}
    ended(client, first)
    assert len(client.get("/v1/requests").json()["data"]) == 1
    other = campaign(client, GOOD + "car,blue\n", headers=key, **LATER)
    problem(other, 422, "idempotency_key_reused")


def test_files_that_wait_are_bounded_for_each_tenant_and_others_have_their_own(
    api: ApiTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DEAD, lambda *_: False)
    client = api.caller()
    waiting = [begun(client)["id"] for _ in range(MAX_CHECKING)]
    problem(campaign(client, **LATER), 429, "too_many_running")
    other = api.server.caller(f"{api.tenant}-other")
    foreign = begun(other)["id"]
    problem(client.get(f"/v1/campaigns/{foreign}"), 404, "not_found")
    problem(client.post(f"/v1/campaigns/{foreign}/cancel"), 404, "not_found")
    for id in waiting:
        client.post(f"/v1/campaigns/{id}/cancel")
    other.post(f"/v1/campaigns/{foreign}/cancel")


def test_checks_are_forgotten_after_a_month_and_with_the_text_of_their_request(api: ApiTenant) -> None:
    client, line = api.caller(), api.server.line
    accepted, failed = (ended(client, begun(client, table)["id"])["id"] for table in (GOOD, "object,colour\ncar,\n"))
    with line.owner.begin() as conn:
        verbs.forget(conn, [accepted])
        this = campaign_checks.update().where(campaign_checks.c.id == failed)
        conn.execute(this.values(ended_at=func.now() - timedelta(days=31)))
        verbs.forget_old(conn)
        left = select(func.count()).where(campaign_checks.c.tenant == api.tenant)
        assert conn.execute(left).scalar_one() == 0
        waiting = select(files.c.deleted_at).where(files.c.tenant == api.tenant)
        assert all(conn.scalars(waiting))  # the clerk deletes their objects next


def test_a_model_that_is_not_there_and_a_spec_that_cannot_be_read_are_said_at_once(api: ApiTenant) -> None:
    client = api.caller()
    problem(campaign(client, model="nothing", **LATER), 422, "model_missing")
    problem(campaign(client, check="never"), 422, "invalid_body")


def test_the_console_shows_how_far_a_worker_is_and_then_what_it_found(
    api: ApiTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, person = api.caller(), visitor(api.server, api.tenant)
    monkeypatch.setattr(DEAD, lambda *_: False)
    waiting = begun(client)["id"]
    with api.server.line.owner.begin() as conn:
        this = campaign_checks.update().where(campaign_checks.c.id == waiting)
        conn.execute(this.values(stage="checking", rows=40_000, rows_checked=12_345))
    part = person.get(f"/console/new/checks/{waiting}").text
    assert "12,345 of 40,000 rows" in part
    assert f'hx-get="/console/new/checks/{waiting}"' in part
    client.post(f"/v1/campaigns/{waiting}/cancel")
    assert "hx-get" not in person.get(f"/console/new/checks/{waiting}").text
    monkeypatch.undo()
    good, bad = (begun(client, table)["id"] for table in (GOOD, "object,colour\ncar,\n"))
    for id in (good, bad):
        ended(client, id)
    assert f'href="/console/campaigns/{good}"' in person.get(f"/console/new/checks/{good}").text
    assert "the cell is empty" in person.get(f"/console/new/checks/{bad}").text
    assert visitor(api.server, "somebody-else").get(f"/console/new/checks/{good}").status_code == 404

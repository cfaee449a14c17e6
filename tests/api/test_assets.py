"""Released images: links that work and end, events that say who got them, and the story the ledger tells."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from tests.conftest import S3
from tests.support.client import ApiTenant, campaign, problem
from tests.support.line import LEASE, released
from workers.jobs.claim import claim
from workers.jobs.dispatch import dispatch
from workers.jobs.settle import settle
from workers.store import ObjectStore

PICTURE = b"\x89PNG the bytes of a picture"


@pytest.fixture
def gallery(api: ApiTenant, s3: S3) -> tuple[TestClient, str, list[str]]:
    """A caller, its request, and the ids of the two assets released from it, whose bytes lie in the store."""
    caller, line = api.caller(), api.server.line
    request_id = campaign(caller).json()["id"]
    ids = [item["id"] for item in caller.get(f"/v1/requests/{request_id}/items").json()["data"]]
    store = ObjectStore(api.server.settings_for("worker"))
    with line.worker.begin() as conn:
        batch_id = dispatch(conn, "gpu", line.item(ids[0]).recipe_id, ids, lease=LEASE, claims_allowed=2)
        held = claim(conn, str(batch_id), LEASE, "worker-1")
        assert held is not None
        outcomes = []
        for item in held.items:
            outcome = released(held, item)
            (file,) = outcome.renditions
            digest = store.put(file.key, PICTURE, file.media_type)
            outcomes.append(replace(outcome, renditions=(replace(file, sha256=digest, bytes=len(PICTURE)),)))
        settle(conn, held, outcomes)
    return caller, request_id, [outcome.asset_id for outcome in outcomes]


def test_a_link_needs_no_key_and_leads_to_the_released_bytes(gallery: tuple[TestClient, str, list[str]]) -> None:
    caller, request_id, (first, _) = gallery
    asset = caller.get(f"/v1/assets/{first}").json()
    (file,) = asset["renditions"]
    fetched = httpx.get(file["url"])
    assert fetched.content == PICTURE
    assert fetched.headers["content-type"] == file["media_type"] == "image/png"
    assert file["sha256"] == hashlib.sha256(PICTURE).hexdigest()
    assert (asset["request_id"], asset["custom_id"], asset["state"]) == (request_id, "row-1", "released")
    assert len(asset["watermark_id"]) == 12
    assert "X-Amz-Expires=900" in file["url"]


def test_a_link_is_for_one_key_and_reading_only(gallery: tuple[TestClient, str, list[str]]) -> None:
    caller, _, (first, second) = gallery
    url, other = (caller.get(f"/v1/assets/{id}").json()["renditions"][0]["url"] for id in (first, second))
    path, query = url.split("?")
    assert httpx.put(url, content=b"x").status_code == 403
    assert httpx.get(path).status_code == 403
    assert httpx.get(other.split("?")[0] + "?" + query).status_code == 403
    assert httpx.get(url.replace("released/", "quarantine/")).status_code == 403


def test_the_life_of_a_link_is_a_setting(gallery: tuple[TestClient, str, list[str]], api: ApiTenant) -> None:
    _, _, (first, _) = gallery
    brief = api.caller(link_seconds=60).get(f"/v1/assets/{first}").json()
    assert "X-Amz-Expires=60" in brief["renditions"][0]["url"]


def test_no_link_is_recorded_for_head_and_none_is_left_out_as_unchanged(
    gallery: tuple[TestClient, str, list[str]], api: ApiTenant
) -> None:
    """HEAD and a 304 wrote that links had left, though neither has a body."""
    caller, request_id, (first, _) = gallery
    addresses = (f"/v1/assets/{first}", f"/v1/requests/{request_id}/assets")
    for address in addresses:
        assert caller.head(address).status_code == 200
    assert api.events("asset.linked") == []
    for address in addresses:
        whole = caller.get(address, headers={"If-None-Match": "*"})
        assert (whole.status_code, whole.content != b"") == (200, True)
    assert len(api.events("asset.linked")) == 3


def test_giving_out_a_link_is_recorded_with_the_key_that_got_it(
    gallery: tuple[TestClient, str, list[str]], api: ApiTenant
) -> None:
    caller, request_id, ids = gallery
    caller.get(f"/v1/assets/{ids[0]}")
    (linked,) = api.events("asset.linked")
    assert (linked.event["asset_id"], linked.event["rendition"], linked.event["seconds"]) == (ids[0], "original", 900)
    assert linked.actor == f"key:{linked.event['key_id']}"
    caller.get(f"/v1/requests/{request_id}/assets")
    assert [entry.event["asset_id"] for entry in api.events("asset.linked")] == [ids[0], *ids]


def test_the_assets_of_a_request_come_page_by_page(gallery: tuple[TestClient, str, list[str]]) -> None:
    caller, request_id, ids = gallery
    first = caller.get(f"/v1/requests/{request_id}/assets", params={"limit": 1}).json()
    cursor = first["next_cursor"]
    rest = caller.get(f"/v1/requests/{request_id}/assets", params={"limit": 1, "cursor": cursor}).json()
    assert [asset["id"] for asset in first["data"] + rest["data"]] == ids
    assert rest["next_cursor"] is None
    items = caller.get(f"/v1/requests/{request_id}/items").json()["data"]
    assert [item["asset_id"] for item in items] == ids


def test_a_recalled_asset_is_410_and_has_no_links(gallery: tuple[TestClient, str, list[str]], api: ApiTenant) -> None:
    caller, request_id, (first, _) = gallery
    with api.server.line.owner.begin() as conn:
        conn.execute(text("update assets set state = 'recalled' where id = :id"), {"id": first})
    problem(caller.get(f"/v1/assets/{first}"), 410, "recalled")
    listed = caller.get(f"/v1/requests/{request_id}/assets").json()["data"]
    assert [asset["renditions"][0]["url"] is None for asset in listed] == [True, False]
    assert all(entry.event["asset_id"] != first for entry in api.events("asset.linked"))


def test_another_tenant_sees_none_of_it(gallery: tuple[TestClient, str, list[str]], api: ApiTenant) -> None:
    _, request_id, (first, _) = gallery
    foreigner = api.server.caller(f"{api.tenant}-other")
    for address in (f"/v1/assets/{first}", f"/v1/assets/{first}/events", f"/v1/requests/{request_id}/assets"):
        problem(foreigner.get(address), 404, "not_found")
    assert api.events("asset.linked") == []


def test_the_ledger_tells_the_story_of_an_asset_and_of_no_other(
    gallery: tuple[TestClient, str, list[str]], api: ApiTenant
) -> None:
    caller, _, (first, second) = gallery
    caller.get(f"/v1/assets/{first}")
    events = caller.get(f"/v1/assets/{first}/events").json()["data"]
    assert [event["kind"] for event in events] == [
        "request.accepted",
        "item.released",
        "request.finished",
        "asset.linked",
    ]
    story = events[1]
    assert story["event"]["asset_id"] == first
    assert story["event"]["verdict"]["decision"] == "allow"
    assert story["event"]["prompt"] == "a red backpack on a white background"
    assert {event["tenant"] for event in events} == {api.tenant}
    assert second not in str(events)


def test_the_story_of_an_asset_comes_in_pages(gallery: tuple[TestClient, str, list[str]]) -> None:
    caller, _, (first, _) = gallery
    for _ in range(3):
        caller.get(f"/v1/assets/{first}")
    seen, cursor = [], ""
    while cursor is not None:
        page = caller.get(f"/v1/assets/{first}/events", params={"limit": 2, "cursor": cursor}).json()
        assert len(page["data"]) <= 2
        seen += [event["kind"] for event in page["data"]]
        cursor = page["next_cursor"]
    assert seen == ["request.accepted", "item.released", "request.finished", *["asset.linked"] * 3]


def test_without_an_auditors_database_the_story_is_501_and_says_what_to_set(
    gallery: tuple[TestClient, str, list[str]], api: ApiTenant
) -> None:
    _, _, (first, _) = gallery
    blind = api.caller(auditor_database_url=None)
    document = problem(blind.get(f"/v1/assets/{first}/events"), 501, "audit_not_configured")
    assert "PRESSWORK_AUDITOR_DATABASE_URL" in document["detail"]


def test_the_apis_own_role_cannot_read_the_ledger_or_make_an_asset(api: ApiTenant) -> None:
    parts = api.server.app().state.parts
    for statement in ("select * from audit.entries", "update items set prompt = 'x'", "delete from items"):
        with pytest.raises(Exception, match="permission denied"), parts.transaction(api.tenant) as conn:
            conn.execute(text(statement))

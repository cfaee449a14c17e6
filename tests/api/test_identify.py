"""/v1/identify over HTTP: uploads within limits, answers for one's own tenant, the state of an asset as it is now."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from bench.pictures.scenes import scene
from tests.conftest import S3
from tests.support.client import ApiServer, ApiTenant, problem
from tests.support.released import Gallery, jpeg, pixels, work
from workers.settings import Settings

BYTES = {"Content-Type": "application/octet-stream"}


@pytest.fixture
def gallery(own_api: ApiServer, settings_for: Callable[..., Settings]) -> Gallery:
    return Gallery(own_api.line, settings_for)


def test_a_picture_sent_is_a_question_and_its_answer_names_the_asset(own_api: ApiServer, gallery: Gallery) -> None:
    caller = own_api.caller("acme")
    gallery.line._tenants.add("acme")
    (shown,) = gallery.release([scene(12)])
    asked = caller.post("/v1/identify", content=jpeg(pixels(shown.data), 80), headers={"Content-Type": "image/jpeg"})
    assert asked.status_code == 202
    id = asked.json()["id"]
    assert asked.headers["location"] == f"/v1/identify/{id}"
    assert (asked.json()["state"], asked.json()["finding"]) == ("waiting", None)
    work(gallery.context())
    told = caller.get(f"/v1/identify/{id}").json()
    assert (told["state"], told["finding"], told["verified"], told["own"]) == ("done", "ours", True, True)
    assert told["lineage"]["asset_id"] == shown.asset_id
    assert told["lineage"]["item_id"] == shown.item_id
    assert told["lineage"]["model"] == "studio"
    assert told["asset_state"] == "released"
    asset = caller.get(told["lineage"]["href"]).json()
    assert asset["search"] == {
        "identifiable": True,
        "quality": asset["search"]["quality"],
        "features": asset["search"]["features"],
    }


def test_an_asset_that_is_not_indexed_yet_says_so(own_api: ApiServer, gallery: Gallery) -> None:
    caller = own_api.caller("acme")
    gallery.line._tenants.add("acme")
    (shown,) = gallery.release([scene(12)])
    assert caller.get(f"/v1/assets/{shown.asset_id}").json()["search"] is None


def test_an_answer_given_before_a_recall_says_recalled_after_it(own_api: ApiServer, gallery: Gallery) -> None:
    caller = own_api.caller("acme")
    gallery.line._tenants.add("acme")
    (shown,) = gallery.release([scene(12)])
    id = caller.post("/v1/identify", content=shown.data, headers=BYTES).json()["id"]
    work(gallery.context())
    with own_api.line.owner.begin() as conn:
        conn.execute(text("update assets set state = 'recalled'"))
    told = caller.get(f"/v1/identify/{id}").json()
    assert (told["asset_state"], told["lineage"]["state"]) == ("recalled", "recalled")


def test_another_tenant_s_picture_is_ours_without_its_name(own_api: ApiServer, gallery: Gallery) -> None:
    gallery.line.add_tenant("acme")
    rival = own_api.caller("rival")
    gallery.line._tenants.add("rival")
    (shown,) = gallery.release([scene(12)])
    id = rival.post("/v1/identify", content=shown.data, headers=BYTES).json()["id"]
    work(gallery.context())
    answer = rival.get(f"/v1/identify/{id}")
    told = answer.json()
    assert (told["finding"], told["made_here"], told["own"], told["lineage"]) == ("ours", True, False, None)
    assert shown.asset_id not in answer.text


def test_waiting_ends_with_the_answer(own_api: ApiServer, gallery: Gallery) -> None:
    caller = own_api.caller("acme")
    id = caller.post("/v1/identify", content=b"no picture", headers=BYTES).json()["id"]
    told: list[Any] = []
    reader = threading.Thread(target=lambda: told.append(caller.get(f"/v1/identify/{id}", params={"wait": 20})))
    reader.start()
    work(gallery.context())
    reader.join()
    assert (told[0].json()["state"], told[0].json()["reason"]) == ("failed", "not_a_picture")


@pytest.fixture
def caller(api: ApiTenant) -> TestClient:
    return api.caller()


def test_what_is_no_upload_is_refused_and_nothing_is_stored(api: ApiTenant, caller: TestClient, s3: S3) -> None:
    problem(caller.post("/v1/identify", content=b"", headers=BYTES), 422, "invalid_body")
    sent = caller.post("/v1/identify", content=b"x", headers={"Content-Type": "text/plain"})
    assert "application/octet-stream" in problem(sent, 415, "unsupported_media_type")["detail"]
    problem(api.caller(scopes=["submit"]).post("/v1/identify", content=b"x", headers=BYTES), 403, "forbidden")
    problem(api.server.anonymous().post("/v1/identify", content=b"x", headers=BYTES), 401, "unauthorized")
    small = api.caller(identify_max_bytes=1024)
    problem(small.post("/v1/identify", content=b"x" * 1025, headers=BYTES), 413, "body_too_large")
    assert s3.keys("inbox/") == []


@pytest.mark.parametrize("wait", ["-1", "21", "long", "nan"])
def test_a_wait_has_limits(caller: TestClient, wait: str) -> None:
    sent = caller.get("/v1/identify/01890000-0000-7000-8000-000000000000", params={"wait": wait})
    problem(sent, 422, "invalid_parameters")


def test_a_question_is_its_tenant_s_own(api: ApiTenant, caller: TestClient) -> None:
    id = caller.post("/v1/identify", content=b"x", headers=BYTES).json()["id"]
    assert caller.get(f"/v1/identify/{id}").status_code == 200
    problem(api.server.caller("somebody-else").get(f"/v1/identify/{id}"), 404, "not_found")
    problem(caller.get("/v1/identify/not-an-id"), 404, "not_found")


def test_the_api_cannot_read_what_was_sent(api: ApiTenant, caller: TestClient, s3: S3) -> None:
    caller.post("/v1/identify", content=b"private", headers=BYTES)
    (key,) = [key for key in s3.keys("inbox/") if api.tenant in key]
    with pytest.raises(Exception, match=r"AccessDenied|403|Forbidden"):
        s3.client("api").get_object(Bucket=s3.bucket, Key=key)

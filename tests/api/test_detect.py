"""/v1/detect: anybody may ask without a key, where the installation says so, and learns no name."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text

from api.edge.rate_limit import address_of
from bench.pictures.scenes import scene
from tests.support.client import ApiServer, ApiTenant, problem
from tests.support.released import Gallery, jpeg, pixels, work
from workers.settings import Settings

OPEN = {"public_detector_tenant": "strangers"}
BYTES = {"Content-Type": "application/octet-stream"}


@pytest.fixture
def gallery(own_api: ApiServer, settings_for: Callable[..., Settings]) -> Gallery:
    return Gallery(own_api.line, settings_for)


def test_a_stranger_learns_that_a_picture_was_made_here_and_recalled_and_no_name(
    own_api: ApiServer, gallery: Gallery
) -> None:
    gallery.line.add_tenant("acme")
    (shown,) = gallery.release([scene(12)])
    stranger = own_api.anonymous(**OPEN)
    asked = stranger.post("/v1/detect", content=jpeg(pixels(shown.data), 80), headers=BYTES)
    assert asked.status_code == 202
    with own_api.line.owner.begin() as conn:
        conn.execute(text("update assets set state = 'recalled'"))
    work(gallery.api())
    answer = stranger.get(asked.headers["location"])
    told = answer.json()
    assert (told["finding"], told["verified"], told["made_here"]) == ("ours", True, True)
    assert (told["asset_state"], told["own"], told["lineage"]) == ("recalled", False, None)
    assert shown.asset_id not in answer.text
    assert "acme" not in answer.text


def test_a_question_of_a_stranger_is_in_the_ledger_without_an_address(own_api: ApiServer, gallery: Gallery) -> None:
    stranger = own_api.anonymous(**OPEN)
    stranger.post("/v1/detect", content=jpeg(scene(5), 80), headers=BYTES)
    work(gallery.api())
    with own_api.line.owner.begin() as conn:
        bodies = conn.scalars(text("select body::text from audit.entries where tenant = 'strangers'")).all()
    assert len(bodies) == 2  # the tenant's own beginning, and the question
    assert "testclient" not in "".join(bodies)


def test_where_no_tenant_is_named_there_is_no_public_detector(api: ApiTenant) -> None:
    stranger = api.server.anonymous()
    problem(stranger.post("/v1/detect", content=b"x", headers=BYTES), 404, "not_found")
    problem(stranger.get("/v1/detect/01890a5d-ac96-774b-bcce-b302099a8057"), 404, "not_found")


def test_an_address_that_asks_too_often_is_told_when_to_come_back_and_nothing_is_stored(api: ApiTenant) -> None:
    stranger = api.server.anonymous(**OPEN, public_detector_per_minute=2)
    for _ in range(2):
        problem(stranger.post("/v1/detect", content=b"", headers=BYTES), 422, "invalid_body")
    refused = stranger.post("/v1/detect", content=b"x", headers=BYTES)
    assert "This address made 2 requests" in problem(refused, 429, "rate_limited")["detail"]
    assert 1 <= int(refused.headers["Retry-After"]) <= 60


def test_a_stranger_s_answers_are_not_a_tenant_s(api: ApiTenant) -> None:
    stranger = api.server.anonymous(**OPEN)
    id = stranger.post("/v1/detect", content=b"x", headers=BYTES).json()["id"]
    assert stranger.get(f"/v1/detect/{id}").json()["state"] == "waiting"
    problem(api.caller().get(f"/v1/identify/{id}"), 404, "not_found")


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("", ""),
    ],
)
def test_one_subscriber_is_one_address(host: str, counted: str) -> None:
    assert address_of(host) == counted

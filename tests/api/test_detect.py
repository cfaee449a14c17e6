"""/v1/detect: a caller may ask without a key, where the installation says so, and learns no name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import redis
from fastapi.testclient import TestClient
from httpx import Response
from sqlalchemy import text

from bench.pictures.scenes import scene
from tests.support.client import ApiServer, ApiTenant, problem
from tests.support.released import Gallery, jpeg, pixels, work
from workers.settings import Settings

OPEN = {"public_detector_tenant": "anonymous"}
BYTES = {"Content-Type": "application/octet-stream"}


@pytest.fixture
def gallery(own_api: ApiServer, settings_for: Callable[..., Settings]) -> Gallery:
    return Gallery(own_api.line, settings_for)


def test_an_anonymous_caller_learns_that_a_picture_was_made_here_and_recalled_and_no_name(
    own_api: ApiServer, gallery: Gallery
) -> None:
    gallery.line.add_tenant("acme")
    (shown,) = gallery.release([scene(12)])
    anonymous = own_api.anonymous(**OPEN)
    asked = anonymous.post("/v1/detect", content=jpeg(pixels(shown.data), 80), headers=BYTES)
    assert asked.status_code == 202
    with own_api.line.owner.begin() as conn:
        conn.execute(text("update assets set state = 'recalled'"))
    work(gallery.context())
    answer = anonymous.get(asked.headers["location"])
    told = answer.json()
    assert (told["finding"], told["verified"], told["made_here"]) == ("ours", True, True)
    assert (told["asset_state"], told["own"], told["lineage"]) == ("recalled", False, None)
    assert shown.asset_id not in answer.text
    assert "acme" not in answer.text


def test_a_question_of_an_anonymous_caller_is_in_the_ledger_without_an_address(
    own_api: ApiServer, gallery: Gallery
) -> None:
    anonymous = own_api.anonymous(**OPEN)
    anonymous.post("/v1/detect", content=jpeg(scene(5), 80), headers=BYTES)
    work(gallery.context())
    with own_api.line.owner.begin() as conn:
        bodies = conn.scalars(text("select body::text from audit.entries where tenant = 'anonymous'")).all()
    assert len(bodies) == 2  # the tenant's own beginning, and the question
    assert "testclient" not in "".join(bodies)


def test_where_no_tenant_is_named_there_is_no_public_detector(api: ApiTenant) -> None:
    anonymous = api.server.anonymous()
    problem(anonymous.post("/v1/detect", content=b"x", headers=BYTES), 404, "not_found")
    problem(anonymous.get("/v1/detect/01890a5d-ac96-774b-bcce-b302099a8057"), 404, "not_found")


def test_an_address_that_asks_too_often_is_told_when_to_come_back_and_nothing_is_stored(api: ApiTenant) -> None:
    anonymous = api.server.anonymous(**OPEN, public_detector_per_minute=2)
    for _ in range(2):
        problem(anonymous.post("/v1/detect", content=b"", headers=BYTES), 422, "invalid_body")
    refused = anonymous.post("/v1/detect", content=b"x", headers=BYTES)
    assert "This address sent 2 requests" in problem(refused, 429, "rate_limited")["detail"]
    assert 1 <= int(refused.headers["Retry-After"]) <= 60


def test_a_anonymous_caller_s_answers_are_not_a_tenant_s(api: ApiTenant) -> None:
    anonymous = api.server.anonymous(**OPEN)
    id = anonymous.post("/v1/detect", content=b"x", headers=BYTES).json()["id"]
    assert anonymous.get(f"/v1/detect/{id}").json()["state"] == "waiting"
    problem(api.caller().get(f"/v1/identify/{id}"), 404, "not_found")


def at(server: ApiServer, address: str, **settings: Any) -> TestClient:
    """A client that calls from this address."""
    return TestClient(server.app(**settings), raise_server_exceptions=False, client=(address, 50_000))


def ask(client: TestClient, **more: str) -> Response:
    return client.post("/v1/detect", content=b"x", headers={**BYTES, **more})


def test_a_few_addresses_cannot_close_the_detector_for_everybody(own_api: ApiServer) -> None:
    """A09: five addresses with ten questions each took all fifty places, and the answer was 422 for everybody."""
    settings = {**OPEN, "public_detector_per_minute": 10}
    for n in range(1, 6):
        answers = [ask(at(own_api, f"198.51.100.{n}", **settings)) for _ in range(11)]
        assert answers[0].status_code == 202
        for refused in (answer for answer in answers if answer.status_code != 202):
            assert problem(refused, 429, refused.json()["code"])["code"] in ("rate_limited", "too_many_open_questions")
            assert int(refused.headers["Retry-After"]) >= 1
    for n in range(6, 9):
        assert ask(at(own_api, f"198.51.100.{n}", **settings)).status_code == 202, "a newcomer"


def test_one_network_of_ipv6_is_one_address_and_its_surroundings_have_a_share(own_api: ApiServer) -> None:
    settings = {**OPEN, "public_detector_per_minute": 2, "public_detector_total_per_minute": 8}
    assert [ask(at(own_api, f"2001:db8:1:1::{n}", **settings)).status_code for n in range(3)] == [202, 202, 429]
    other = [ask(at(own_api, f"2001:db8:1:{n}::1", **settings)).status_code for n in range(2, 20)]
    assert other.count(202) == 2, "half of the total is the most that one /48 network gets"
    assert ask(at(own_api, "2001:db8:2::1", **settings)).status_code == 202


def test_a_forwarding_header_is_believed_where_a_setting_names_the_proxy_and_nowhere_else(own_api: ApiServer) -> None:
    """A13: each value of X-Forwarded-For from loopback had a limit of its own."""
    once = {**OPEN, "public_detector_per_minute": 1}
    hops = [{"X-Forwarded-For": f"203.0.113.{n}"} for n in range(1, 4)]
    assert [ask(at(own_api, "127.0.0.1", **once), **hop).status_code for hop in hops] == [202, 429, 429]
    trusting = {**once, "trusted_proxies": "192.0.2.0/24"}
    assert [ask(at(own_api, "192.0.2.1", **trusting), **hop).status_code for hop in hops] == [202, 202, 202]
    assert ask(at(own_api, "127.0.0.1", **trusting), **{"X-Forwarded-For": "203.0.113.9"}).status_code == 429


def test_an_address_is_stored_nowhere_in_clear_and_its_digest_goes_with_the_answer(
    own_api: ApiServer, gallery: Gallery, redis_url: str
) -> None:
    ask(at(own_api, "203.0.113.77", **OPEN))
    row = text("select asked_from from identifications")
    with own_api.line.owner.begin() as conn:
        (digest,) = conn.scalar(row)
    assert len(digest) == 32
    with redis.Redis.from_url(redis_url) as client:
        assert b"203.0.113.77" not in b"".join(client.scan_iter("*"))
    work(gallery.context())
    with own_api.line.owner.begin() as conn:
        assert conn.scalar(row) == []

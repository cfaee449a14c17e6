"""Text in URLs: what no route can mean is refused before any route reads it."""

from __future__ import annotations

import pytest

from api.edge.urls import LISTS
from tests.support.client import ApiTenant, places, problem

UNKNOWN = "01a1fe00-0000-7000-8000-00000000000f"


@pytest.mark.parametrize(
    ("address", "field"),
    [
        ("/v1/audit/made-by?model=%00", "query.model"),
        ("/v1/audit/reviews?reviewer=a%1Bb", "query.reviewer"),
        ("/v1/reviews?category=%7F", "query.category"),
        ("/v1/requests?cursor=%C2%85", "query.cursor"),
        ("/v1/requests?%00=1", "query.\\x00"),
    ],
)
def test_a_control_character_in_a_url_is_a_mistake_of_the_caller(api: ApiTenant, address: str, field: str) -> None:
    document = problem(api.caller().get(address), 422, "invalid_parameters")
    assert places(document) == [("control_character", None, field)]


@pytest.mark.parametrize("id", ["%00", f"{UNKNOWN}%0A", "%ED%A0%80", "a" * 65, "..%2F..%2Fetc%2Fpasswd"])
def test_what_cannot_be_an_id_is_unknown_like_any_other(api: ApiTenant, id: str) -> None:
    problem(api.caller().get(f"/v1/items/{id}"), 404, "not_found")


@pytest.mark.parametrize(
    "value", ["{}", "[]", "7", "true", '"2026-02-30"', '"9999-12-31T23:59:59-23:59"', '"2026-W47-6"']
)
@pytest.mark.parametrize("field", ["since", "until"])
@pytest.mark.parametrize("address", ["/v1/legal-holds", "/v1/recalls?dry_run=true"])
def test_what_is_no_instant_is_named(api: ApiTenant, address: str, field: str, value: str) -> None:
    body = f'{{"reason": "x", "reason_code": "other", "{field}": {value}}}'
    if address == "/v1/legal-holds":
        body = f'{{"reason": "x", "{field}": {value}}}'
    sent = api.caller().post(address, content=body, headers={"Content-Type": "application/json"})
    assert [place for _, _, place in places(problem(sent, 422, "invalid_body"))] == [field]


@pytest.mark.parametrize(
    "value", ["0001-01-01T00:00:00%2B23:59", "9999-12-31", "2026-11-21T08:30:00", "20261121", "now"]
)
def test_an_instant_that_leaves_the_calendar_or_lacks_its_zone_is_named(api: ApiTenant, value: str) -> None:
    document = problem(api.caller().get(f"/v1/audit/events?from={value}"), 422, "invalid_parameters")
    assert [place for _, _, place in places(document)] == ["query.from"]


def test_a_cursor_beyond_the_databases_numbers_is_no_cursor_of_ours(api: ApiTenant) -> None:
    document = problem(api.caller().get("/v1/audit/refusals?policy=sha256:" + "0" * 64 + "&cursor=bv__________"), 422,
                       "invalid_parameters")  # fmt: skip
    assert places(document) == [("cursor", None, "query.cursor")]


@pytest.mark.parametrize("value", ["1_0", "%201%20", "%2B1", "1.0", "1e1", "%D9%A1", "", "9" * 5000])
def test_a_whole_number_is_digits_and_no_other_spelling_of_python(api: ApiTenant, value: str) -> None:
    """`1_0` and ` 1 ` were taken as numbers."""
    for address, field in (("/v1/requests?limit=", "query.limit"), ("/v1/audit/checkpoint?size=", "query.size")):
        document = problem(api.caller().get(f"{address}{value}"), 422, "invalid_parameters")
        assert [place for _, _, place in places(document)] == [field]
    assert api.caller().get("/v1/requests?limit=1").status_code == 200


@pytest.mark.parametrize("sent", ["bytes=abc", "x", "bytes=5-1", "bytes=99999999-", "bytes=0-9"])
def test_a_range_is_ignored_and_never_answered_in_plain_text(api: ApiTenant, sent: str) -> None:
    address = "/docs/files/swagger-ui.css"
    whole = api.server.anonymous().get(address)
    part = api.server.anonymous().get(address, headers={"Range": sent})
    assert (part.status_code, part.content) == (200, whole.content)


def test_a_pack_of_nothing_is_a_mistake_of_the_caller(api: ApiTenant) -> None:
    document = problem(api.caller().get("/v1/audit/packs?asset="), 422, "invalid_parameters")
    assert [place for _, _, place in places(document)] == ["query.asset"]


def test_a_problem_does_not_grow_with_the_unknown_parameters_of_a_url(api: ApiTenant) -> None:
    names = "&".join(f"u{number}" + "=" for number in range(1_800))
    answer = api.caller().get(f"/v1/requests?{names}")
    assert len(problem(answer, 422, "invalid_parameters")["errors"]) == 100


def test_a_parameter_that_takes_one_value_and_is_sent_twice_is_refused_and_a_list_is_not(api: ApiTenant) -> None:
    caller = api.caller()
    body = {"reason": "x", "reason_code": "other"}
    document = problem(caller.post("/v1/recalls?dry_run=true&dry_run=false", json=body), 422, "invalid_parameters")
    assert places(document) == [("repeated", None, "query.dry_run")]
    assert caller.get("/v1/audit/events?kind=item.released&kind=request.accepted").status_code == 200


def test_the_parameters_that_take_several_values_are_those_of_the_document(api: ApiTenant) -> None:
    document = api.caller().get("/openapi.json").json()
    parameters = [
        one for path in document["paths"].values() for call in path.values() for one in call.get("parameters", [])
    ]
    assert {one["name"] for one in parameters if one["schema"].get("type") == "array"} == LISTS


@pytest.mark.parametrize("id", ["%00", "msg_%00", "msg_%1B"])
def test_a_control_character_in_a_path_is_an_unknown_thing(api: ApiTenant, id: str) -> None:
    problem(api.caller().get(f"/v1/webhooks/{UNKNOWN}/deliveries/{id}"), 404, "not_found")

"""Probes, metrics, the document, and what happens while a part of the installation is away."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from api.edge.problems import CATALOGUE
from api.schemas.keys import KeyBody
from api.schemas.requests import CampaignBody, SingleBody
from tests.support.client import ApiServer, ApiTenant, campaign, problem

PUBLIC = ("/v1/detect", "/v1/soft-bindings")
WITHOUT_BODY = (
    "/pause",
    "/resume",
    "/reproductions",
    "/secret",
    "/enable",
    "/test",
    "/resend",
    "/check",
)  # the address says all
MAY_BE_EMPTY = ("/cancel", "/retry")
NOBODY = "127.0.0.1:9"  # discard: nothing listens there


def test_alive_and_ready(api: ApiTenant) -> None:
    anonymous = api.server.anonymous()
    assert anonymous.get("/healthz").json() == {"status": "alive"}
    assert anonymous.get("/readyz").json() == {"status": "ready"}


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"redis_url": f"redis://{NOBODY}/0"}, "redis"),
        ({"s3_endpoint_url": f"http://{NOBODY}"}, "object_store"),
        ({"database_url": f"postgresql+psycopg://nobody@{NOBODY}/none"}, "postgres"),
    ],
)
def test_a_part_that_does_not_answer_is_named_and_the_process_stays_alive(
    api: ApiTenant, changes: dict[str, Any], part: str
) -> None:
    anonymous = api.server.anonymous(**changes)
    document = problem(anonymous.get("/readyz"), 503, "not_ready")
    assert document["silent"] == [part]
    assert anonymous.get("/healthz").status_code == 200


def test_a_redis_that_never_answers_holds_up_neither_the_probe_nor_a_submission(api: ApiTenant) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, says nothing
        caller = api.caller(redis_url=f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        assert problem(caller.get("/readyz"), 503, "not_ready")["silent"] == ["redis"]
        assert campaign(caller).status_code == 202


def test_without_a_database_every_call_is_a_quick_503(api: ApiTenant) -> None:
    key = api.server.key(api.tenant)[1]
    cut_off = api.server.anonymous(database_url=f"postgresql+psycopg://nobody@{NOBODY}/none")
    answer = cut_off.get("/v1/requests", headers={"Authorization": f"Bearer {key}"})
    problem(answer, 503, "database_unavailable")
    assert answer.headers["retry-after"]
    assert NOBODY not in answer.text


def test_an_exhausted_pool_is_503_with_a_time_to_come_back(api: ApiTenant) -> None:
    caller = api.caller(api_pool_size=1)
    with api.server.app(api_pool_size=1).state.parts.engine.connect():
        answer = campaign(caller)
    problem(answer, 503, "busy")
    assert answer.headers["retry-after"] == "1"
    assert campaign(caller).status_code == 202


def test_connections_cut_by_the_server_are_replaced(own_api: ApiServer) -> None:
    caller = own_api.caller()
    assert campaign(caller).status_code == 202
    own_api.line.cut_connections("presswork_api")
    assert campaign(caller).status_code == 202


def test_a_read_only_database_is_503_and_stores_nothing(own_api: ApiServer) -> None:
    caller = own_api.caller()
    superuser = own_api.database.engine("superuser", isolation_level="AUTOCOMMIT")
    with superuser.connect() as conn:
        name = own_api.database.name
        conn.execute(text(f"alter database {name} set default_transaction_read_only = on"))
        own_api.app().state.parts.engine.dispose()
        problem(campaign(caller), 503, "database_unavailable")
        conn.execute(text("set default_transaction_read_only = off"))
        conn.execute(text(f"alter database {name} reset default_transaction_read_only"))
    own_api.app().state.parts.engine.dispose()
    assert campaign(caller).status_code == 202


def test_metrics_count_by_route_template_and_hold_no_ids(api: ApiTenant) -> None:
    caller = api.caller()
    request_id = campaign(caller).json()["id"]
    caller.get(f"/v1/requests/{request_id}")
    caller.get("/nowhere/at/all")
    scraped = api.server.anonymous().get("/metrics")
    families = {family.name: family for family in text_string_to_metric_families(scraped.text)}
    answers = {
        (sample.labels["route"], sample.labels["method"], sample.labels["status"])
        for sample in families["presswork_http_requests"].samples
    }
    assert {
        ("/v1/requests/{request_id}", "GET", "200"),
        ("/v1/campaigns", "POST", "202"),
        ("unknown", "GET", "404"),
    } <= answers
    assert "presswork_items_submitted" in families
    assert request_id not in scraped.text
    assert api.tenant not in scraped.text


@pytest.mark.parametrize(
    ("method", "address", "allowed"),
    [
        ("PUT", "/v1/requests", "GET, HEAD, OPTIONS, POST"),
        ("PATCH", "/v1/keys", "GET, HEAD, OPTIONS, POST"),
        ("PUT", "/v1/keys/x", "DELETE, GET, HEAD, OPTIONS"),
        ("HEAD", "/v1/requests/x/cancel", "OPTIONS, POST"),
        ("DELETE", "/v1/requests/x", "GET, HEAD, OPTIONS, PATCH"),
        ("POST", "/docs", "GET, HEAD, OPTIONS"),
        ("POST", "/docs/files/favicon.png", "GET, HEAD, OPTIONS"),
        ("BREW", "/healthz", "GET, HEAD, OPTIONS"),
    ],
)
def test_405_names_every_method_of_the_address_as_options_does(
    api: ApiTenant, method: str, address: str, allowed: str
) -> None:
    answer = api.caller().request(method, address)
    assert answer.status_code == 405
    assert answer.headers["allow"] == allowed
    options = api.server.anonymous().options(address)
    assert (options.status_code, options.content, options.headers["allow"]) == (204, b"", allowed)


@pytest.mark.parametrize("address", ["/", "/v1", "/v1/requests/", "/v2/requests", "/docs/files/../../app.py", "/%00"])
def test_an_unknown_address_is_a_problem_too(api: ApiTenant, address: str) -> None:
    problem(api.caller().get(address), 404, "not_found")


def test_every_answer_carries_an_id_and_a_callers_own_uuid_is_kept(api: ApiTenant) -> None:
    anonymous = api.server.anonymous()
    own = "0f8fad5b-d9cb-469f-a165-70867728950e"
    assert anonymous.get("/healthz", headers={"X-Request-ID": own}).headers["x-request-id"] == own
    assert anonymous.get("/healthz", headers={"X-Request-ID": "x\ty"}).headers["x-request-id"] != "x\ty"
    answer = anonymous.get("/healthz")
    assert len(answer.headers["x-request-id"]) == 36
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_document_describes_every_operation_with_its_problems(api: ApiTenant) -> None:
    document = api.server.anonymous().get("/openapi.json").json()
    tags = {tag["name"] for tag in document["tags"]}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], path
            assert operation["description"], path
            assert set(operation["tags"]) <= tags
            assert "422" not in operation["responses"]
            assert operation["responses"]["default"]["content"].keys() == {"application/problem+json"}
            assert ("security" in operation) == (path.startswith("/v1") and not path.startswith(PUBLIC)), path
            if method in ("put", "patch") or (method == "post" and not path.endswith((*WITHOUT_BODY, *MAY_BE_EMPTY))):
                assert operation["requestBody"]["required"] is True, path
    ids = [operation["operationId"] for operations in document["paths"].values() for operation in operations.values()]
    assert len(ids) == len(set(ids)), "a generated client has one function for each"
    assert all(id.isidentifier() for id in ids), ids
    references = set(_references(document))
    assert {reference.rsplit("/", 1)[1] for reference in references} <= set(document["components"]["schemas"])


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for value in node.values() for found in _references(value)]
    return [found for value in node for found in _references(value)] if isinstance(node, list) else []


@pytest.mark.parametrize("model", [SingleBody, CampaignBody, KeyBody])
def test_the_examples_in_the_document_are_accepted(api: ApiTenant, model: type) -> None:
    caller = api.caller()
    (example,) = model.model_json_schema()["examples"]
    if model is CampaignBody:
        answer = campaign(caller, "colour,object,background\nred,car,white\n", example)
    else:
        answer = caller.post("/v1/keys" if model is KeyBody else "/v1/requests", json=example)
    assert answer.status_code in (201, 202), answer.text


def test_the_docs_page_needs_nothing_from_elsewhere(api: ApiTenant) -> None:
    anonymous = api.server.anonymous()
    page = anonymous.get("/docs").text
    assert "https://" not in page
    for file in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"):
        assert f"/docs/files/{file}" in page
        assert anonymous.get(f"/docs/files/{file}").status_code == 200


def test_a_code_belongs_to_one_status_and_one_title() -> None:
    assert all(400 <= status < 600 and title for status, title in CATALOGUE.values())
    assert len({title for _, title in CATALOGUE.values()}) == len(CATALOGUE)

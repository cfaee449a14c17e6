"""Middleware around every request: ids, HEAD, conditional requests, gzip, CORS, and errors that nobody expected."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest
from starlette.datastructures import Headers
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from api.edge.dependencies import Parts
from api.edge.middleware.correlation import trace
from api.routes import events, models
from tests.support.client import ApiServer, ApiTenant, Served, campaign, problem
from tests.support.sockets import connect, head, one_answer, to_the_end

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
WORD = "a private word"
ORIGIN = "https://console.example"
GZIP = {"Accept-Encoding": "gzip"}
PLAIN = {"Accept-Encoding": "identity"}


@pytest.fixture(scope="module")
def served(_api_server: ApiServer) -> Iterator[Served]:
    with _api_server.served() as served:
        yield served


@pytest.fixture
def fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours: listing the models raises what no handler expects."""

    def tenant_standings(parts: Parts, tenant: str) -> NoReturn:
        raise ZeroDivisionError(WORD)

    monkeypatch.setattr(models, "tenant_standings", tenant_standings)


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    """Log lines with the ids that the request's context adds."""
    with capture_logs(processors=[merge_contextvars]) as lines:
        yield lines


@pytest.mark.usefixtures("fault")
def test_a_500_is_logged_with_its_stack_under_the_id_that_the_answer_names(api: ApiTenant, lines: list[Any]) -> None:
    answer = api.caller().get("/v1/models", headers={"X-Request-ID": "my-trace-42"})
    document = problem(answer, 500, "internal_error")
    assert document["instance"] == "urn:presswork:request:my-trace-42"
    (failed,) = [line for line in lines if line["event"] == "request_failed"]
    assert failed["http_request_id"] == "my-trace-42"
    assert (failed["error"], "in tenant_standings" in failed["stack"]) == ("ZeroDivisionError", True)
    (request,) = [line for line in lines if line["event"] == "http_request"]
    assert (request["http_request_id"], request["status"]) == ("my-trace-42", 500)
    assert WORD not in str(lines) + answer.text


@pytest.mark.usefixtures("fault")
def test_a_connection_stays_usable_after_a_500_and_its_end_is_announced_otherwise(
    api: ApiTenant, served: Served
) -> None:
    _, key = api.server.key(api.tenant)
    with connect(served.port) as peer:
        peer.sendall(head("/v1/models", key=key))
        first = one_answer(peer)
        first.problem(500, "internal_error")
        assert "connection" not in first.headers
        peer.sendall(head("/healthz"))
        assert one_answer(peer).status == 200
        peer.sendall(head("/v1/models", "Content-Length: 10", key=key) + b"unread")
        second = to_the_end(peer)
        second.problem(500, "internal_error")
        assert second.headers["connection"] == "close"


def test_an_answer_that_fails_after_its_beginning_is_logged_with_its_id_and_cut(
    api: ApiTenant, served: Served, lines: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, key = api.server.key(api.tenant)

    def torn(*_: object, **__: object) -> Iterator[bytes]:
        yield b"{}\n"
        raise ZeroDivisionError(WORD)

    monkeypatch.setitem(events._WRITERS, "jsonl", (torn, "application/jsonl"))
    with connect(served.port) as peer:
        peer.sendall(head("/v1/audit/events?format=jsonl", "X-Request-ID: torn-1", key=key))
        answer = to_the_end(peer)
    assert (answer.status, answer.raw.endswith(b"0\r\n\r\n")) == (200, False)
    (failed,) = [line for line in lines if line["event"] == "request_failed"]
    assert (failed["code"], failed["http_request_id"]) == ("answer_cut_off", "torn-1")
    assert WORD not in str(lines)


@pytest.mark.parametrize(
    "id",
    ["my-trace-42", "Root=1-67891233-abcdef012345678912345678", "0f8fad5b-d9cb-469f-a165-70867728950e", "a" * 128],
)
def test_a_caller_s_sane_id_is_taken_over(api: ApiTenant, id: str) -> None:
    answer = api.server.anonymous().get("/v1/models", headers={"X-Request-ID": id})
    assert answer.headers["x-request-id"] == id
    assert answer.json()["instance"].endswith(f":{id}")


@pytest.mark.parametrize("id", ["", "x\ty", "a b", "a" * 129, "-x", 'x"y', "é".encode(), "${jndi:ldap://x}", "x\\ny"])
def test_an_id_that_is_not_sane_is_replaced(api: ApiTenant, id: str | bytes) -> None:
    answer = api.server.anonymous().get("/healthz", headers={"X-Request-ID": id})
    assert len(answer.headers["x-request-id"]) == 36


def test_of_two_ids_neither_is_taken(api: ApiTenant, served: Served) -> None:
    with connect(served.port) as peer:
        peer.sendall(head("/healthz", "X-Request-ID: one", "X-Request-ID: two"))
        assert len(one_answer(peer).headers["x-request-id"]) == 36


def test_a_trace_is_taken_over_into_answer_and_log(api: ApiTenant, lines: list[Any]) -> None:
    answer = api.caller().get("/v1/models", headers={"traceparent": TRACEPARENT})
    version, trace_id, span, flags = answer.headers["traceparent"].split("-")
    assert (version, trace_id, flags) == ("00", TRACE, "01")
    assert span != "00f067aa0ba902b7"
    (line,) = [line for line in lines if line["event"] == "http_request"]
    assert (line["trace_id"], line["parent_span_id"], line["span_id"]) == (TRACE, "00f067aa0ba902b7", span)
    assert "traceparent" not in api.caller().get("/v1/models").headers


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "my-trace",
        f"ff-{TRACE}-00f067aa0ba902b7-01",
        f"00-{TRACE.upper()}-00f067aa0ba902b7-01",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-00f067aa0ba902b7-01-more",
    ],
)
def test_a_broken_trace_is_no_trace(sent: str) -> None:
    assert trace(Headers({"traceparent": sent})) is None


def test_a_trace_of_a_later_version_is_read_as_far_as_it_is_known() -> None:
    found = trace(Headers({"traceparent": f"01-{TRACE}-00f067aa0ba902b7-ff-more"}))
    assert found is not None
    assert (found.trace_id, found.flags) == (TRACE, "01")


@pytest.mark.parametrize("address", ["/healthz", "/readyz", "/v1/models", "/v1/requests", "/docs", "/openapi.json"])
def test_head_answers_as_get_does_without_the_body(api: ApiTenant, served: Served, address: str) -> None:
    _, key = api.server.key(api.tenant)
    with connect(served.port) as peer:
        peer.sendall(head(address, key=key))
        got = one_answer(peer)
        peer.sendall(head(address, key=key, method="HEAD") + head("/healthz", "Connection: close"))
        rest = to_the_end(peer)
    assert rest.headers["content-length"] == got.headers["content-length"] == str(len(got.body))
    assert rest.body.startswith(b"HTTP/1.1 200 "), "nothing but the next answer follows"


def test_head_is_counted_as_head(api: ApiTenant) -> None:
    api.caller().head("/v1/models")
    (line,) = [line for line in api.logs if line["event"] == "http_request"]
    assert (line["method"], line["route"], line["status"]) == ("HEAD", "/v1/models", 200)


def test_options_of_the_server_and_of_nothing(api: ApiTenant, served: Served) -> None:
    with connect(served.port) as peer:
        peer.sendall(head("*", method="OPTIONS"))
        assert one_answer(peer).headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
    problem(api.server.anonymous().options("/nowhere"), 404, "not_found")


def test_what_is_polled_has_a_tag_and_is_not_sent_twice(api: ApiTenant) -> None:
    caller = api.caller()
    address = f"/v1/requests/{campaign(caller).json()['id']}"
    for polled in (address, f"{address}/items", "/v1/erasures", "/v1/recalls", "/v1/models"):
        first = caller.get(polled)
        tag = first.headers["etag"]
        again = caller.get(polled, headers={"If-None-Match": f'"other", {tag}'})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert again.headers["cache-control"] == "no-store"
        assert again.headers["x-request-id"]
        assert "content-length" not in again.headers
        assert caller.get(polled, headers={"If-None-Match": "*"}).status_code == 304
        assert caller.head(polled, headers={"If-None-Match": tag}).status_code == 304
    tag = caller.get(address).headers["etag"]
    caller.post(f"{address}/cancel")
    changed = caller.get(address, headers={"If-None-Match": tag})
    assert (changed.status_code, changed.headers["etag"] != tag) == (200, True)


def test_a_tag_belongs_to_answers_of_json_only(api: ApiTenant) -> None:
    caller = api.caller()
    assert "etag" not in caller.get("/v1/audit/events", params={"format": "csv"}).headers
    assert "etag" not in caller.get("/v1/requests/none").headers
    assert "etag" not in campaign(caller).headers


def test_large_json_is_compressed_and_small_or_secret_or_streamed_is_not(api: ApiTenant) -> None:
    caller = api.caller()
    plain = caller.get("/openapi.json", headers=PLAIN)
    with caller.stream("GET", "/openapi.json", headers=GZIP) as packed:
        raw = b"".join(packed.iter_raw())
    assert packed.headers["content-encoding"] == "gzip"
    assert "accept-encoding" in packed.headers["vary"].lower()
    assert json.loads(gzip.decompress(raw)) == plain.json()
    assert packed.headers["etag"] == plain.headers["etag"]
    assert len(raw) < len(plain.content) / 2
    for _ in range(40):
        caller.post("/v1/keys", json={"name": "a key", "scopes": ["read"]})
    keys = caller.get("/v1/keys", headers=GZIP)
    assert len(keys.content) > 4096
    assert "content-encoding" not in keys.headers
    assert "content-encoding" not in caller.get("/healthz", headers=GZIP).headers
    events = caller.get("/v1/audit/events", params={"format": "csv"}, headers=GZIP)
    assert len(events.content) > 4096
    assert "content-encoding" not in events.headers


@pytest.mark.parametrize(
    ("asked", "packed"),
    {
        **dict.fromkeys(("gzip", "gzip;q=0.5", "br, GZIP ; Q=1.0", "*", "x-gzip", "*;q=0, gzip"), True),
        **dict.fromkeys(("gzip;q=0", "gzip; q=0.000, *", "notgzip", "br", "identity", "", "*;q=0", "gzip;q=x"), False),
    }.items(),
)
def test_gzip_that_is_refused_by_its_weight_is_not_sent(api: ApiTenant, asked: str, packed: bool) -> None:
    """`gzip;q=0` was answered with gzip."""
    answer = api.server.anonymous().get("/openapi.json", headers={"Accept-Encoding": asked})
    assert (answer.headers.get("content-encoding") == "gzip") is packed
    assert "accept-encoding" in answer.headers["vary"].lower()


def test_no_other_origin_is_let_in_unless_a_setting_names_it(api: ApiTenant) -> None:
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    closed = api.server.anonymous()
    assert "access-control-allow-origin" not in closed.options("/v1/requests", headers=asked).headers
    assert "access-control-allow-origin" not in closed.get("/healthz", headers={"Origin": ORIGIN}).headers
    caller = api.caller(cors_origins=f"{ORIGIN},http://localhost:3000")
    preflight = caller.options("/v1/requests", headers=asked)
    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, ORIGIN)
    assert "authorization" in preflight.headers["access-control-allow-headers"].lower()
    assert "access-control-allow-credentials" not in preflight.headers
    refused = caller.get("/v1/requests/none", headers={"Origin": ORIGIN})
    problem(refused, 404, "not_found")
    assert refused.headers["access-control-allow-origin"] == ORIGIN
    assert "X-Request-ID" in refused.headers["access-control-expose-headers"]
    assert (
        "access-control-allow-origin" not in caller.get("/healthz", headers={"Origin": "https://evil.example"}).headers
    )
    assert caller.options("/v1/requests").status_code == 204, "OPTIONS that is no preflight"


@pytest.mark.parametrize(
    ("origin", "method", "said"), [("https://evil.example", "GET", "origin"), (ORIGIN, "TRACE", "method")]
)
def test_a_refused_preflight_is_a_problem(api: ApiTenant, origin: str, method: str, said: str) -> None:
    """It was text/plain."""
    asked = {"Origin": origin, "Access-Control-Request-Method": method}
    answer = api.caller(cors_origins=ORIGIN).options("/v1/requests", headers=asked)
    assert said in problem(answer, 400, "bad_request")["detail"]
    assert "Origin" in answer.headers["vary"]
    assert answer.headers.get("access-control-allow-origin") == (ORIGIN if origin == ORIGIN else None)


@pytest.mark.parametrize("coding", ["gzip", "br", "x-unknown", "gzip, identity"])
@pytest.mark.parametrize("address", ["/v1/requests", "/v1/campaigns", "/v1/identify"])
def test_a_body_with_a_coding_is_415_and_names_it(api: ApiTenant, address: str, coding: str) -> None:
    sent = {"Content-Encoding": coding, "Content-Type": "application/json"}
    answer = api.caller().post(address, content=gzip.compress(b'{"prompt": "a car"}'), headers=sent)
    assert coding in problem(answer, 415, "unsupported_media_type")["detail"]
    assert answer.headers["accept-encoding"] == "identity"
    assert api.stored() == 0

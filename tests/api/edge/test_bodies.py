"""Hostile bodies: each gets a problem of the right status, none a crash, and nothing is stored."""

from __future__ import annotations

import json
import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.edge.bodies import MAX_DEPTH, MAX_JSON_BYTES, strict_json
from tests.support.client import GOOD, SPEC, ApiTenant, campaign, places, problem

JSON = {"Content-Type": "application/json"}
NOBODY = "0199c0de-7b1a-7c53-9d0f-3f0f6a3f8c11"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting property name"),
        (b'{"prompt": "a",}', "Expecting property name"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b'{"prompt": "\xff"}', "byte 12 is not UTF-8"),
        ('{"prompt": "a"}'.encode("utf-16"), "not UTF-8"),
        (b'{"prompt": "a\x00b"}', "Invalid control character"),
        (b'{"prompt": "a\\u0000b"}', "NUL"),
        (b'{"prompt": "a\\ud800b"}', "surrogate"),
        (b'{"metadata": {"a\\u0000": 1}, "prompt": "a"}', "NUL"),
        (b'{"prompt": "a", "prompt": "b"}', "'prompt' appears twice"),
        (b'{"prompt": "a", "metadata": {"x": 1, "x": 2}}', "'x' appears twice"),
        (b'{"prompt": "a", "guidance_scale": NaN}', "NaN"),
        (b'{"prompt": "a", "guidance_scale": Infinity}', "Infinity"),
        (b'{"prompt": "a", "guidance_scale": -Infinity}', "-Infinity"),
        (b'{"prompt": "a", "guidance_scale": 1e400}', "too large"),
        (b'{"prompt": "a", "seed": ' + b"9" * 5000 + b"}", "digits"),
        (b"[" * 500_000, "deep"),
        (b'{"a":' * 100_000, "deep"),
        (b'{"prompt": "a", "metadata": ' + b"[" * 30 + b"]" * 30 + b"}", f"more than {MAX_DEPTH} deep"),
        (b"null", "object"),
        (b'"text"', "object"),
        (b"[1, 2]", "object"),
    ],
)
def test_json_that_is_not_strict_is_refused_in_words(api: ApiTenant, body: bytes, said: str) -> None:
    document = problem(api.caller().post("/v1/requests", content=body, headers=JSON), 422, "invalid_body")
    assert said in document["errors"][0]["message"]
    assert document["errors"][0]["field"] == "body"
    assert api.stored() == 0


@pytest.mark.parametrize(
    "media_type", ["", "text/plain", "text/json", "application/xml", "application/x-www-form-urlencoded", "json", "%"]
)
def test_another_media_type_is_415(api: ApiTenant, media_type: str) -> None:
    caller = api.caller()
    for address, wanted in (("/v1/requests", "application/json"), ("/v1/campaigns", "multipart/form-data")):
        answer = caller.post(address, content=b"{}", headers={"Content-Type": media_type})
        assert wanted in problem(answer, 415, "unsupported_media_type")["detail"]
        assert answer.headers["accept-post"] == wanted


def test_a_charset_does_no_harm(api: ApiTenant) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert api.caller().post("/v1/requests", content=b'{"prompt": "a car"}', headers=headers).status_code == 202


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"", "multipart/form-data"),
        (b"", "multipart/form-data; boundary="),
        (b"", "multipart/form-data; boundary=x"),
        (b"nonsense", "multipart/form-data; boundary=x"),
        (b"--x\r\n\r\nvalue\r\n--x--\r\n", "multipart/form-data; boundary=x"),
        (b'--x\r\nContent-Disposition: form-data; name="spec"\r\n\r\n{}', "multipart/form-data; boundary=x"),
        (
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 50 + b"--x--",
            "multipart/form-data; boundary=x",
        ),
        (b"--x\r\n" + b"A: b\r\n" * 10_000 + b"\r\n", "multipart/form-data; boundary=x"),
    ],
)
def test_multipart_that_cannot_be_read_is_a_problem(api: ApiTenant, content: bytes, content_type: str) -> None:
    answer = api.caller().post("/v1/campaigns", content=content, headers={"Content-Type": content_type})
    assert answer.status_code in (400, 422)
    problem(answer, answer.status_code, answer.json()["code"])
    assert api.stored() == 0


@pytest.mark.parametrize("charset", ["undefined", "punycode", "unicode_escape", "utf-7", '"UTF-16"', "latin-1", "x"])
def test_a_multipart_body_of_another_charset_is_refused_before_it_is_decoded(api: ApiTenant, charset: str) -> None:
    content = b'--x\r\nContent-Disposition: form-data; name="spec"\r\n\r\n\\ud800+2AA-\r\n--x--\r\n'
    headers = {"Content-Type": f"multipart/form-data; boundary=x; charset={charset}"}
    answer = api.caller().post("/v1/campaigns", content=content, headers=headers)
    assert "UTF-8" in problem(answer, 415, "unsupported_media_type")["detail"]
    headers = {"Content-Type": "multipart/form-data; boundary=x; charset=UTF-8"}
    problem(api.caller().post("/v1/campaigns", content=content, headers=headers), 422, "invalid_body")


def test_the_name_of_a_part_is_shown_quoted_and_cut(api: ApiTenant) -> None:
    content = b'--x\r\nContent-Disposition: form-data; name="' + b"n" * 3_000 + b'"\r\n\r\n1\r\n--x--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = api.caller().post("/v1/campaigns", content=content, headers=headers)
    (error,) = problem(answer, 422, "invalid_body")["errors"]
    assert error["message"] == f"the parts sent are: '{'n' * 37}...'"


@pytest.mark.parametrize("codings", [["gzip"], ["identity", "gzip"], ["identity, gzip"]])
def test_a_content_coding_is_refused_on_every_line_and_every_route(api: ApiTenant, codings: list[str]) -> None:
    lines = [("Content-Encoding", coding) for coding in codings]
    caller = api.caller()
    cancel = "/v1/requests/01a1fe00-0000-7000-8000-00000000000f/cancel"
    for address in ("/v1/requests", "/v1/campaigns", "/v1/identify", cancel):
        problem(caller.post(address, content=b"{}", headers=[*lines, *JSON.items()]), 415, "unsupported_media_type")


def test_a_body_above_the_limit_is_413_whether_announced_or_not(api: ApiTenant) -> None:
    caller = api.caller(max_body_bytes=2_000, input_archive_max_bytes=1_024)  # for the ZIP of pictures, beside it
    announced = campaign(caller, "object,colour\n" + "car,red\n" * 1_000)
    assert "2,000 bytes" in problem(announced, 413, "body_too_large")["detail"]
    assert announced.headers["connection"] == "close"
    chunked = caller.post(
        "/v1/campaigns",
        content=(b"x" * 500 for _ in range(10)),
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )
    problem(chunked, 413, "body_too_large")
    within_both = campaign(caller, "object,colour\n" + "car,red\n" * 300)
    assert "2,000 bytes" in problem(within_both, 413, "body_too_large")["detail"]
    big_json = json.dumps({"prompt": "x" * MAX_JSON_BYTES}).encode()
    problem(api.caller().post("/v1/requests", content=big_json, headers=JSON), 413, "body_too_large")
    assert api.stored() == 0


def test_a_spec_above_the_limit_is_refused(api: ApiTenant) -> None:
    answer = campaign(api.caller(), spec={**SPEC, "metadata": {"a": "x" * MAX_JSON_BYTES}})
    problem(answer, 413, "body_too_large")
    as_file = api.caller().post(
        "/v1/campaigns", files={"spec": ("s.json", b" " * (MAX_JSON_BYTES + 1)), "file": ("rows.csv", GOOD)}
    )
    problem(as_file, 413, "body_too_large")


@pytest.mark.parametrize(("method", "address"), [("GET", "/v1/models"), ("DELETE", f"/v1/webhooks/{NOBODY}")])
@pytest.mark.parametrize("body", [b"{}", b"no JSON \xff", b"x" * 5_000])
def test_a_body_that_an_address_does_not_take_is_ignored(
    api: ApiTenant, method: str, address: str, body: bytes
) -> None:
    """By every such address: a body has no meaning there (RFC 9110, section 9.3), and many libraries send one."""
    caller = api.caller(max_body_bytes=2_000)
    with_body, without = (caller.request(method, address, content=sent, headers=JSON) for sent in (body, None))
    assert with_body.status_code == without.status_code
    assert with_body.json().get("data") == without.json().get("data")


def test_a_caller_without_a_key_is_answered_before_the_body_is_read(api: ApiTenant) -> None:
    with api.server.served() as served:
        answer = _half_a_body(served.port, key="pw_wrong")
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"100 Continue" not in answer


def test_a_body_that_does_not_arrive_is_408_and_the_connection_is_closed(api: ApiTenant) -> None:
    _, key = api.server.key(api.tenant)
    with api.server.served(body_seconds=0.2) as served:
        answer = _half_a_body(served.port, key=key)
    assert b"HTTP/1.1 408 " in answer
    assert b'"code":"body_too_slow"' in answer


def test_a_name_sent_twice_among_many_is_found_in_one_pass() -> None:
    """Counting every name for every name took minutes on a megabyte; the size makes that a test that never ends."""
    names = ",".join(f'"{number}":0' for number in range(80_000))
    with pytest.raises(ValueError, match="'last' appears twice"):
        strict_json(f'{{{names},"last":1,"last":2}}'.encode())


def test_a_number_of_thousands_of_digits_is_refused_in_our_words() -> None:
    with pytest.raises(ValueError, match="digits") as caught:
        strict_json(b"9" * 5_000)
    assert "sys." not in str(caught.value)
    assert strict_json(b"-" + b"9" * 300) == -(10**300 - 1)


@pytest.mark.parametrize(
    "body",
    [
        {"prompt": "a", **{f"unknown{number}": 1 for number in range(4_000)}},
        {"prompt": "a", "loras": [{f"unknown{number}": 1 for number in range(3_000)}]},
        {"prompt": "a", "x" * 900_000: 1},
        {"prompt": "a", "loras": [{"x" * 900_000: 1}]},
        {"prompt": "a", "renditions": ["x" * 500_000]},
    ],
    ids=["unknown fields", "unknown fields inside", "a long name", "a long name inside", "a long value"],
)
def test_a_problem_does_not_grow_with_the_mistakes_of_a_body(api: ApiTenant, body: dict[str, object]) -> None:
    answer = api.caller().post("/v1/requests", json=body)
    document = problem(answer, 422, "invalid_body")
    assert 1 <= len(document["errors"]) <= 100
    assert len(answer.content) < 64_000


def test_renditions_that_are_no_list_have_the_documented_code(api: ApiTenant) -> None:
    answer = api.caller().post("/v1/requests", json={"prompt": "a", "renditions": {}})
    assert places(problem(answer, 422, "invalid_body")) == [("not_a_list", None, "renditions")]


def test_a_connection_that_is_dropped_in_the_middle_stores_nothing(api: ApiTenant) -> None:
    _, key = api.server.key(api.tenant)
    with api.server.served() as served, socket.create_connection(("127.0.0.1", served.port), timeout=10) as sender:
        sender.sendall(
            _head(key, 1_000_000) + b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        )
    assert api.stored() == 0
    assert [entry for entry in api.logs if entry["log_level"] == "error"] == []


@given(st.binary(max_size=60))
def test_any_bytes_are_json_or_a_value_error(body: bytes) -> None:
    try:
        value = strict_json(body)
    except ValueError:
        return
    assert json.loads(body) == value


_json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
_fields = (
    "prompt",
    "width",
    "seed",
    "variants",
    "guidance_scale",
    "metadata",
    "priority",
    "model",
    "name",
    "custom_id",
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.dictionaries(st.sampled_from(_fields), _json_values, max_size=4))
def test_whatever_the_fields_hold_the_answer_is_a_202_or_a_problem(api: ApiTenant, changes: dict[str, object]) -> None:
    caller = api.caller(["submit"])
    answer = caller.post("/v1/requests", content=json.dumps({"prompt": "a car", **changes}), headers=JSON)
    if answer.status_code != 202:
        problem(answer, 422, answer.json()["code"])


def _head(key: str, length: int) -> bytes:
    return (
        f"POST /v1/campaigns HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer {key}\r\nExpect: 100-continue\r\n"
        f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def _half_a_body(port: int, *, key: str) -> bytes:
    """Everything the server says to somebody who announces a body, sends a little, and waits until it hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sender:
        sender.sendall(_head(key, 1_000_000) + b"--x\r\n")
        answer = b""
        while chunk := sender.recv(65_536):
            answer += chunk
        return answer

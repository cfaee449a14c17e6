"""Hostile values in every parameter and every field of every operation, made from the OpenAPI document: never a 500.

A caller's mistake is a caller's mistake: no answer is a 5xx, and none is a 429 that invites the same request again.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.asgi import AsgiAnswer, AsgiCaller
from tests.support.client import ApiTenant
from tests.support.ledger import new_signer

EVERYTHING = os.environ.get("PRESSWORK_TEST_CONTRACT") == "thorough"
_UUID = "0199c0de-7b1a-7c53-9d0f-3f0f6a3f8c11"
# As they stand in a URL: percent-encoded UTF-8, or bytes that are none.
URL_VALUES = (
    *(
        "%00",
        "a%00b",
        "%0A",
        "%1B",
        "%7F",
        "%C2%85",
        "%ED%A0%80",
        "%FF",
        "",
        "%20",
        "'",
        '"',
        "%5C",
        "../../etc/passwd",
    ),
    *("0", "-1", "1.5", "1e400", "NaN", "Infinity", "9223372036854775807", "9223372036854775808", "1" * 60),
    *("true", "null", "[]", "{}", _UUID, _UUID.upper(), f"urn:uuid:{_UUID}", "{" + _UUID + "}", "Y3" + "_" * 21),
    *("bv__________", "bu__________", "b" * 12, "A" * 2_000, "%F0%9F%8E%92", "%E2%80%AE", "sha256:" + "0" * 64),
    *("2026-02-30", "0001-01-01T00:00:00%2B23:59", "9999-12-31T23:59:59-23:59", "2026-11-21T08:30:00", "2026-W47-6"),
    *(
        "0001-01-01",
        "9999-12-31",
        "2026-11-21T25:00:00Z",
        "2026-11-21T08:30:60Z",
        "20261121",
        "0000-00-00",
        "-0001-01-01",
    ),
)
JSON_VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1.5,
        2**53,
        -(2**63),
        2**64,
        10**400,
        1e308,
        -0.0,
        "",
        " ",
        "a",
        "\x1b[2J",
        "a\nb",
        "\x85",
    ),
    *("\u202egnp", "\ufeff", "'; DROP TABLE items; --", "../../etc/passwd", _UUID, _UUID.upper(), "x" * 10_001, [], {}),
    *([None], [[]], {"a": 1}, [{}], ["a"] * 200, {"a": {"b": []}}, "2026-11-21", "2026-11-21T08:30:00", "2026-02-30"),
    *(
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "0001-01-01",
        "sha256:" + "0" * 64,
        "sha256:",
        "\U000e0041",
    ),
)
_JSON = ((b"content-type", b"application/json"),)
# Not JSON, or not what RFC 8259 advises: written as they are, in the place of one field.
RAW_VALUES = ("NaN", "Infinity", "1e400", '"\\u0000"', '"\\ud800"', "[" * 60 + "]" * 60, "9" * 5_000, '"\x01"')


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address, with what it takes."""

    method: str
    path: str
    parameters: dict[str, str] = field(default_factory=dict)  # name: path, query or header
    body: dict[str, Any] | None = None  # the fields of a JSON body
    shapes: dict[str, str] = field(default_factory=dict)  # name: what a parameter must be

    def url(self, values: dict[str, str]) -> str:
        path = self.path
        for name, place in self.parameters.items():
            if place == "path":
                path = path.replace("{" + name + "}", values.get(name, _UUID).replace("/", "%2F") or "%20")
        query = "&".join(f"{name}={values[name]}" for name in values if self.parameters.get(name) == "query")
        return f"{path}?{query}" if query else path


def operations(document: dict[str, Any]) -> Iterator[Operation]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if "501" in operation["responses"]:  # of what is not there yet, whatever is sent
                continue
            parameters = {one["name"]: one["in"] for one in operation.get("parameters", [])}
            content = operation.get("requestBody", {}).get("content", {})
            body = content.get("application/json", {}).get("schema")
            if body is not None:
                body = document["components"]["schemas"][body["$ref"].rpartition("/")[2]]["properties"]
            shapes = {one["name"]: shape(one["schema"]) for one in operation.get("parameters", [])}
            yield Operation(method, path, parameters, body, shapes)


def shape(schema: dict[str, Any]) -> str:
    """What a value must be, without what is said about it: one check serves all that have one shape."""
    said = ("title", "description", "examples", "example", "default")
    return json.dumps({name: schema[name] for name in schema if name not in said}, sort_keys=True)


@pytest.fixture
def caller(api: ApiTenant, tmp_path: Path) -> AsgiCaller:
    """Of an installation that lacks nothing: what is not configured is answered 501."""
    vkeys = tmp_path / "ledger.vkeys"
    vkeys.write_text(f"{new_signer().vkey}\n")
    settings = {"max_requests_per_minute": 10**6, "images_seconds": 0.05, "stream_seconds": 0.05}
    return AsgiCaller(api.caller(ledger_vkeys=vkeys, **settings))


def test_no_hostile_value_of_a_parameter_is_a_fault_of_ours(api: ApiTenant, caller: AsgiCaller) -> None:
    faults: list[str] = []
    seen = Counter[tuple[str, str]]()
    for operation in operations(api.server.app().openapi()):
        for name, place in operation.parameters.items():
            if place == "header":
                continue
            for value in _some(URL_VALUES, seen, (place, "id" if place == "path" else operation.shapes[name])):
                answer = caller.request(operation.method, operation.url({name: value}), **_any_body(operation))
                faults += _faults(operation, f"{name}={value[:40]}", answer)
    assert faults == []


def test_no_hostile_header_is_a_fault_of_ours(api: ApiTenant, caller: AsgiCaller) -> None:
    hostile = (b"\x00", b"", b"a b", b"\xff\xfe", b"x" * 300, "ü".encode(), b"Bearer", b"Bearer ", b"Bearer pw_\xff")
    faults: list[str] = []
    seen = Counter[tuple[str, str]]()
    for operation in operations(api.server.app().openapi()):
        for header in (b"Idempotency-Key", b"Authorization", b"X-Request-ID", b"Content-Type", b"If-None-Match"):
            for value in _some(hostile, seen, ("header", header.decode())):
                headers = [(header, value)]
                answer = caller.request(operation.method, operation.url({}), headers=headers)
                faults += _faults(operation, f"{header.decode()}: {value!r}", answer)
    assert faults == []


def test_no_hostile_value_of_a_field_is_a_fault_of_ours(api: ApiTenant, caller: AsgiCaller) -> None:
    faults: list[str] = []
    seen = Counter[tuple[str, str]]()
    for operation in operations(api.server.app().openapi()):
        for name, schema in (operation.body or {}).items():
            for value in _some(JSON_VALUES, seen, ("body", shape(schema))):
                written = json.dumps({**_beside(operation), name: value})
                faults += _faults(operation, f"{name}={written[:60]}", _send(caller, operation, written))
            for raw in _some(RAW_VALUES, seen, ("raw", "any")):
                written = f'{{"{name}": {raw}}}'
                faults += _faults(operation, written[:60], _send(caller, operation, written))
    assert faults == []


def _some(values: tuple[Any, ...], seen: Counter[tuple[str, str]], parameter: tuple[str, str]) -> tuple[Any, ...]:
    """All values where a parameter of this shape is met first; elsewhere every eighth, in turns. All, if told so."""
    turn = seen[parameter]
    seen[parameter] += 1
    return values if turn == 0 or EVERYTHING else values[turn % 8 :: 8]


def _send(caller: AsgiCaller, operation: Operation, written: str) -> AsgiAnswer:
    return caller.request(operation.method, operation.url({}), headers=_JSON, body=written.encode())


def _any_body(operation: Operation) -> dict[str, Any]:
    return {} if operation.body is None else {"headers": _JSON, "body": b"{}"}


def _beside(operation: Operation) -> dict[str, Any]:
    """The fields that make a body whole but for the hostile one; dry runs where there are such."""
    whole: dict[str, Any] = {
        "prompt": "a red car",
        "name": "x",
        "scopes": ["read"],
        "reason": "x",
        "reason_code": "other",
        "decision": "refuse",
        "comment": "x",
        "sha256": "0" * 64,
        "url": "https://127.0.0.1/",
        "events": ["asset.recalled"],
        "dry_run": True,
    }
    return {name: value for name, value in whole.items() if name in (operation.body or ())}


def _faults(operation: Operation, said: str, answer: AsgiAnswer) -> list[str]:
    if answer.status_code < 500 and answer.status_code != 429:
        return []
    if answer.status_code == 504 and answer.json()["code"] == "images_not_ready":  # nothing draws here
        return []
    return [
        f"{operation.method} {operation.path} {quote(said, safe=' =:{}[]')}: {answer.status_code} {answer.text[:200]}"
    ]

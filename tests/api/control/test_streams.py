"""Streams of events, on real sockets: every event once and in order, nothing lost after a break, nobody held up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from api.edge.live import feed as live
from api.edge.live import stream
from api.server import protocol
from policy.ledger.tables import pending
from policy.ledger.tree.seal import seal
from tests.support.client import ApiServer, ApiTenant, Served, problem
from tests.support.ledger import new_signer
from tests.support.line import eventually
from tests.support.sockets import connect, head

SIGNER = new_signer()
RECONNECTS = 1_000


@pytest.fixture(scope="module")
def served(module_api: ApiServer) -> Iterator[Served]:
    """A server on the database of this file, with two places for replies that wait."""
    with module_api.served(max_waits_per_tenant=2) as running:
        yield running


@pytest.fixture
def tenant(module_api: ApiServer) -> ApiTenant:
    return ApiTenant(module_api, [])


def sealed(api: ApiTenant) -> None:
    """Everything that is committed becomes part of the log, as the sealer's process would do it."""
    with api.server.database.engine("sealer").begin() as conn:
        while conn.scalar(select(func.count()).select_from(pending)):
            seal(conn, SIGNER, (SIGNER.vkey,))


def submitted(api: ApiTenant, key: str, port: int, **asked: Any) -> str:
    body = {"prompt": "a red car", "width": 128, "height": 128, **asked}
    made = httpx.post(f"http://127.0.0.1:{port}/v1/requests", json=body, headers=bearer(key))
    return str(made.raise_for_status().json()["id"])


def cancelled(key: str, port: int, request_id: str) -> None:
    url = f"http://127.0.0.1:{port}/v1/requests/{request_id}/cancel"
    httpx.post(url, headers=bearer(key)).raise_for_status()


def bearer(key: str, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}", **more}


@contextmanager
def listening(port: int, key: str, address: str = "/v1/events", **headers: str) -> Iterator[Iterator[dict[str, Any]]]:
    """The events of a stream that stays open to the end of the block."""
    url = f"http://127.0.0.1:{port}{address}"
    with httpx.stream("GET", url, headers=bearer(key, **headers), timeout=60) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        assert next(lines).startswith("retry: ")
        yield events_in(lines)


def _opens(port: int, key: str) -> bool:
    with httpx.stream("GET", f"http://127.0.0.1:{port}/v1/events", headers=bearer(key), timeout=60) as answer:
        return answer.status_code == 200


def events_in(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    event: dict[str, Any] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if name == "id":
            event["id"] = int(value)
        elif name == "data":
            event |= json.loads(value)
        elif not line and event:
            yield event
            event = {}


def test_a_request_is_followed_from_its_beginning_to_its_end(served: Served, tenant: ApiTenant) -> None:
    key = tenant.server.key(tenant.tenant)[1]
    request_id = submitted(tenant, key, served.port, variants=2)
    sealed(tenant)
    with listening(served.port, key, f"/v1/requests/{request_id}/events") as events:
        first = next(events)
        assert (first["type"], first["request_id"], first["items"]) == ("request.accepted", request_id, 2)
        other = submitted(tenant, key, served.port)
        cancelled(key, served.port, request_id)
        sealed(tenant)
        rest = list(events)
    assert [event["type"] for event in rest] == ["request.cancelled", "request.finished"]
    assert (rest[-1]["phase"], rest[-1]["counts"]) == ("cancelled", {"cancelled": 2})
    assert {event["request_id"] for event in rest} == {request_id} != {other}
    assert first["id"] < rest[0]["id"] < rest[1]["id"]
    url = f"http://127.0.0.1:{served.port}/v1/requests/{request_id}/events"
    again = httpx.get(url, headers=bearer(key, **{"Last-Event-ID": str(rest[-1]["id"])}))
    assert again.status_code == 204  # a browser stops to reconnect
    missed = httpx.get(url, headers=bearer(key, **{"Last-Event-ID": str(rest[0]["id"])}))
    assert [event["id"] for event in events_in(iter(missed.text.splitlines()))] == [rest[1]["id"]]


def test_a_listener_of_progress_gets_counts_and_no_event_of_an_image(served: Served, tenant: ApiTenant) -> None:
    key = tenant.server.key(tenant.tenant)[1]
    request_id = submitted(tenant, key, served.port, variants=3)
    sealed(tenant)
    here = f"/v1/requests/{request_id}/events?progress=60"
    with listening(served.port, key, here) as events:
        first, accepted = next(events), next(events)
        for item in tenant.items()[:2]:
            httpx.post(
                f"http://127.0.0.1:{served.port}/v1/items/{item.id}/cancel", headers=bearer(key)
            ).raise_for_status()
        cancelled(key, served.port, request_id)
        sealed(tenant)
        rest = list(events)
    assert (first["type"], first["counts"], accepted["type"]) == ("progress", {"pending": 3}, "request.accepted")
    assert [event["type"] for event in rest] == ["progress", "request.cancelled", "request.finished"]
    assert rest[0]["counts"] == {"cancelled": 3}
    ids = [event["id"] for event in (first, accepted, *rest)]
    assert ids == sorted(ids)
    missed = httpx.get(f"http://127.0.0.1:{served.port}{here}", headers=bearer(key, **{"Last-Event-ID": str(ids[-2])}))
    assert [event["type"] for event in events_in(iter(missed.text.splitlines()))] == ["progress", "request.finished"]
    wrong = httpx.get(
        f"http://127.0.0.1:{served.port}/v1/requests/{request_id}/events?progress=61", headers=bearer(key)
    )
    assert wrong.status_code == 422


def test_a_listener_who_comes_back_misses_nothing_and_sees_nothing_twice(served: Served, tenant: ApiTenant) -> None:
    key = tenant.server.key(tenant.tenant)[1]
    ids = []
    with listening(served.port, key) as events:
        ids.append(submitted(tenant, key, served.port))
        sealed(tenant)
        last = next(events)
    seen = [last]
    for _ in range(4):  # what happens while nobody listens, and then while somebody does
        ids.append(submitted(tenant, key, served.port))
        sealed(tenant)
        with listening(served.port, key, **{"Last-Event-ID": str(seen[-1]["id"])}) as events:
            seen.append(next(events))
            ids.append(submitted(tenant, key, served.port))
            sealed(tenant)
            seen.append(next(events))
    assert [event["request_id"] for event in seen] == ids
    with listening(served.port, key, f"/v1/events?after={seen[0]['id']}") as events:
        assert [next(events)["id"] for _ in seen[1:]] == [event["id"] for event in seen[1:]]


def test_an_event_is_told_to_its_tenant_alone_and_holds_no_text(served: Served, tenant: ApiTenant) -> None:
    key = tenant.server.key(tenant.tenant)[1]
    other = ApiTenant(tenant.server, [])
    foreign = other.server.key(other.tenant)[1]
    with listening(served.port, foreign) as events:
        submitted(tenant, key, served.port, prompt="a secret of ours", name="ours")
        theirs = submitted(other, foreign, served.port, prompt="a secret of theirs", name="spring")
        sealed(tenant)
        event = next(events)
    assert event["request_id"] == theirs
    assert "secret" not in json.dumps(event)
    assert "spring" not in json.dumps(event)
    url = f"http://127.0.0.1:{served.port}/v1/requests/{theirs}/events"
    problem(httpx.get(url, headers=bearer(key)), 404, "not_found")


def test_listeners_are_bounded_per_tenant_and_a_place_is_free_again(served: Served, tenant: ApiTenant) -> None:
    key = tenant.server.key(tenant.tenant)[1]
    other = tenant.server.key("somebody-else")[1]
    url = f"http://127.0.0.1:{served.port}/v1/events"
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(listening(served.port, key))
        problem(httpx.get(url, headers=bearer(key)), 429, "too_many_waits")
        stack.enter_context(listening(served.port, other))
    eventually(lambda: served.room.taken(tenant.tenant) == 0)
    with listening(served.port, key):
        assert served.room.taken(tenant.tenant) == 1


def test_listeners_that_stop_reading_are_hung_up_on_and_their_places_are_free_again(
    served: Served, tenant: ApiTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "_STALLED_SECONDS", 0.2)
    monkeypatch.setattr(stream, "written", lambda event: f": {'x' * 8_000_000}\n\n")  # more than a socket buffers
    key = tenant.server.key(tenant.tenant)[1]
    with connect(served.port) as one, connect(served.port) as other:
        for deaf in (one, other):
            deaf.sendall(head("/v1/events", key=key))
            assert deaf.recv(12) == b"HTTP/1.1 200"
        assert not _opens(served.port, key)
        submitted(tenant, key, served.port)
        sealed(tenant)
        eventually(lambda: _opens(served.port, key))


def test_a_storm_of_reconnects_leaves_no_listener_behind(served: Served, tenant: ApiTenant) -> None:
    key = tenant.server.key(tenant.tenant)[1]
    for _ in range(RECONNECTS // 50):
        with ExitStack() as stack:
            for peer in [stack.enter_context(connect(served.port)) for _ in range(50)]:
                peer.sendall(head("/v1/events", key=key))
    eventually(lambda: _opens(served.port, key))
    feed = served.app.state.parts.feed
    eventually(lambda: not feed._listeners)
    with listening(served.port, key) as events:
        request_id = submitted(tenant, key, served.port)
        sealed(tenant)
        assert next(events)["request_id"] == request_id


def test_a_listener_that_memory_has_left_behind_reads_from_postgres(
    served: Served, tenant: ApiTenant, monkeypatch
) -> None:
    key = tenant.server.key(tenant.tenant)[1]
    start = submitted(tenant, key, served.port)
    sealed(tenant)
    feed = served.app.state.parts.feed
    with listening(served.port, key, f"/v1/requests/{start}/events") as events:
        first = next(events)["id"]
        ids = [submitted(tenant, key, served.port) for _ in range(5)]
        sealed(tenant)
        eventually(lambda: len(feed._kept) >= 5)
        monkeypatch.setattr(feed, "_first", feed._head - 2)  # as if newer events had pushed the others out
        with listening(served.port, key, **{"Last-Event-ID": str(first)}) as again:
            assert [next(again)["request_id"] for _ in ids] == ids


def test_a_stream_ends_with_its_time_its_key_and_its_process(
    module_api: ApiServer, tenant: ApiTenant, monkeypatch
) -> None:
    stored, key = tenant.server.key(tenant.tenant)
    monkeypatch.setattr(stream, "_HEARTBEAT_SECONDS", 0.1)
    with module_api.served(stream_seconds=0.3) as running:
        assert ": alive" in httpx.get(f"http://127.0.0.1:{running.port}/v1/events", headers=bearer(key)).text
    with module_api.served() as running:
        with listening(running.port, key) as events:
            admin = module_api.caller(tenant.tenant)
            assert admin.delete(f"/v1/keys/{stored.id}").status_code == 204
            assert list(events) == []
        other = module_api.key(tenant.tenant)[1]
        with listening(running.port, other) as events:
            running.app.state.parts.feed.close()
            assert list(events) == []


def test_head_and_what_is_no_number_are_answered_at_once(served: Served, tenant: ApiTenant) -> None:
    key = tenant.server.key(tenant.tenant)[1]
    url = f"http://127.0.0.1:{served.port}/v1/events"
    assert httpx.head(url, headers=bearer(key)).status_code == 200
    for headers, address in (
        ({"Last-Event-ID": "-1"}, url),
        ({"Last-Event-ID": "1" * 19}, url),
        ({}, f"{url}?after=x"),
    ):
        problem(httpx.get(address, headers=bearer(key, **headers)), 422, "invalid_parameters")


def test_a_database_that_is_away_ends_no_stream(served: Served, tenant: ApiTenant, monkeypatch) -> None:
    key = tenant.server.key(tenant.tenant)[1]
    monkeypatch.setattr(live, "_AWAY_SECONDS", 0.05)
    feed = served.app.state.parts.feed
    with listening(served.port, key) as events:
        connect_again, failures = feed._connect, []

        def away() -> Any:
            failures.append(1)
            return tenant.server.database.engine("api").execution_options(x=1).connect().execute(select(pending))

        monkeypatch.setattr(feed, "_connect", away)
        eventually(lambda: failures)
        monkeypatch.setattr(feed, "_connect", connect_again)
        request_id = submitted(tenant, key, served.port)
        sealed(tenant)
        assert next(events)["request_id"] == request_id

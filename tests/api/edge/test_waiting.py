"""Waiting room, on real sockets: who waits holds no thread, is bounded per tenant, and holds nobody else up."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest
from sqlalchemy import text

from tests.support.client import ApiServer, ApiTenant, problem
from tests.support.line import eventually
from tests.support.sockets import connect, head, one_answer, silent, to_the_end

MANY = 60  # more than the shared pool of threads has
BYTES = {"Content-Type": "application/octet-stream"}


def _question(server: ApiServer, tenant: str) -> tuple[str, str]:
    """A key of the tenant, and a question that nobody answers."""
    key = server.key(tenant)[1]
    asked = server.anonymous().post(
        "/v1/identify", content=b"a picture", headers={**BYTES, "Authorization": f"Bearer {key}"}
    )
    return key, asked.json()["id"]


@contextmanager
def _waiting(port: int, key: str, id: str, count: int) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        peers = [stack.enter_context(connect(port)) for _ in range(count)]
        for peer in peers:
            peer.sendall(head(f"/v1/identify/{id}?wait=20", key=key))
        yield peers


def _get(port: int, address: str, key: str = "") -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.get(f"http://127.0.0.1:{port}{address}", headers=headers, timeout=20)


def _answer(server: ApiServer, id: str) -> None:
    with server.line.owner.begin() as conn:
        conn.execute(
            text(
                "update identifications set state = 'failed', reason = 'not_a_picture', settled_at = clock_timestamp(),"
                " lease_until = null where id = :id"
            ),
            {"id": id},
        )


def test_sixty_waits_of_one_tenant_hold_up_no_other_tenant_and_no_probe(api: ApiTenant) -> None:
    key, id = _question(api.server, api.tenant)
    other = api.server.key("somebody-else")[1]
    with api.server.served() as served, _waiting(served.port, key, id, MANY) as peers:
        eventually(lambda: served.room.taken(api.tenant) == MANY)
        assert _get(served.port, "/v1/models", other).status_code == 200
        assert _get(served.port, "/v1/models", key).status_code == 200
        assert _get(served.port, "/readyz").json() == {"status": "ready"}
        assert silent(peers), "they were still waiting when the others had been answered"
        _answer(api.server, id)
        answers = [one_answer(peer) for peer in peers]
        assert {answer.status for answer in answers} == {200}
        assert all(b'"state":"failed"' in answer.body for answer in answers)
        eventually(lambda: served.room.taken(api.tenant) == 0)


def test_a_wait_beyond_the_tenant_s_places_is_429_and_other_tenants_have_their_own(api: ApiTenant) -> None:
    key, id = _question(api.server, api.tenant)
    other, theirs = _question(api.server, "somebody-else")
    with api.server.served(max_waits_per_tenant=2) as served, _waiting(served.port, key, id, 2) as peers:
        eventually(lambda: served.room.taken(api.tenant) == 2)
        refused = _get(served.port, f"/v1/identify/{id}?wait=20", key)
        problem(refused, 429, "too_many_waits")
        assert refused.headers["retry-after"] == "1"
        assert _get(served.port, f"/v1/identify/{id}", key).json()["state"] == "waiting"
        with _waiting(served.port, other, theirs, 1):
            eventually(lambda: served.room.taken("somebody-else") == 1)
        assert silent(peers)


def test_all_tenants_together_have_so_many_places(api: ApiTenant) -> None:
    key, id = _question(api.server, api.tenant)
    other, theirs = _question(api.server, "somebody-else")
    with api.server.served(max_waits=1) as served, _waiting(served.port, key, id, 1):
        eventually(lambda: served.room.taken(api.tenant) == 1)
        problem(_get(served.port, f"/v1/identify/{theirs}?wait=20", other), 429, "too_many_waits")


def test_who_hangs_up_frees_the_place(api: ApiTenant) -> None:
    key, id = _question(api.server, api.tenant)
    with api.server.served(max_waits_per_tenant=1) as served:
        with _waiting(served.port, key, id, 1):
            eventually(lambda: served.room.taken(api.tenant) == 1)
        eventually(lambda: served.room.taken(api.tenant) == 0)
        with _waiting(served.port, key, id, 1):
            eventually(lambda: served.room.taken(api.tenant) == 1)


def test_nobody_waits_without_a_key_or_for_another_tenant_s_question(api: ApiTenant) -> None:
    key, id = _question(api.server, api.tenant)
    other = api.server.key("somebody-else")[1]
    with api.server.served(max_waits=1) as served, _waiting(served.port, key, id, 1):
        eventually(lambda: served.room.taken(api.tenant) == 1)
        problem(_get(served.port, f"/v1/identify/{id}?wait=20", "pw_wrong"), 401, "unauthorized")
    problem(api.server.caller("somebody-else").get(f"/v1/identify/{id}?wait=20"), 404, "not_found")
    assert other


def test_a_server_that_stops_answers_who_waits_with_what_it_knows(api: ApiTenant) -> None:
    key, id = _question(api.server, api.tenant)
    with api.server.served() as served:
        peer = connect(served.port)
        peer.sendall(head(f"/v1/identify/{id}?wait=20", key=key))
        eventually(lambda: served.room.taken(api.tenant) == 1)
    with peer:
        answer = to_the_end(peer)
    assert (answer.status, b'"state":"waiting"' in answer.body) == (200, True)


def test_a_database_that_is_away_ends_no_wait(own_api: ApiServer) -> None:
    key, id = _question(own_api, "acme")
    with own_api.served() as served, _waiting(served.port, key, id, 1) as peers:
        eventually(lambda: served.room.taken("acme") == 1)
        own_api.line.cut_connections("presswork_api")
        assert silent(peers)
        _answer(own_api, id)
        assert b'"state":"failed"' in one_answer(peers[0]).body


def test_a_wait_that_is_over_before_it_begins_takes_no_time(api: ApiTenant) -> None:
    key, id = _question(api.server, api.tenant)
    _answer(api.server, id)
    caller = api.server.anonymous()
    answer = caller.get(f"/v1/identify/{id}?wait=20", headers={"Authorization": f"Bearer {key}"})
    assert answer.json()["state"] == "failed"


@pytest.mark.parametrize("wait", ["0", "0.01"])
def test_a_wait_ends_with_its_time(api: ApiTenant, wait: str) -> None:
    key, id = _question(api.server, api.tenant)
    answer = api.server.anonymous().get(f"/v1/identify/{id}?wait={wait}", headers={"Authorization": f"Bearer {key}"})
    assert answer.json()["state"] == "waiting"

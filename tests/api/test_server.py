"""Server below the application, on real sockets: requests it cannot read, peers that stop, and too many of them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import h11
import pytest

from api.edge.dependencies import Parts
from api.routes import models
from api.server.protocol import StrictConnection
from tests.support.client import ApiServer, ApiTenant, Served
from tests.support.sockets import RawAnswer, connect, head, one_answer, sent_and_read, silent, to_the_end
from workers.sampling.cards.standing import ModelStanding

HALF = b"GET /healthz HTTP/1.1\r\nHost: a\r\n"
CHUNKED = ("Transfer-Encoding: chunked", "Content-Type: application/json")


@pytest.fixture(scope="module")
def served(_api_server: ApiServer) -> Iterator[Served]:
    """A server with the settings as they come."""
    with _api_server.served() as served:
        yield served


@pytest.fixture(scope="module")
def hasty(_api_server: ApiServer) -> Iterator[Served]:
    """A server that gives a head half a second."""
    with _api_server.served(head_seconds=0.5) as served:
        yield served


@pytest.fixture(scope="module")
def small(_api_server: ApiServer) -> Iterator[Served]:
    """A server for ten connections."""
    with _api_server.served(
        max_connections=10, api_pool_size=12, max_waits=5, max_uploads=3, max_uploads_per_tenant=2
    ) as served:
        yield served


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [
        (b"NONSENSE\r\n\r\n", 400, "bad_request"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "bad_request"),  # a TLS hello
        (b"GET /healthz HTTP/1.1\r\n\r\n", 400, "bad_request"),  # no Host
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", 400, "bad_request"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "unsupported_http_version"),
        (HALF + b"X-Big: " + b"a" * 200_000 + b"\r\n\r\n", 431, "head_too_large"),
        (HALF + b"X-Many: 1\r\n" * 20_000 + b"\r\n", 431, "head_too_large"),
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 431, "head_too_large"),
        (head("/v1/requests", "Transfer-Encoding: gzip", method="POST"), 501, "unknown_transfer_coding"),
        (head("/v1/requests", "Content-Length: 4", "Content-Length: 5", method="POST") + b"abcde", 400, "bad_request"),
        (head("/v1/requests", *CHUNKED, "Content-Length: 4", method="POST") + b"0\r\n\r\n", 400, "bad_request"),
        (head("/v1/requests", *CHUNKED, method="POST").replace(b"1.1", b"1.0") + b"0\r\n\r\n", 400, "bad_request"),
    ],
)
def test_what_cannot_be_read_is_a_problem_with_an_id_and_ends_the_connection(
    api: ApiTenant, served: Served, request_bytes: bytes, status: int, code: str
) -> None:
    answer = sent_and_read(served.port, request_bytes)
    answer.problem(status, code)
    assert answer.headers["connection"] == "close"
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert _healthy(served)
    (line,) = [entry for entry in api.logs if entry["event"] == "http_refused"]
    assert line["http_request_id"] == answer.headers["x-request-id"]


def test_a_bad_chunk_is_a_problem_and_stores_nothing(api: ApiTenant, served: Served) -> None:
    _, key = api.server.key(api.tenant)
    answer = sent_and_read(served.port, head("/v1/requests", *CHUNKED, method="POST", key=key) + b"zz\r\nabc\r\n")
    answer.problem(400, "bad_request")
    assert api.stored() == 0
    assert [entry for entry in api.logs if entry["log_level"] == "error"] == []


def test_words_of_a_request_that_cannot_be_read_are_neither_answered_nor_logged(api: ApiTenant, served: Served) -> None:
    answer = sent_and_read(served.port, HALF + b"Authorization : Bearer pw_secret\r\n\r\n")
    answer.problem(400, "bad_request")
    assert b"pw_secret" not in answer.raw
    assert "pw_secret" not in str(api.logs)


def test_a_head_that_does_not_arrive_is_408_however_many_bytes_trickle_in(hasty: Served) -> None:
    with connect(hasty.port) as peer:
        peer.sendall(HALF)
        answer = _trickling(peer, b"X-Slow: 1\r\n")
    answer.problem(408, "head_too_slow")


def test_a_connection_that_says_nothing_is_closed_without_a_word(hasty: Served) -> None:
    with connect(hasty.port) as peer:
        assert to_the_end(peer).raw == b""


def test_a_second_head_has_the_same_deadline(hasty: Served) -> None:
    with connect(hasty.port) as peer:
        peer.sendall(head("/healthz"))
        assert one_answer(peer).status == 200
        peer.sendall(HALF)
        _trickling(peer, b"X-Slow: 1\r\n").problem(408, "head_too_slow")


def test_a_body_that_nobody_reads_cannot_keep_a_connection_for_ever(hasty: Served) -> None:
    with connect(hasty.port) as peer:
        peer.sendall(head("/healthz", "Content-Length: 30000000"))
        assert _trickling(peer, b"x").status == 200


def test_a_connection_is_kept_between_requests_longer_than_a_head_may_take(hasty: Served) -> None:
    with connect(hasty.port) as peer, connect(hasty.port) as quiet:
        peer.sendall(head("/healthz"))
        assert one_answer(peer).status == 200
        assert to_the_end(quiet).raw == b"", "its head was late meanwhile"
        peer.sendall(head("/healthz"))
        assert one_answer(peer).status == 200


def test_half_open_connections_beyond_the_limit_shut_nobody_out(small: Served) -> None:
    with ExitStack() as stack:
        half_open = [stack.enter_context(connect(small.port)) for _ in range(60)]
        for peer in half_open:
            peer.sendall(HALF)
        for _ in range(20):
            assert _healthy(small)
        ended = [peer for peer in half_open if not silent([peer])]
        assert len(ended) >= 60 - 10, "the longest idle made room"


def test_requests_under_way_are_not_cut_for_new_connections(
    api: ApiTenant, small: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Semaphore(0), threading.Event()

    def tenant_standings(parts: Parts, tenant: str) -> dict[str, ModelStanding]:
        begun.release()
        assert go_on.wait(60)
        return {}

    monkeypatch.setattr(models, "tenant_standings", tenant_standings)
    with ExitStack() as stack:
        peers = [stack.enter_context(connect(small.port)) for _ in range(10)]
        for number, peer in enumerate(peers):  # of ten tenants: those of one would wait for their turns
            peer.sendall(head("/v1/models", key=api.server.key(f"{api.tenant}-{number}")[1]))
        assert all(begun.acquire(timeout=60) for _ in peers)
        refused = sent_and_read(small.port, head("/healthz"))
        refused.problem(503, "too_many_connections")
        assert refused.headers["retry-after"] == "1"
        go_on.set()
        assert {one_answer(peer).status for peer in peers} == {200}
        assert _healthy(small), "an answered connection is idle again"


def test_slow_bodies_of_one_address_leave_places_to_other_anonymous_callers(api: ApiTenant) -> None:
    """Two addresses with fifty slow bodies each took all the places that callers without a key share."""

    def upload(address: str) -> bytes:
        asking = ("Content-Length: 5", "Content-Type: image/png", "Expect: 100-continue")
        return head("/v1/detect", *asking, f"X-Forwarded-For: {address}", method="POST")

    settings = {"public_detector_tenant": api.tenant, "trusted_proxies": "127.0.0.0/8"}
    with api.server.served(**settings) as served, ExitStack() as stack:
        for _ in range(4):
            slow = stack.enter_context(connect(served.port))
            slow.sendall(upload("203.0.113.1"))
            assert slow.recv(100).startswith(b"HTTP/1.1 100 "), "its body is being read"
        sent_and_read(served.port, upload("203.0.113.1")).problem(429, "too_many_uploads")
        other = stack.enter_context(connect(served.port))
        other.sendall(upload("203.0.113.2"))
        assert other.recv(100).startswith(b"HTTP/1.1 100 ")


def test_one_tenant_s_slow_bodies_leave_places_to_others(api: ApiTenant, small: Served) -> None:
    def upload(key: str) -> bytes:
        asking = ("Content-Length: 5", "Content-Type: image/png", "Expect: 100-continue")
        return head("/v1/identify", *asking, method="POST", key=key)

    keys = [api.server.key(tenant)[1] for tenant in (api.tenant, "somebody-else")]
    with ExitStack() as stack:
        slow = [stack.enter_context(connect(small.port)) for _ in range(2)]
        for peer in slow:
            peer.sendall(upload(keys[0]))
            assert peer.recv(100).startswith(b"HTTP/1.1 100 "), "its body is being read"
        refused = sent_and_read(small.port, upload(keys[0]))
        refused.problem(429, "too_many_uploads")
        assert (refused.headers["retry-after"], refused.headers["connection"]) == ("1", "close")
        other = stack.enter_context(connect(small.port))
        other.sendall(upload(keys[1]))
        assert other.recv(100).startswith(b"HTTP/1.1 100 ")
        for peer in (*slow, other):
            peer.sendall(b"abcde")
            assert one_answer(peer).status == 202


def test_who_is_refused_may_go_on_sending_and_still_reads_why(served: Served) -> None:
    with connect(served.port) as peer:
        peer.sendall(head("/v1/identify", "Content-Length: 30000000", method="POST", key="pw_wrong"))
        for _ in range(100):
            peer.sendall(b"x" * 65_536)
        peer.shutdown(socket.SHUT_WR)
        answer = to_the_end(peer)
    answer.problem(401, "unauthorized")
    assert answer.headers["connection"] == "close"


def test_two_requests_sent_at_once_get_two_answers(served: Served) -> None:
    answer = sent_and_read(served.port, head("/healthz") + head("/nowhere", "Connection: close"))
    assert answer.raw.count(b"HTTP/1.1 ") == 2
    assert b"HTTP/1.1 404 " in answer.raw


@pytest.mark.parametrize(
    ("target", "method", "status"),
    [
        ("http://presswork/healthz", "GET", 200),
        ("HTTP://presswork:80/healthz?x=1", "HEAD", 422),
        ("https://elsewhere.example/v1/models", "GET", 401),
        ("http://presswork", "GET", 404),
        ("http://presswork?x=1", "GET", 404),
        ("http://presswork/http://presswork/healthz", "GET", 404),
        ("http://presswork/healthz", "OPTIONS", 204),
    ],
)
def test_a_target_with_scheme_and_host_is_the_address_behind_them(
    served: Served, target: str, method: str, status: int
) -> None:
    """RFC 9112, section 3.2.2: a server must accept what callers send to a proxy. It was 404."""
    with connect(served.port) as peer:
        peer.sendall(head(target, "Connection: close", method=method))
        assert to_the_end(peer).status == status


def test_the_host_of_the_target_counts() -> None:
    asked = StrictConnection(h11.SERVER, 1_000)
    asked.receive_data(head("http://other.example:81?a=b"))
    request = asked.next_event()
    assert (request.target, dict(request.headers)[b"host"]) == (b"/?a=b", b"other.example:81")


def test_an_upgrade_that_is_not_offered_is_ignored(served: Served) -> None:
    with connect(served.port) as peer:
        peer.sendall(head("/healthz", "Connection: Upgrade", "Upgrade: websocket"))
        assert one_answer(peer).status == 200


def _healthy(served: Served) -> bool:
    with connect(served.port) as peer:
        peer.sendall(head("/healthz"))
        return one_answer(peer).status == 200


def _trickling(peer: socket.socket, line: bytes) -> RawAnswer:
    """What the server says to somebody who sends a line whenever nothing can be read."""
    peer.settimeout(0.05)
    raw = b""
    while True:
        try:
            chunk = peer.recv(65_536)
        except TimeoutError:
            peer.sendall(line)
            continue
        if not chunk:
            return RawAnswer(raw, closed=True)
        raw += chunk

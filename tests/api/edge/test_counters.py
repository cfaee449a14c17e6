"""Shared counters: one count for all processes, and each its own while Redis is away."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis
from limits import RateLimitItemPerMinute
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from api.edge.limits.counters import SharedCounter

LIMIT = RateLimitItemPerMinute(3)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def silent_server() -> Iterator[tuple[str, list[socket.socket]]]:
    """A Redis that is paused: it takes connections and never answers. Its address, and who came."""
    came: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    came.append(server.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield f"redis://127.0.0.1:{server.getsockname()[1]}/0", came
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in came:
                connection.close()


def hit(counter: SharedCounter, name: str = "x") -> bool:
    return counter.ask(lambda one: one.hit(LIMIT, name))


def is_local() -> float | None:
    return REGISTRY.get_sample_value("presswork_rate_limits_local")


def test_two_processes_count_together(redis_url: str) -> None:
    first, second = SharedCounter(redis_url), SharedCounter(redis_url)
    assert [hit(first), hit(second), hit(first), hit(second), hit(first)] == [True, True, True, False, False]
    assert second.ask(lambda one: one.window(LIMIT, "x")).remaining == 0
    assert hit(second, "another")


def test_what_redis_keeps_goes_by_itself_within_minutes(redis_url: str) -> None:
    hit(SharedCounter(redis_url))
    with redis.Redis.from_url(redis_url) as client:
        keys = list(client.scan_iter("*"))
        assert keys
        assert all(key.startswith(b"presswork:rate:") and 0 < client.ttl(key) <= 180 for key in keys)


def test_a_paused_redis_is_asked_by_one_caller_and_each_process_counts_alone() -> None:
    clock = Clock()
    with silent_server() as (url, came), capture_logs() as logs:
        counter, other = SharedCounter(url, clock=clock), SharedCounter(url, clock=clock)
        assert [hit(counter) for _ in range(5)] == [True, True, True, False, False]
        assert hit(other), "a process of its own"
        assert len(came) == 2
        assert [entry["event"] for entry in logs] == ["rate_limits_local"] * 2, "once for each process"
        assert is_local() == 1
        clock.now += 5.0
        assert not hit(counter)
        assert not hit(counter)
        assert len(came) == 3, "one of them tried"
        assert len(logs) == 2


@pytest.mark.parametrize("fault", ["absent", "out of memory", "wrong password"])
def test_a_redis_that_cannot_count_is_no_outage(fault: str, redis_url: str) -> None:
    absent = "redis://127.0.0.1:1/0"
    url = {"absent": absent, "wrong password": redis_url.replace("redis://:", "redis://:x")}.get(fault, redis_url)
    with redis.Redis.from_url(redis_url) as client:
        before = client.config_get("maxmemory")["maxmemory"]
        if fault == "out of memory":
            client.config_set("maxmemory", 1)
        try:
            counter = SharedCounter(url)
            assert [hit(counter) for _ in range(4)] == [True, True, True, False]
        finally:
            client.config_set("maxmemory", before)


def test_a_redis_that_comes_back_counts_for_all_again(redis_url: str) -> None:
    clock = Clock()
    with redis.Redis.from_url(redis_url) as client, capture_logs() as logs:
        before = client.config_get("maxmemory")["maxmemory"]
        counter = SharedCounter(redis_url, clock=clock)
        client.config_set("maxmemory", 1)
        try:
            assert hit(counter)
        finally:
            client.config_set("maxmemory", before)
        clock.now += 5.0
        assert hit(counter)
        assert is_local() == 0
        assert hit(SharedCounter(redis_url)), "two of three are used"
        assert [hit(counter), hit(counter)] == [True, False]
    assert [entry["event"] for entry in logs] == ["rate_limits_local", "rate_limits_shared"]


def test_a_redis_that_was_restarted_empty_is_used_without_a_fault(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client, capture_logs() as logs:
        counter = SharedCounter(redis_url)
        assert hit(counter)
        client.flushdb()
        client.script_flush()
        client.client_kill_filter(_type="normal", skipme=True)
        assert hit(counter)
        assert logs == []

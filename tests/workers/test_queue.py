"""Transport on a real broker: one uuid a message, and a dead broker is news within seconds."""

from __future__ import annotations

import base64
import json
import socket

import pytest
import redis
from celery.contrib.testing.worker import start_worker

from tests.support.line import LEASE, Line, eventually
from workers.errors import BrokerUnavailable
from workers.jobs.claim import claim
from workers.jobs.types import new_id
from workers.queue import RUN_BATCH, Queue, make_celery
from workers.settings import Settings
from workers.states import BatchState


def dead_broker(settings_for, port: int) -> Settings:
    return settings_for("worker", redis_url=f"redis://:secret@127.0.0.1:{port}/0")


def test_a_message_carries_the_batch_id_and_nothing_else(settings, redis_url):
    batch_id = new_id()
    Queue(settings).send("gpu", batch_id)
    with redis.Redis.from_url(redis_url) as broker:
        (message,) = map(json.loads, broker.lrange("gpu", 0, -1))
    arguments, keywords, embedded = json.loads(base64.b64decode(message["body"]))
    assert (arguments, keywords, set(embedded.values())) == ([batch_id], {}, {None})
    assert (message["headers"]["task"], message["content-type"]) == (RUN_BATCH, "application/json")


def test_the_certificate_of_each_of_several_brokers_is_verified(settings_for):
    several = "rediss://one:6380/0;rediss://two:6380/0?ssl_ca_certs=/ca.pem;redis://three:6379/0"
    first, second, third = make_celery(settings_for("worker", redis_url=several)).conf.broker_url.split(";")
    assert first == "rediss://one:6380/0?ssl_cert_reqs=required"
    assert second == "rediss://two:6380/0?ssl_ca_certs=/ca.pem&ssl_cert_reqs=required"
    assert third == "redis://three:6379/0"


def test_a_message_goes_to_the_queue_it_names(settings, redis_url):
    queue = Queue(settings)
    for name in ("gpu", "large", "gpu"):
        queue.send(name, new_id())
    with redis.Redis.from_url(redis_url) as broker:
        assert (broker.llen("gpu"), broker.llen("large")) == (2, 1)


def test_the_worker_outlives_no_message_and_keeps_no_result(settings_for):
    """What the design leans on: acknowledged after the work, no retries of Celery's own, no pickle, one at a time."""
    conf = make_celery(settings_for("worker", visibility_timeout_seconds=77)).conf
    assert conf.task_acks_late
    assert conf.task_reject_on_worker_lost
    assert conf.accept_content == ["json"]
    assert conf.task_ignore_result
    assert conf.worker_prefetch_multiplier == 1
    assert conf.broker_transport_options["visibility_timeout"] == 77


def test_each_message_delivered_many_times_makes_one_claim(line: Line, settings):
    """Through a real Celery worker: duplicates, and a message of long ago, find nothing to do."""
    batch_id, finished_long_ago = line.dispatch(line.submit("acme", 2)), new_id()
    app = make_celery(settings)
    answers: list[bool] = []

    @app.task(name=RUN_BATCH)
    def run(received: str) -> None:
        with line.worker.begin() as conn:
            answers.append(claim(conn, received, LEASE, "worker-1") is not None)

    queue = Queue(settings)
    for id in [batch_id] * 5 + [finished_long_ago]:
        queue.send("gpu", id)
    with start_worker(app, pool="solo", queues=["gpu"], perform_ping_check=False, shutdown_timeout=20):
        eventually(lambda: len(answers) == 6)
    assert sorted(answers) == [False] * 5 + [True]
    assert (line.batch(batch_id).state, line.batch(batch_id).attempt) == (BatchState.RUNNING, 1)


def test_a_broker_that_refuses_is_unavailable(settings_for):
    with socket.socket() as closed:  # bound and not listening: every connection is refused
        closed.bind(("127.0.0.1", 0))
        queue = Queue(dead_broker(settings_for, closed.getsockname()[1]))
        with pytest.raises(BrokerUnavailable):
            queue.send("gpu", new_id())


def test_a_broker_that_hangs_is_asked_once(settings_for):
    """The reconciler is the retry; a planner that waits here plans nothing."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(BrokerUnavailable):
            Queue(dead_broker(settings_for, silent.getsockname()[1])).send("gpu", new_id())
        silent.settimeout(0)
        silent.accept()
        with pytest.raises(BlockingIOError):
            silent.accept()


def test_a_full_broker_is_unavailable(settings, redis_url):
    with redis.Redis.from_url(redis_url) as broker:
        broker.config_set("maxmemory", 1)
        try:
            with pytest.raises(BrokerUnavailable, match="maxmemory"):
                Queue(settings).send("gpu", new_id())
        finally:
            broker.config_set("maxmemory", 0)


def test_a_restarted_broker_is_found_again(settings, redis_url):
    queue = Queue(settings)
    queue.send("gpu", new_id())
    with redis.Redis.from_url(redis_url) as broker:
        broker.client_kill_filter(_type="normal", skipme=True)
        try:
            queue.send("gpu", new_id())
        except BrokerUnavailable:
            queue.send("gpu", new_id())
        assert broker.llen("gpu") == 2

"""TLS to Postgres, Redis and the object store: our clients trust the CA that they are told, and nobody else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from limits import RateLimitItemPerMinute
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from api.edge.limits.counters import SharedCounter
from deploy.embedded.stack import Stack
from tests.support.authority import Authority, make_authority
from tests.support.databases import Database
from tests.support.tls_proxy import TlsProxy
from workers.database import make_engine
from workers.errors import BrokerUnavailable, StoreUnavailable
from workers.loop import Wakeup
from workers.queue import Queue
from workers.settings import Settings
from workers.states import WAKE_CHANNEL
from workers.store import ObjectStore


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def another(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("another"))


@pytest.fixture
def postgres(stack: Stack, ours: Authority) -> Iterator[TlsProxy]:
    with TlsProxy(stack.ports["postgres"], ours.server(), postgres=True) as proxy:
        yield proxy


def _through(url: str, plain: int, encrypted: int, options: str) -> str:
    return url.replace(f"127.0.0.1:{plain}", f"127.0.0.1:{encrypted}") + f"?{options}"


def test_postgres_is_verified_by_the_ca_of_the_url(
    database: Database, stack: Stack, postgres: TlsProxy, ours: Authority, another: Authority
) -> None:
    def url(ca: Path) -> str:
        plain = stack.ports["postgres"]
        return _through(database.url("worker"), plain, postgres.port, f"sslmode=verify-full&sslrootcert={ca}")

    engine = make_engine(url(ours.ca), name="tls")
    with engine.begin() as conn:
        assert conn.scalar(text("select 1")) == 1
    engine.dispose()
    wakeup = Wakeup(Settings(database_url=url(ours.ca)), WAKE_CHANNEL)
    wakeup.wait(5.0, threading.Event())
    assert wakeup._conn is not None, "a NOTIFY is listened for over TLS too"
    assert wakeup._conn.pgconn.ssl_in_use
    wakeup.close()
    assert postgres.encrypted == 2
    refusing = make_engine(url(another.ca), name="tls")
    with pytest.raises(OperationalError, match="SSL error"):
        refusing.connect()


def test_a_postgres_without_tls_is_refused_where_it_is_demanded(database: Database) -> None:
    engine = make_engine(f"{database.url('worker')}?sslmode=verify-full&sslrootcert=system", name="tls")
    with pytest.raises(OperationalError, match="does not support SSL"):
        engine.connect()


def test_redis_is_verified_by_the_ca_of_the_url(
    redis_url: str, stack: Stack, settings_for: Callable[..., Settings], ours: Authority, another: Authority
) -> None:
    plain = stack.ports["valkey"]
    # Two proxies: kombu keeps one pool of connections for all URLs that differ in their CA alone.
    with TlsProxy(plain, ours.server()) as proxy, TlsProxy(plain, ours.server()) as second:

        def url(at: TlsProxy, ca: Path) -> str:
            """kombu alone would take any certificate: nothing in the URL says that one is verified."""
            return _through(redis_url.replace("redis://", "rediss://"), plain, at.port, f"ssl_ca_certs={ca}")

        Queue(settings_for("worker", redis_url=url(proxy, ours.ca))).send("gpu", "batch")
        sent = proxy.encrypted
        assert sent
        counter = SharedCounter(url(proxy, ours.ca))
        taken = counter.ask(lambda one: one.hit(RateLimitItemPerMinute(5), "a key"))
        assert (taken, proxy.encrypted) == (True, sent + 1), "the counter of all processes answers"
        with pytest.raises(BrokerUnavailable, match="certificate verify failed"):
            Queue(settings_for("worker", redis_url=url(second, another.ca))).send("gpu", "batch")


def test_the_store_is_verified_by_the_bundle_of_the_environment(
    settings_for: Callable[..., Settings],
    stack: Stack,
    ours: Authority,
    another: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with TlsProxy(stack.ports["seaweed"], ours.server()) as proxy, TlsProxy(proxy._upstream, ours.server()) as second:
        monkeypatch.setenv("AWS_CA_BUNDLE", str(ours.ca))
        store = ObjectStore(settings_for("worker", s3_endpoint_url=f"https://127.0.0.1:{proxy.port}"))
        store.put("released/tls", b"bytes", "image/png")
        assert store.get("released/tls") == b"bytes"
        monkeypatch.setenv("AWS_CA_BUNDLE", str(another.ca))
        refusing = ObjectStore(settings_for("worker", s3_endpoint_url=f"https://127.0.0.1:{second.port}"))
        with pytest.raises(StoreUnavailable, match="SSL validation failed"):
            refusing.check_writable()

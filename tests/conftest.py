"""The real services for tests: one stack a session, one database, Redis number and empty bucket a test."""

from __future__ import annotations

import itertools
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis
from sqlalchemy import Engine, create_engine, text
from structlog.testing import capture_logs

from deploy.embedded.passwords import S3Identity
from deploy.embedded.seaweed import BUCKET
from deploy.embedded.stack import Stack
from migrations.upgrade import upgrade
from policy.marks.provenance.certificates import make_development_chain
from tests.support.client import ApiServer, ApiTenant
from tests.support.line import Line
from workers.settings import Settings

_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
_TEMPLATE = "migrated"
_redis_numbers = itertools.cycle(range(16))


@dataclass(slots=True)
class Database:
    """A fresh, migrated database. Roles: superuser, owner, api, worker, sealer, clerk, auditor."""

    name: str
    stack: Stack
    _engines: list[Engine] = field(default_factory=list)

    def url(self, role: str) -> str:
        """postgresql+psycopg://..."""
        return self.stack.postgres.url(role, database=self.name)

    def engine(self, role: str = "worker", **options: Any) -> Engine:
        """An engine that is disposed of when the test ends, and outlives a Postgres that another test stopped."""
        engine = create_engine(self.url(role), **{"pool_pre_ping": True} | options)
        self._engines.append(engine)
        return engine

    def dispose(self) -> None:
        for engine in self._engines:
            engine.dispose()


@dataclass(frozen=True, slots=True)
class S3:
    """The object store, empty at the start of the test. Roles: admin, api, worker, sealer, clerk, auditor."""

    stack: Stack
    bucket: str = BUCKET

    @property
    def endpoint_url(self) -> str:
        return self.stack.seaweed.endpoint_url

    def identity(self, role: str) -> S3Identity:
        return self.stack.passwords.s3(role)

    def client(self, role: str = "admin") -> Any:
        """A boto3 client with the rights of `role`."""
        return self.stack.seaweed.client(role)

    def keys(self, prefix: str = "") -> list[str]:
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


@dataclass(frozen=True, slots=True)
class SigningFiles:
    """A development chain for C2PA, made once a session."""

    certificate: Path
    key: Path
    anchors: Path


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Postgres, Valkey and SeaweedFS. A test that stops a part starts it again before it ends."""
    with (
        tempfile.TemporaryDirectory(prefix="presswork-test-", ignore_cleanup_errors=True) as folder,
        Stack(Path(folder) / "stack", ports={}, postgres_options=_NOT_DURABLE) as running,
    ):
        yield running


@pytest.fixture(scope="session")
def _template(stack: Stack) -> Iterator[Engine]:
    """A superuser's engine, once the migrated template database is there."""
    engine = create_engine(
        stack.postgres.url("superuser", database="postgres"), isolation_level="AUTOCOMMIT", pool_pre_ping=True
    )
    with engine.connect() as conn:
        conn.execute(text(f"create database {_TEMPLATE} owner presswork_owner"))
        upgrade(stack.postgres.url("owner", database=_TEMPLATE))
    yield engine
    engine.dispose()


@contextmanager
def _fresh_database(stack: Stack, _template: Engine) -> Iterator[Database]:
    """A migrated database, dropped afterwards whoever is still connected."""
    name = f"test_{secrets.token_hex(6)}"
    with _template.connect() as conn:
        conn.execute(text(f"create database {name} owner presswork_owner template {_TEMPLATE} strategy file_copy"))
    fresh = Database(name, stack)
    yield fresh
    fresh.dispose()
    with _template.connect() as conn:
        conn.execute(text(f"drop database {name} with (force)"))


@pytest.fixture
def database(stack: Stack, _template: Engine) -> Iterator[Database]:
    """A database of this test's own."""
    with _fresh_database(stack, _template) as fresh:
        yield fresh


@pytest.fixture
def line(database: Database) -> Line:
    """The job tables of this test's database, with a role for every act."""
    return Line.on(database)


@pytest.fixture
def redis_url(stack: Stack) -> str:
    """A Redis database of this test's own, empty."""
    url = stack.valkey.url(database=next(_redis_numbers))
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture
def s3(stack: Stack) -> S3:
    """The object store, emptied first."""
    store = S3(stack)
    client = store.client()
    while keys := store.keys()[:1000]:
        client.delete_objects(Bucket=store.bucket, Delete={"Objects": [{"Key": key} for key in keys]})
    return store


@pytest.fixture
def bucket(s3: S3) -> str:
    """Its name."""
    return s3.bucket


@pytest.fixture(scope="session")
def signing_files(tmp_path_factory: pytest.TempPathFactory) -> SigningFiles:
    folder = tmp_path_factory.mktemp("signing")
    make_development_chain(folder)
    return SigningFiles(folder / "signing.pem", folder / "signing.key", folder / "anchors.pem")


@pytest.fixture
def settings_for(database: Database, redis_url: str, s3: S3, signing_files: SigningFiles) -> Callable[..., Settings]:
    """Settings of one role (api, worker, sealer, clerk, auditor) on this test's services; keywords override."""

    return partial(_settings, database, redis_url, s3, signing_files)


def _settings(
    database: Database, redis_url: str, s3: S3, signing_files: SigningFiles, /, role: str, **changes: Any
) -> Settings:
    identity = s3.identity(role)
    values: dict[str, Any] = {
        "database_url": database.url(role),
        "auditor_database_url": database.url("auditor"),
        "redis_url": redis_url,
        "s3_endpoint_url": s3.endpoint_url,
        "s3_bucket": s3.bucket,
        "s3_access_key_id": identity.access_key,
        "s3_secret_access_key": identity.secret_key,
        "trust_anchors": signing_files.anchors,
        "torch_threads": 1,
    }
    if role == "worker":
        values |= {"signing_certificate": signing_files.certificate, "signing_key": signing_files.key}
    return Settings(**values | changes)


@pytest.fixture
def settings(settings_for: Callable[..., Settings]) -> Settings:
    """The worker's settings on this test's services."""
    return settings_for("worker")


@pytest.fixture(autouse=True, scope="session")
def _no_settings_from_the_shell() -> Iterator[None]:
    """A developer's own PRESSWORK_ variables must not decide a test."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("PRESSWORK_")}
    for name in kept:
        del os.environ[name]
    yield
    os.environ.update(kept)


@pytest.fixture(scope="session")
def _api_server(stack: Stack, _template: Engine, signing_files: SigningFiles) -> Iterator[ApiServer]:
    """The API on a database for the session: building the application costs more than most tests of it."""
    with _fresh_database(stack, _template) as database:
        server = ApiServer(
            database, partial(_settings, database, stack.valkey.url(database=0), S3(stack), signing_files)
        )
        with server.stack:
            yield server


@pytest.fixture
def api(_api_server: ApiServer) -> Iterator[ApiTenant]:
    """The API, and a tenant that only this test knows."""
    with capture_logs() as logs:
        yield ApiTenant(_api_server, logs)


@pytest.fixture
def own_api(database: Database, settings_for: Callable[..., Settings]) -> Iterator[ApiServer]:
    """The API on this test's own database, for tests that break something."""
    server = ApiServer(database, settings_for)
    with server.stack, capture_logs():
        yield server

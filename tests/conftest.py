"""Real services for tests: one stack a session, one database, Redis number and empty bucket a test."""

from __future__ import annotations

import gc
import itertools
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import redis
from structlog.testing import capture_logs

from deploy.embedded.passwords import S3Identity
from deploy.embedded.seaweed import BUCKET, INNER_PORTS
from deploy.embedded.stack import PREFERRED_PORTS, Stack
from policy.marks.provenance.certificates import make_development_chain
from tests.support import authorities
from tests.support.databases import Database, Databases
from tests.support.line import Line
from workers.settings import Settings

if TYPE_CHECKING:
    from tests.support.client import ApiServer, ApiTenant

_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
# Statistics taken of a database just emptied make the next test's plans quadratic; databases.py vacuums what has grown.
_SAME_PLANS = {"autovacuum": "off"}
_QUICK_LOGIN = {"scram_iterations": "1"}  # a test logs in five times; 4096 rounds of a hash cost it 10 ms each time
_TEST_POSTGRES = _NOT_DURABLE | _SAME_PLANS | _QUICK_LOGIN
# What a test that needs seconds imports at the top of its file: libraries of models and of pixels.
_HEAVY = re.compile(
    r"^(?:from|import) (?:bench|c2pa|cv2|diffusers|imwatermark|models\.train|peft|pyarrow|safetensors|torch"
    r"|transformers|tests\.support\.(?:cutouts|pictures|released|tiny_models|tiny_pipeline|worker))\b",
    re.MULTILINE,
)
# What takes a minute and more, longest first: begun last, one would go on alone when all the others are done.
LONG = (
    "tests/behaviour/test_end_to_end.py",
    "tests/crash/test_crash.py",
    "tests/models/test_train.py",
    "tests/contract/test_schemathesis.py",
    "tests/contract/test_hostile_values.py",
    "tests/policy/identify/test_search.py",
    "tests/workers/identification/test_loop.py",
    "tests/policy/marks/test_nearest.py",
    "tests/crash/test_recalls.py",
    "tests/crash/test_erasures.py",
    "tests/crash/test_reviews.py",
    *("tests/house/", "tests/workers/sampling/test_registry.py"),
)
_redis_numbers = itertools.cycle(range(16))


def pytest_sessionstart(session: pytest.Session) -> None:
    """Collect no garbage while modules are imported: they stay, and each collection would look at all of them."""
    begins_others = getattr(session.config.option, "dist", "no") != "no" and not hasattr(session.config, "workerinput")
    if not begins_others:  # that process collects no tests
        gc.disable()


def pytest_collection_finish() -> None:
    """Leave what was imported out of every later garbage collection, and collect a tenth as often as usual."""
    authorities.read_once()
    gc.freeze()
    gc.set_threshold(10_000, 20, 10)
    gc.enable()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out whole files with `-m pure`: importing the libraries costs more than the pure tests together."""
    is_asked_for_pure = str(config.option.markexpr).startswith("pure")
    return True if is_asked_for_pure and collection_path.suffix == ".py" and _is_heavy(collection_path) else None


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name long bytes by their parameter: a time inside an archive would give a test another name in each process."""
    return argname if isinstance(val, bytes) and len(val) > 40 else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first. Mark as pure what needs none of the services, no process and none of the heavy libraries."""
    items.sort(key=lambda item: _place(item.nodeid.partition("::")[0]))
    for item in items:
        served = "stack" in getattr(item, "fixturenames", ()) or item.get_closest_marker("processes")
        if not served and not _is_heavy(item.path):
            item.add_marker("pure")


@cache
def _place(file: str) -> int:
    return next((place for place, name in enumerate(LONG) if file.startswith(name)), len(LONG))


@cache
def _is_heavy(path: Path) -> bool:
    return bool(_HEAVY.search(path.read_text()))


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
        pages = _admin(self.stack).get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


@cache
def _admin(stack: Stack) -> Any:
    """One client for all looks and cleanings: making one costs more than a listing."""
    return stack.seaweed.client("admin")


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
        Stack(Path(folder) / "stack", ports=_own_ports(), postgres_options=_TEST_POSTGRES) as running,
    ):
        yield running


def _own_ports() -> dict[str, int]:
    """Ports that no other process of the same run picks: two that ask at once for any free port may get the same."""
    names = (*PREFERRED_PORTS, *INNER_PORTS)
    first = os.getpid() * len(names) % 10_000
    return {name: 20_000 + first + place for place, name in enumerate(names)}


@pytest.fixture(scope="session")
def databases(stack: Stack) -> Iterator[Databases]:
    """Lends migrated databases."""
    lending = Databases(stack)
    yield lending
    lending.close()


@pytest.fixture
def database(databases: Databases) -> Iterator[Database]:
    """A database without rows, for this test alone."""
    with databases.lent() as lent:
        yield lent


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
    while keys := store.keys()[:1000]:
        _admin(stack).delete_objects(Bucket=store.bucket, Delete={"Objects": [{"Key": key} for key in keys]})
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
        "rest_seconds": 0.2,
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
def _api_server(stack: Stack, databases: Databases, signing_files: SigningFiles) -> Iterator[ApiServer]:
    """The API on a database for the session: building the application costs more than most tests of it."""
    from tests.support.client import ApiServer  # noqa: PLC0415 - FastAPI, which most tests do without

    with databases.lent() as database:
        server = ApiServer(
            database, partial(_settings, database, stack.valkey.url(database=0), S3(stack), signing_files)
        )
        with server.stack:
            yield server


@pytest.fixture
def api(_api_server: ApiServer) -> Iterator[ApiTenant]:
    """The API, and a tenant that only this test knows."""
    from tests.support.client import ApiTenant  # noqa: PLC0415

    with capture_logs() as logs:
        yield ApiTenant(_api_server, logs)


@pytest.fixture(scope="module")
def module_api(stack: Stack, databases: Databases, signing_files: SigningFiles) -> Iterator[ApiServer]:
    """The API on a database of this file's own, for tests that read one dear set-up."""
    from tests.support.client import ApiServer  # noqa: PLC0415

    with databases.lent() as database:
        server = ApiServer(
            database, partial(_settings, database, stack.valkey.url(database=0), S3(stack), signing_files)
        )
        with server.stack:
            yield server


@pytest.fixture
def own_api(database: Database, settings_for: Callable[..., Settings]) -> Iterator[ApiServer]:
    """The API on this test's own database, for tests that break something."""
    from tests.support.client import ApiServer  # noqa: PLC0415

    server = ApiServer(database, settings_for)
    with server.stack, capture_logs():
        yield server

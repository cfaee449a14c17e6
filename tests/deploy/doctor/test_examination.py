"""Examination of an installation on the real services: each fault is named, with its remedy."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import redis
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deploy.cli import main
from deploy.doctor import examination
from deploy.doctor.diagnosis import Diagnosis, Health, clock
from deploy.doctor.examination import ROLES, examine
from tests.conftest import S3
from tests.support.databases import Database
from workers.settings import Settings

Make = Callable[..., Settings]
# The test's Postgres flushes nothing, so that the tests are quick; on purpose the examination says so.
_OF_THE_TESTS = {"Postgres durability", "second anchor", "ledger keys"}


@pytest.fixture
def make(settings_for: Make, tmp_path: Path) -> Make:
    """Settings of any role; planner and owner have no store of their own."""

    def made(role: str, **changes: Any) -> Settings:
        return settings_for({"planner": "worker"}.get(role, role), **changes)

    return made


def _by_subject(settings: Settings, role: str) -> dict[str, Diagnosis]:
    return {finding.subject: finding for finding in examine(settings, role)}


@pytest.mark.parametrize("role", [role for role in ROLES if role != "owner"])
def test_a_role_with_its_own_logins_is_well(make: Make, role: str) -> None:
    found = [finding for finding in examine(make(role), role) if finding.subject not in _OF_THE_TESTS]
    assert [finding for finding in found if finding.state is Health.WRONG] == []
    assert {"Postgres", "rights of the login", "clock of Postgres"} <= {finding.subject for finding in found}
    if role in ("worker", "clerk", "identify"):
        assert "conditional writes" in {finding.subject for finding in found}


def test_the_trial_leaves_nothing_in_the_bucket(make: Make, s3: S3) -> None:
    before = s3.keys()
    assert _by_subject(make("worker"), "worker")["conditional writes"].state is Health.OK
    assert s3.keys() == before


@pytest.mark.parametrize(
    ("login", "said"),
    [
        pytest.param("superuser", "is a superuser", id="superuser"),
        pytest.param("owner", "owns", id="owner"),
        pytest.param("clerk", "has the login presswork_clerk", id="another"),
    ],
)
def test_a_login_with_other_rights_is_named(make: Make, database: Database, login: str, said: str) -> None:
    found = _by_subject(make("worker", database_url=database.url(login)), "worker")["rights of the login"]
    assert found.state is (Health.WARNING if login == "clerk" else Health.WRONG)
    assert said in found.found
    assert "presswork_worker" in found.remedy


def test_settings_of_postgres_that_lose_work_are_named(make: Make) -> None:
    found = [f for f in examine(make("worker"), "worker") if f.subject == "Postgres durability"]
    assert {f.found.split(" is off")[0] for f in found} == {"fsync", "full_page_writes", "synchronous_commit"}
    assert {f.state for f in found} == {Health.WRONG}


def test_the_owner_is_told_the_revision(make: Make, database: Database) -> None:
    settings = make("worker", database_url=database.url("owner"))
    assert _by_subject(settings, "owner")["revision"].state is Health.OK


@pytest.mark.parametrize("url", ["nonsense", "postgresql+psycopg://presswork_worker:secret@127.0.0.1:1/none"])
def test_a_database_that_is_not_there_stops_no_other_look(make: Make, url: str) -> None:
    found = _by_subject(make("worker", database_url=url), "worker")
    assert found["Postgres"].state is Health.WRONG
    assert "secret" not in str(found)
    assert found["rule set"].state is Health.OK


def test_a_redis_that_evicts_is_wrong(make: Make, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            found = _by_subject(make("worker"), "worker")["eviction of Redis"]
        finally:
            client.config_set("maxmemory-policy", "noeviction")
    assert (found.state, "allkeys-lru" in found.found) == (Health.WRONG, True)


class _Careless(BaseHTTPRequestHandler):
    """A store that takes every put and knows no lock, with a clock of an hour ago."""

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        lock = "object-lock" in self.path
        empty = b'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><KeyCount>0</KeyCount></ListBucketResult>'
        none = b"<Error><Code>ObjectLockConfigurationNotFoundError</Code><Message>none</Message></Error>"
        body = none if lock else (empty if self.command == "GET" else b"")
        self.send_response_only(404 if lock else 200)
        past = datetime.now(UTC) - timedelta(hours=1)
        self.send_header("Date", past.strftime("%a, %d %b %Y %H:%M:%S GMT"))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_DELETE = _answer  # noqa: N815 - the names that http.server looks for

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def careless() -> Iterator[str]:
    """The URL of a store that keeps none of what we need."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Careless) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_store_without_conditional_writes_or_lock_and_with_another_clock(make: Make, careless: str) -> None:
    found = _by_subject(make("worker", s3_endpoint_url=careless), "worker")
    assert found["conditional writes"].state is Health.WRONG
    assert (found["clock of the store"].state, "behind" in found["clock of the store"].found) == (Health.WRONG, True)
    second = {"anchor_s3_bucket": "second", "anchor_s3_endpoint_url": careless}
    keys = {"anchor_s3_access_key_id": "key", "anchor_s3_secret_access_key": "secret"}
    found = _by_subject(make("sealer", **second, **keys), "sealer")
    assert (found["object lock"].state, found["object lock"].remedy) == (
        Health.WRONG,
        "make the bucket with object lock enabled",
    )


def test_an_identity_without_rights_is_told_where_they_are_listed(make: Make, s3: S3) -> None:
    identity = s3.identity("auditor")
    keys = {"s3_access_key_id": identity.access_key, "s3_secret_access_key": identity.secret_key}
    found = _by_subject(make("worker", **keys), "worker")["conditional writes"]
    assert (found.state, "docs/storage.md" in found.remedy) == (Health.WRONG, True)


def test_files_that_are_missing_broken_or_end_soon(make: Make, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("version: [")
    (tmp_path / "models").mkdir()
    certificate, key = _certificate(tmp_path, days=10)
    settings = make(
        "worker",
        policy_rules=tmp_path / "rules.yaml",
        models_dir=tmp_path / "none",
        signing_certificate=certificate,
        signing_key=key,
    )
    found = _by_subject(settings, "worker")
    assert (found["rule set"].state, found["models"].state) == (Health.WRONG, Health.WRONG)
    assert (found["signing certificate"].state, "days" in found["signing certificate"].found) == (Health.WARNING, True)
    found = _by_subject(make("worker", signing_key=None, trust_anchors=None), "worker")
    assert "PRESSWORK_SIGNING_KEY, PRESSWORK_TRUST_ANCHORS" in found["signing certificate"].found
    _, other = _certificate(tmp_path / "models", days=100)
    found = _by_subject(make("worker", signing_certificate=certificate, signing_key=other), "worker")
    assert "does not belong" in found["signing certificate"].found


def test_a_queue_without_a_worker_is_a_warning(make: Make) -> None:
    found = [f for f in examine(make("worker", queues="gpu,large"), "worker") if f.subject == "workers"]
    assert [(f.state, f.found) for f in found] == [
        (Health.WARNING, "none serves queue gpu"),
        (Health.WARNING, "none serves queue large"),
        (Health.WARNING, "none serves queue finishing"),
    ]


def test_a_look_that_fails_is_a_finding_and_the_rest_follows(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Settings) -> Iterator[Diagnosis]:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(examination, "examine_broker", broken)
    found = list(examine(make("worker"), "worker"))
    assert [f.subject for f in found if "RuntimeError: unforeseen" in f.found] == ["Redis"]
    assert "models" in {f.subject for f in found}


@pytest.mark.parametrize(("ahead", "state"), [(5, "ok"), (-6, "warning"), (299, "warning"), (-300, "wrong")])
def test_a_clock_is_judged_by_how_far_it_is_off(ahead: float, state: str) -> None:
    assert clock("clock", ahead).state == state


def test_the_command_prints_findings_and_fails_on_a_wrong_one(
    make: Make, monkeypatch: pytest.MonkeyPatch, careless: str
) -> None:
    for name, value in make("clerk").to_environment().items():
        monkeypatch.setenv(name, value)
    lines = CliRunner().invoke(main, ["doctor", "--json"]).stdout.splitlines()
    assert {json.loads(line)["role"] for line in lines} == {"clerk"}
    monkeypatch.setenv("PRESSWORK_S3_ENDPOINT_URL", careless)
    outcome = CliRunner().invoke(main, ["doctor"])
    assert outcome.exit_code == 1
    assert "remedy: use a store that keeps If-None-Match" in outcome.stdout
    monkeypatch.setenv("PRESSWORK_DATABASE_URL", "postgresql+psycopg://somebody@127.0.0.1/none")
    outcome = CliRunner().invoke(main, ["doctor"])
    assert (outcome.exit_code, "say which --role" in outcome.output) == (2, True)


def _certificate(folder: Path, *, days: int) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "chain.pem", folder / "private.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate, private

"""Provisioning of a Postgres and an object store that hold nothing of ours: what is made is enough, and no more."""

from __future__ import annotations

import json
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result

from deploy.cli import main
from deploy.doctor.database import examine_database
from deploy.doctor.diagnosis import Health
from deploy.embedded.passwords import DATABASE_ROLES, load_or_make
from deploy.embedded.ports import pick
from deploy.embedded.postgres import Postgres
from deploy.embedded.seaweed import ANCHORS, BUCKET, actions
from deploy.errors import DataUnusable
from deploy.provisioning import keys
from deploy.provisioning.identities import IDENTITIES, policy
from tests.conftest import S3
from workers.settings import Settings


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A Postgres without a role or a database of ours. It flushes: the examination looks."""
    folder = tmp_path_factory.mktemp("server")
    passwords = load_or_make(folder / "passwords.json")
    port = pick({"postgres": ()})["postgres"]
    server = Postgres(folder / "data", port=port, passwords=passwords, log=folder / "log", options={})
    child = server.start()
    try:
        for _ in range(200):
            with suppress(psycopg.OperationalError), psycopg.connect(_admin(server), connect_timeout=1):
                break
            time.sleep(0.1)
        yield server
    finally:
        child.stop(grace_seconds=5.0)


def _admin(server: Postgres) -> str:
    return server.url("superuser", database="postgres").replace("+psycopg", "", 1)


def _provision(server: Postgres, s3: S3, folder: Path, *more: str) -> Result:
    admin = s3.identity("admin")
    return CliRunner().invoke(
        main,
        ["provision", "--apply", "--secrets", str(folder), "--endpoint-url", s3.endpoint_url, *more],
        env={
            "PRESSWORK_ADMIN_URL": _admin(server),
            "AWS_ACCESS_KEY_ID": admin.access_key,
            "AWS_SECRET_ACCESS_KEY": admin.secret_key,
        },
    )


def test_what_is_made_carries_an_installation_and_repeating_changes_nothing(
    server: Postgres, s3: S3, tmp_path: Path
) -> None:
    folder = tmp_path / "secrets"
    first = _provision(server, s3, folder)
    assert first.exit_code == 0, first.output
    assert "made the login presswork_api" in first.output
    urls = {role: (folder / role / "url").read_text() for role in DATABASE_ROLES}
    private = [*folder.rglob("*.key"), *folder.rglob("*/*")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in private if path.is_file()} == {0o600}
    migrated = CliRunner().invoke(main, ["migrate", urls["owner"].strip()])
    assert migrated.exit_code == 0, migrated.output
    made_keys = {path.name: path.read_bytes() for path in folder.glob("*.*")}
    assert {"ledger.key", "ledger.vkeys", "signing.pem", "signing.key", "anchors.pem"} <= set(made_keys)
    assert made_keys["ledger.vkeys"].startswith(b"presswork.example/ledger+")
    made = CliRunner().invoke(
        main, ["key", "create", "--name", "first"], env={"PRESSWORK_DATABASE_URL": urls["api"].strip()}
    )
    assert made.exit_code == 0, made.output
    for role in DATABASE_ROLES:
        found = list(examine_database(Settings(database_url=urls[role].strip()), role))
        assert [each for each in found if each.state is Health.WRONG] == []
        assert "rights of the login" in {each.subject for each in found}
    again = _provision(server, s3, folder)
    assert (again.exit_code, again.output.count("made the")) == (0, 0), again.output
    assert {role: (folder / role / "url").read_text() for role in DATABASE_ROLES} == urls
    assert {path.name: path.read_bytes() for path in folder.glob("*.*")} == made_keys


def test_a_lost_secrets_folder_gives_new_passwords_that_work(server: Postgres, s3: S3, tmp_path: Path) -> None:
    assert _provision(server, s3, tmp_path / "new").exit_code == 0
    with psycopg.connect((tmp_path / "new/clerk/url").read_text().strip().replace("+psycopg", "", 1)) as conn:
        assert conn.execute("select current_user").fetchone() == ("presswork_clerk",)


def test_a_login_with_rights_of_an_administrator_is_refused_with_the_statement_that_mends_it(
    server: Postgres, s3: S3, tmp_path: Path
) -> None:
    assert _provision(server, s3, tmp_path).exit_code == 0
    with psycopg.connect(_admin(server), autocommit=True) as conn:
        conn.execute("alter role presswork_worker bypassrls")
        refused = _provision(server, s3, tmp_path)
        assert refused.exit_code == 1
        mends = refused.output.split("Remedy: ")[1].strip()
        conn.execute(mends.encode())
    assert _provision(server, s3, tmp_path).exit_code == 0


def test_a_database_of_somebody_else_is_not_taken(server: Postgres, s3: S3, tmp_path: Path) -> None:
    refused = _provision(server, s3, tmp_path, "--database", "postgres")
    assert (refused.exit_code, "the database postgres is there, of postgres" in refused.output) == (1, True)


def test_a_second_bucket_without_object_lock_is_refused(server: Postgres, s3: S3, tmp_path: Path) -> None:
    refused = _provision(server, s3, tmp_path, "--second-bucket", BUCKET)
    assert (refused.exit_code, "has no object lock" in refused.output) == (1, True)


def test_without_apply_it_prints_what_psql_and_iam_take_and_no_secret() -> None:
    printed = CliRunner().invoke(main, ["provision", "--bucket", "acme"]).output
    sql, *documents = printed.split("\n-- IAM policy of ")
    assert "create role presswork_sealer login nosuperuser" in sql
    assert "password '" not in sql
    read = {text.split("\n", 1)[0]: json.loads(text.split("\n", 1)[1]) for text in documents}
    assert set(read) == set(IDENTITIES)
    assert "arn:aws:s3:::acme/released/*" in json.dumps(read["worker"])


@pytest.mark.parametrize("role", IDENTITIES)
def test_a_policy_allows_what_the_embedded_store_allows_and_no_more(role: str) -> None:
    statements = policy(role, BUCKET, ANCHORS)["Statement"]
    rights = set(actions(role))

    def allowed(action: str) -> set[str]:
        return {r.removeprefix("arn:aws:s3:::") for s in statements if s["Action"] == action for r in s["Resource"]}

    for verb, action in (("Read", "s3:GetObject"), ("Write", "s3:PutObject")):
        assert allowed(action) == {right.split(":", 1)[1] for right in rights if right.startswith(f"{verb}:")}
    listed = {p for s in statements for p in s.get("Condition", {}).get("StringLike", {}).get("s3:prefix", [])}
    assert listed == {r.split("/", 1)[1] for r in rights if r.startswith(f"List:{BUCKET}/")}
    assert all("*" not in str(s["Action"]) for s in statements)
    assert bool(allowed("s3:DeleteObject")) is (role in ("worker", "clerk", "identify"))


def test_without_a_second_bucket_no_policy_names_one() -> None:
    documents: list[dict[str, Any]] = [policy(role, "acme", None) for role in IDENTITIES]
    assert ANCHORS not in json.dumps(documents)


@pytest.mark.parametrize(("there", "lacks"), [("ledger.key", "ledger.vkeys"), ("signing.key", "signing.pem")])
def test_a_key_without_its_public_half_is_not_replaced(tmp_path: Path, there: str, lacks: str) -> None:
    """It may be the only copy of a key that has signed."""
    (tmp_path / there).write_text("somebody's")
    with pytest.raises(DataUnusable, match=f"is there without {lacks}"):
        keys.create(tmp_path, "shop.example/ledger")
    assert [path.name for path in tmp_path.iterdir()] == [there]

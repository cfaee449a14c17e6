"""Files of this repository, as the tests of tests/house read them."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

REPOSITORY = Path(__file__).resolve().parents[2]
N = TypeVar("N", bound=ast.AST)
PACKAGES = ("api", "deploy", "migrations", "policy", "workers")
_NOT_OURS = frozenset(
    {
        *(".git", ".venv", ".presswork", "__pycache__", "out", "dist", "build", "node_modules"),
        *(".mypy_cache", ".ruff_cache", ".import_linter_cache", ".hypothesis", ".pytest_cache"),
    }
)


@cache
def files() -> tuple[str, ...]:
    """Every file of ours, as a path from the root with forward slashes."""
    found: list[str] = []
    waiting = [REPOSITORY]
    while waiting:
        for path in waiting.pop().iterdir():
            if path.name in _NOT_OURS or path.name.endswith((".egg-info", ".pyc")):
                continue
            if path.is_dir():
                waiting.append(path)
            else:
                found.append(path.relative_to(REPOSITORY).as_posix())
    return tuple(sorted(found))


def modules(*folders: str) -> Iterator[str]:
    """Python files below these folders; below every package when none is named."""
    wanted = folders or PACKAGES
    return (path for path in files() if path.endswith(".py") and path.startswith(tuple(f"{f}/" for f in wanted)))


@cache
def text(path: str) -> str:
    return (REPOSITORY / path).read_text("utf-8")


@cache
def tree(path: str) -> ast.Module:
    return ast.parse(text(path), path)


def nodes(path: str, kind: type[N]) -> Iterator[N]:
    """Every node of exactly this kind in a module."""
    return iter(_by_kind(path).get(kind, ()))


@cache
def _by_kind(path: str) -> dict[type[ast.AST], list[Any]]:
    """A walk costs more than the parsing, and each rule asks for another kind."""
    kinds: defaultdict[type[ast.AST], list[Any]] = defaultdict(list)
    for node in ast.walk(tree(path)):
        kinds[type(node)].append(node)
    return dict(kinds)

"""Imports and order of tests: those of the policy package start no web framework, and the longest files begin first."""

from __future__ import annotations

import ast
from functools import cache

from tests.conftest import LONG
from tests.support.repository import files, tree

WEB = {"fastapi", "starlette", "uvicorn"}


def test_the_tests_of_the_policy_package_import_no_web_framework() -> None:
    begun = [path for path in files() if path.startswith("tests/policy/") and path.endswith(".py")]
    reached = {name for path in [*begun, "tests/conftest.py"] for name in _reached(path)}
    assert {name.split(".")[0] for name in reached} & WEB == set()
    assert "tests.support.databases" in reached, "the search follows our own modules"


def test_the_search_finds_a_web_framework_behind_two_imports() -> None:
    assert {"fastapi", "api.app"} <= _reached("tests/api/test_assets.py")


def test_the_files_that_begin_first_are_there() -> None:
    assert [name for name in LONG if not any(path.startswith(name) for path in files())] == []
    assert len(set(LONG)) == len(LONG)


def _reached(begin: str) -> set[str]:
    """Names of modules that are imported as soon as this file is."""
    waiting, seen = [begin], set[str]()
    while waiting:
        for name in _imported(waiting.pop()) - seen:
            seen.add(name)
            waiting += [
                path for path in (f"{name.replace('.', '/')}{end}" for end in (".py", "/__init__.py")) if path in _OURS
            ]
    return seen


@cache
def _imported(path: str) -> frozenset[str]:
    """What a module imports at its top, and the packages above it; a name may be a module or something in one."""
    found: set[str] = set()
    for node in _at_import(tree(path).body):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(found | {name.rsplit(".", above)[0] for name in found for above in range(1, name.count(".") + 1)})


def _at_import(body: list[ast.stmt]) -> list[ast.stmt]:
    """Statements that run when the module is imported: not in functions, not for a type checker alone."""
    run: list[ast.stmt] = []
    for node in body:
        if isinstance(node, ast.If):
            run += (
                _at_import(node.orelse)
                if "TYPE_CHECKING" in ast.dump(node.test)
                else _at_import(node.body + node.orelse)
            )
        elif isinstance(node, (ast.Try, ast.With, ast.ClassDef)):
            run += _at_import(node.body)
        else:
            run.append(node)
    return run


_OURS = frozenset(files())

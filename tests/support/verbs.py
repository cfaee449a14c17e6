"""Verbs of the code: every public function of the job line and the ledger that writes rows, found by reading it.

A function writes if it inserts into, updates or deletes from one of our tables, if it spells such SQL, or if it calls a
function of these packages that does. It tells if it comes to `append` in the same way.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from functools import cache

from tests.support.repository import modules, nodes, tree

PLACES = ("workers/jobs", "policy/ledger")
APPEND = "policy.ledger.append.append"
_SQL_WRITE = re.compile(
    r"\b(INSERT\s+INTO|UPDATE\s+[\w.]+(?:\s+(?:AS\s+)?\w+)?\s+SET|DELETE\s+FROM|TRUNCATE)\b", re.IGNORECASE
)
_BUILDERS = ("insert", "update", "delete")


@dataclass(slots=True)
class Function:
    """One function of a module: whether it writes itself, and what it calls."""

    writes: bool
    calls: set[str] = field(default_factory=set)


@cache
def functions() -> dict[str, Function]:
    """Dotted name -> function, of every function of the two packages."""
    found: dict[str, Function] = {}
    for path in modules(*PLACES):
        module = path.removesuffix(".py").replace("/", ".")
        known = _imported(path)
        spelled = _statements(path)
        for function in nodes(path, ast.FunctionDef):
            found[f"{module}.{function.name}"] = _read(function, module, known, spelled)
    return found


def verbs() -> set[str]:
    """The dotted names of public functions that write."""
    found = functions()
    writing = _coming_to({name for name, function in found.items() if function.writes})
    return {name for name in writing if not name.rpartition(".")[2].startswith("_")}


def telling() -> set[str]:
    """The verbs that append an event."""
    return verbs() & _coming_to({APPEND})


def _coming_to(goals: set[str]) -> set[str]:
    reached = set(goals)
    while more := {name for name, one in functions().items() if name not in reached and one.calls & reached}:
        reached |= more
    return reached


def _imported(path: str) -> dict[str, str]:
    """Name in the module -> dotted name of what it is."""
    return {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in nodes(path, ast.ImportFrom)
        for alias in node.names
    }


def _statements(path: str) -> set[str]:
    """Constants of the module that spell SQL that writes."""
    return {
        target.id
        for node in tree(path).body
        if isinstance(node, ast.Assign) and _spells(node)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _spells(node: ast.AST) -> bool:
    return any(
        isinstance(each, ast.Constant) and isinstance(each.value, str) and _SQL_WRITE.search(each.value)
        for each in ast.walk(node)
    )


def _read(function: ast.FunctionDef, module: str, known: dict[str, str], spelled: set[str]) -> Function:
    read = Function(any(_spells(statement) for statement in function.body[1 if ast.get_docstring(function) else 0 :]))
    known = known | _renamed(function, known)
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and node.id in spelled:
            read.writes = True
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        root, _, last = called.rpartition(".")
        if last in _BUILDERS and (not root or "tables" in known.get(root.partition(".")[0], "")):
            read.writes = read.writes or bool(root) or last in known
        read.calls.add(known.get(called, f"{module}.{called}"))
        if root in known:
            read.calls.add(f"{known[root]}.{last}")
    return read


def _renamed(function: ast.FunctionDef, known: dict[str, str]) -> dict[str, str]:
    """Shorter names that the function gives to what its module imported, as in `rows = console_sessions`."""
    pairs = [
        pair
        for node in ast.walk(function)
        if isinstance(node, ast.Assign)
        for target in node.targets
        for pair in zip(_each(target), _each(node.value), strict=False)
    ]
    named = {ast.unparse(name): ast.unparse(value) for name, value in pairs}
    return {name: known[value] for name, value in named.items() if value in known}


def _each(node: ast.expr) -> list[ast.expr]:
    return node.elts if isinstance(node, ast.Tuple) else [node]

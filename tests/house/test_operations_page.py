"""Operations page against the code: every log event with its level, and no event that the code does not write."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.support.repository import modules, nodes, text

PAGE = "docs/operations.md"
LEVELS = ("debug", "info", "warning", "error", "critical")


def _written() -> Iterator[tuple[str, str]]:
    """Every log event in the code and its level."""
    for path in modules("api", "policy", "workers"):
        for call in nodes(path, ast.Call):
            match call:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="log"), attr=level), args=[ast.Constant(value=name), *_]
                ):
                    if level in LEVELS:
                        yield str(name), level


def _listed() -> list[tuple[str, str]]:
    section = text(PAGE).partition("\n## Log events\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \| (\w+) \|", section, re.MULTILINE)


def test_the_page_lists_every_log_event_once_with_its_level() -> None:
    listed = _listed()
    assert len(listed) == len({name for name, _ in listed})
    assert set(listed) == set(_written())


def test_every_event_that_a_page_tells_operators_to_look_for_is_written_by_the_code() -> None:
    names = {name for name, _ in _written()}
    sought = re.findall(r"`(\w+)`(?: \S+)? in (?:its|their|the \w+) logs?\b|log for `(\w+)`", text(PAGE))
    found = {name for pair in sought for name in pair if name}
    assert len(found) >= 5
    assert found <= names

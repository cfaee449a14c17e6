"""Glossary against the code: each place is there and defines what it is said to; each term stands once."""

from __future__ import annotations

import ast
import re

from tests.support.repository import REPOSITORY, files, text, tree

PAGE = "docs/glossary.md"
_WHERE = re.compile(r"\[(\S+)\]\(\.\./(\S+)\)(?: `(\w+)`)?")


def _rows(section: str) -> list[list[str]]:
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in rows if row[0].strip() not in ("Term", "---")]


def _sections() -> tuple[str, str]:
    used, _, reserved = text(PAGE).partition("\n## Reserved words\n")
    return used, reserved


def test_every_place_is_there_and_defines_its_symbol() -> None:
    wrong = []
    for term, meaning, where, standard in _rows(_sections()[0]):
        found = _WHERE.fullmatch(where)
        if not (found and meaning.endswith(".") and standard and (REPOSITORY / found[2]).exists()):
            wrong.append(term)
        elif found[1] != found[2] or (found[3] and found[3] not in _defined(found[2])):
            wrong.append(f"{term}: {found[3]} in {found[2]}")
    assert wrong == []


def _defined(path: str) -> set[str]:
    body = tree(path).body
    named = {node.name for node in body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    return named | {
        t.id for node in body if isinstance(node, ast.Assign) for t in node.targets if isinstance(t, ast.Name)
    }


def test_every_term_stands_once() -> None:
    terms = [term for section in _sections() for row in _rows(section) for term in row[0].split(", ")]
    assert sorted(terms) == sorted(set(terms))


def test_a_reserved_word_names_no_module_yet() -> None:
    """Where one appears, its row moves up and says where."""
    reserved = {row[0] for row in _rows(_sections()[1])}
    stems = {path.removesuffix(".py").rsplit("/", 1)[-1] for path in files() if path.startswith(("api/", "workers/"))}
    assert reserved, "the table was read; it gets shorter as its words come into use"
    assert {word for word in reserved if {word, f"{word}s"} & stems} == set()

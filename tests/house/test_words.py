"""Words that only we would understand: none is left in the documentation or in a public name.

Each has a standard one, which docs/glossary.md uses. An exception names the page and why the word is right.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.support.repository import files, modules, text, tree

IN_PROSE = {  # word -> what to say
    "house": "repository, installation, style",
    "stranger": "anonymous caller, foreign picture",
    "whoever": "anyone who, the process that",
    "somebody": "a person, a reviewer, another owner",
    "desk": "context, client",
    "wishes": "options",
    "crime": "tampering case",
    "guard": "fence, moderation model",
    "a judge": "scorer, moderation model",
    "disguise": "obfuscation",
}
NO_SUBJECT = {"A", "An", "All", "Every", "Each", "From", "How", "It", "Nothing", "One", "That", "The", "These", "This"}
NO_SUBJECT |= {"What", "When", "Where", "Which", "Who"}
IN_NAMES = {  # part of a public name -> what to say
    "house": "repository",
    "stranger": "anonymous",
    "whoever": "the caller's name",
    "desk": "context",
    "wishes": "options",
    "sizes": "sampling options",
    "told": "notification, text",
    "brought": "bundled",
    "redraw": "regenerate",
    "redrawn": "regenerated",
    "crime": "tampering case",
    "crimes": "tampering cases",
    "wear": "degradation",
    "worn": "degraded",
}
OF_THINGS = {  # the same, of classes and modules alone: as a verb the word is plain
    "judge": "scorer",
    "guard": "moderation model",
    "shown": "screened",
}
IN_EXAMPLES = ("stranger", "desk")
PROSE = [p for p in files() if p.endswith(".md") and not p.startswith("tests/")]
PACKAGES = ("api", "deploy", "policy", "workers")
RIGHT = {  # (page or name, word) -> why
    ("docs/glossary.md", "guard"): "it says which word stands for it here",
    ("tests/deploy/test_cli.py", "desk"): "the name that somebody gives a key",
    ("tests/policy/prompts/test_obfuscations.py", "desk"): "a piece of furniture in a prompt",
    ("LlamaGuard", "guard"): "the name of a model",
    ("Qwen3Guard", "guard"): "the name of a model",
    ("models/README.md", "house"): "a house style is the field's word for a brand's style",
}
_CODE = re.compile(r"^```.*?^```|`[^`]*`|\[[\w/.]+\]\([^)]*\)|\]\([^)]*\)", re.MULTILINE | re.DOTALL)


def test_the_documentation_has_no_private_word() -> None:
    found = sorted(
        (page, word)
        for page in PROSE
        for word in IN_PROSE
        if re.search(rf"\b{word}s?\b", _CODE.sub("", text(page)), re.IGNORECASE) and (page, word) not in RIGHT
    )
    assert found == []


def test_no_public_name_has_a_private_word() -> None:
    found = [
        f"{path}: {name}"
        for path in modules(*PACKAGES)
        for name, private in _public_names(path)
        for word in _parts(name)
        if word in private and (name, word) not in RIGHT
    ]
    assert found == []


def test_tests_benchmarks_and_training_have_none_of_the_words_that_mislead_most() -> None:
    """They are read as examples. Their local names are free otherwise."""
    found = sorted(
        (path, word)
        for path in modules("bench", "models", "tests")
        for word in IN_EXAMPLES
        if path != "tests/house/test_words.py"
        and re.search(rf"(?<![a-z]){word}s?(?![a-z])", text(path), re.IGNORECASE)
        and (path, word) not in RIGHT
    )
    assert found == []


def _public_names(path: str) -> Iterator[tuple[str, set[str]]]:
    """Of the module, its classes, methods and functions, each with the words that it must not have."""
    yield path.removesuffix(".py").rsplit("/", 1)[-1], {*IN_NAMES, *OF_THINGS}
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node.name, {*IN_NAMES, *OF_THINGS}
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node.name, {*IN_NAMES}


def _parts(name: str) -> list[str]:
    return [part.lower() for part in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)]


def test_every_exception_is_still_needed() -> None:
    used = {(page, word) for page in PROSE for word in IN_PROSE if re.search(rf"\b{word}", text(page), re.IGNORECASE)}
    examples = {(path, word) for path in modules("tests") for word in IN_EXAMPLES if word in text(path).lower()}
    names = {(name, word) for path in modules(*PACKAGES) for name, _ in _public_names(path) for word in _parts(name)}
    assert set(RIGHT) - used - names - examples == set()


def test_a_module_begins_with_the_word_that_one_would_search_for() -> None:
    texts = {
        path: ast.get_docstring(tree(path)) or ""
        for path in modules(*PACKAGES, "migrations", "tests", "bench", "tools")
    }
    assert {path: words for path, words in texts.items() if words.split(" ", 1)[0] in NO_SUBJECT} == {}

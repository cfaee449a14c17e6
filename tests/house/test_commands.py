"""Commands in the docs: every option of `presswork` that a page, a message or a remedy names is one that it has."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import click
import pytest

from deploy.cli import main
from tests.support.repository import files, modules, text

PAGES = [path for path in files() if path.endswith(".md") and path != "CHANGELOG.md"]
SOURCES = [*modules("deploy", "workers", "policy", "api")]
_INLINE = re.compile(r"`(?:\./run )?(presswork [^`]+)`")
_FENCED = re.compile(r"^(?:\./run )?(presswork .*?)(?: +#.*)?$", re.MULTILINE)


def _lines(path: str) -> Iterator[str]:
    """The command lines that a file names, in code spans and in fenced blocks."""
    content = re.sub(r"\s+", " ", text(path)) if path.endswith(".py") else text(path)
    yield from _INLINE.findall(content)
    if path.endswith(".md"):
        yield from _FENCED.findall(content)


def _unknown(line: str) -> list[str]:
    """What the command line names and the command has not: a command, or options."""
    try:
        words = shlex.split(re.sub(r"\{[^}]*\}|<[^>]*>", "X", line).replace("...", ""))[1:]
    except ValueError:
        return []  # half a quotation, cut by the end of a code span
    command: click.Command = main
    for word in list(words):
        if not isinstance(command, click.Group) or word.startswith("-"):
            break
        found = command.get_command(click.Context(command), word.rstrip(",.;:"))
        if found is None:
            return [word] if re.fullmatch(r"[a-z-]+", word) else []
        command = found
        words.pop(0)
    known = {option for param in command.params for option in (*param.opts, *param.secondary_opts)} | {"--help", "-h"}
    if isinstance(command, click.Group):
        return [word for word in words if word.startswith("--") and word not in {*known, "--version"}]
    return [word for word in words if word.startswith("--") and word.partition("=")[0] not in known]


@pytest.mark.parametrize("path", [path for path in (*PAGES, *SOURCES) if "presswork " in text(path)])
def test_every_presswork_command_that_a_file_names_has_the_options_it_names(path: str) -> None:
    assert [(line, unknown) for line in _lines(path) if (unknown := _unknown(line))] == []


@pytest.mark.parametrize(
    ("line", "unknown"),
    [
        ("presswork audit verify --no-anchor", []),
        ("presswork audit verify --no-anker", ["--no-anker"]),
        ("presswork audit verifi", ["verifi"]),
        ("presswork policy check --copies", ["--copies"]),
        ("presswork up", []),
    ],
)
def test_a_wrong_command_or_option_is_seen(line: str, unknown: list[str]) -> None:
    assert _unknown(line) == unknown


def test_the_embedded_stack_is_reached_past_the_settings_by_two_commands_only() -> None:
    """Any other would ignore the installation that PRESSWORK_DATABASE_URL names; these two look at it or are about the
    stack by their name.
    """
    reaching = {path for path in modules("deploy/commands") if "import attached" in text(path)}
    assert reaching - {"deploy/commands/shared/settings.py"} == {
        "deploy/commands/installation/backup.py",
        "deploy/commands/stack/env.py",
    }

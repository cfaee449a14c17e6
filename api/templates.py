"""Prompt templates: `{column}` and nothing else.

There is no attribute, index, conversion, format or arithmetic, so there is nothing to escape from. Values
are data: a brace inside one is only a brace.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

MAX_TEMPLATE_CHARS = 10_000

_TOKEN = re.compile(r"\{\{|\}\}|\{[^{}]*\}|[{}]")
_FORBIDDEN = {
    ".": "an attribute",
    "[": "an index",
    "]": "an index",
    "!": "a conversion",
    ":": "a format",
    "(": "a call",
    ")": "a call",
}


class TemplateInvalid(ValueError):
    """The template breaks the grammar; `remedy` says how to mend it."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Placeholder:
    """`{name}` in a template."""

    name: str


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template. `names` are its placeholders, each once, in order of appearance."""

    parts: tuple[str | Placeholder, ...]
    names: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Template:
        """Raises TemplateInvalid naming the character (1-based) where it goes wrong."""
        parts: list[str | Placeholder] = []
        end = 0
        for token in _TOKEN.finditer(text):
            parts.append(text[end : token.start()])
            parts.append(_part(token.group(), token.start() + 1))
            end = token.end()
        parts.append(text[end:])
        names = dict.fromkeys(part.name for part in parts if isinstance(part, Placeholder))
        return cls(tuple(part for part in parts if part), tuple(names))

    def render(self, values: Mapping[str, str]) -> str:
        """The text with every placeholder replaced by its value, which is not read again."""
        return "".join(values[part.name] if isinstance(part, Placeholder) else part for part in self.parts)


def _part(token: str, at: int) -> str | Placeholder:
    if token in ("{{", "}}"):
        return token[0]
    if len(token) == 1:
        raise TemplateInvalid(
            f"a single '{token}' at character {at}",
            f"Write {{column}} for a column's value, or '{token}{token}' for the character itself.",
        )
    name = token[1:-1]
    if not name.strip():
        raise TemplateInvalid(f"'{token}' at character {at} names no column", "Put a column's name between the braces.")
    for mark, what in _FORBIDDEN.items():
        if mark in name:
            raise TemplateInvalid(
                f"'{token}' at character {at} asks for {what} ('{mark}')",
                "Only plain column names stand between braces. Put the finished text into a column of its own, "
                "or rename the column.",
            )
    return Placeholder(name)

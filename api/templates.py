"""Prompt templates: `{column}`, `{column?}` and `{column|default}`, and nothing else.

A placeholder is looked up as the exact name of a column: `{Body (HTML)}` and `{Meta: color}` are names like any other.
There is no attribute, index, conversion, format or arithmetic, so there is nothing to escape from. Values are data: a
brace inside one is only a brace.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from workers.sheets.names import clean_name

MAX_TEMPLATE_CHARS = 10_000

_TOKEN = re.compile(r"\{\{|\}\}|\{[^{}]*\}|[{}]")
_PROGRAM_SIGNS = {
    ".": "an attribute",
    "[": "an index",
    "!": "a conversion",
    ":": "a format",
    "(": "a call",
}
_GAP_BEFORE = re.compile(r"[\s,;]+\Z")
_GAP_AFTER = re.compile(r"\A[\s,;]+")
_CLOSES = re.compile(r"[\s,;.:!?]")


class TemplateInvalid(ValueError):
    """The template breaks the grammar; `remedy` says how to mend it."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Placeholder:
    """What stands between two braces, cleaned as column names are, and the character where it begins (1-based)."""

    text: str
    at: int

    def readings(self) -> Iterator[tuple[str, str | None]]:
        """(column, default) in the order in which they are tried: the whole text first, as it may be a name."""
        yield self.text, None
        if self.text.endswith("?"):
            yield self.text[:-1].rstrip(), ""
        parts = self.text.split("|")
        for size in range(len(parts) - 1, 0, -1):
            yield "|".join(parts[:size]).rstrip(), "|".join(parts[size:]).strip()

    @property
    def column(self) -> str:
        """The column that is most likely meant, where none of that name is there."""
        return self.text.partition("|")[0].removesuffix("?").rstrip() or self.text


@dataclass(frozen=True, slots=True)
class Value:
    """The place of a column's value. `default` is None where an empty cell is a mistake."""

    column: int
    name: str
    default: str | None


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template; `bind` gives it the columns of a file."""

    parts: tuple[str | Placeholder, ...]

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
        return cls(tuple(part for part in parts if part))

    @property
    def placeholders(self) -> tuple[Placeholder, ...]:
        """Each text once, in order of appearance."""
        named = {part.text: part for part in self.parts if isinstance(part, Placeholder)}
        return tuple(named.values())

    @property
    def candidates(self) -> frozenset[str]:
        """Every column name that a placeholder may mean."""
        return frozenset(name for placeholder in self.placeholders for name, _ in placeholder.readings() if name)

    def bind(self, columns: Mapping[str, int]) -> BoundTemplate:
        """The template with its columns found by name; what is not found is listed and stays empty."""
        parts: list[str | Value] = []
        unknown: dict[str, Placeholder] = {}
        for part in self.parts:
            if isinstance(part, str):
                parts.append(part)
                continue
            found = next(((name, default) for name, default in part.readings() if name in columns), None)
            if found is None:
                unknown.setdefault(part.text, part)
            else:
                parts.append(Value(columns[found[0]], *found))
        return BoundTemplate(tuple(parts), tuple(unknown.values()))


@dataclass(frozen=True, slots=True)
class BoundTemplate:
    """A template whose values have places in a row."""

    parts: tuple[str | Value, ...]
    unknown: tuple[Placeholder, ...] = ()

    @property
    def values(self) -> tuple[Value, ...]:
        """Each column once. Where one place demands it and another does not, it is demanded."""
        found: dict[int, Value] = {}
        for part in self.parts:
            if isinstance(part, Value) and (part.column not in found or part.default is None):
                found[part.column] = part
        return tuple(found.values())

    @property
    def frame(self) -> str:
        """The text of the template itself."""
        return "".join(part for part in self.parts if isinstance(part, str))

    def render(self, cells: Sequence[str]) -> str:
        """The text with every placeholder replaced by its value, which is not read again.

        An optional value that is empty takes the comma or space before it along: "a {thing}, {extra?}" is "a car".
        """
        if all(part.default is None for part in self.parts if isinstance(part, Value)):
            return "".join(part if isinstance(part, str) else cells[part.column] for part in self.parts)
        text, gone = "", False
        for part in self.parts:
            piece = part if isinstance(part, str) else cells[part.column]
            if isinstance(part, Value) and part.default is not None and not piece.strip():
                piece = part.default
                if not piece:
                    gone = True
                    continue
            if gone and not text:
                piece = _GAP_AFTER.sub("", piece)
            elif gone and _CLOSES.match(piece):
                text = _GAP_BEFORE.sub("", text)
            text, gone = text + piece, False
        return _GAP_BEFORE.sub("", text) if gone else text


def program_sign(text: str, columns: Mapping[str, int]) -> str:
    """What a placeholder asks of a column in the manner of a program: "an attribute ('.')"; "" for a plain name."""
    found = re.match(r"([^.\[!:(]+)([.\[!:(])", text)
    if found is None or found[1].strip() not in columns:
        return ""
    return f"{_PROGRAM_SIGNS[found[2]]} ('{found[2]}') of column '{found[1].strip()}'"


def _part(token: str, at: int) -> str | Placeholder:
    if token in ("{{", "}}"):
        return token[0]
    if len(token) == 1:
        raise TemplateInvalid(
            f"a single '{token}' at character {at}",
            f"Write {{column}} for a column's value, or '{token}{token}' for the character itself.",
        )
    text = clean_name(token[1:-1])
    if not text.strip("?|"):
        raise TemplateInvalid(f"'{token}' at character {at} names no column", "Put a column's name between the braces.")
    return Placeholder(text, at)

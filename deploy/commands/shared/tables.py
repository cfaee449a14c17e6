"""Tables and outlines on a terminal, with whole ids.

Nothing is cut to the width of the terminal, because an auditor copies ids into the next command. Only prose is
shortened, with an ellipsis. Control characters are replaced, so no data can control the terminal.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

MAX_ROWS = 200  # of a table on a terminal; --json and exports have all rows
_PROSE = 60  # characters of a prompt or a comment that a table shows
_GAP = "  "


def print_rows(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    """Print a table of the first rows, or every row as one JSON object per line."""
    if as_json:
        for row in rows:
            click.echo(as_line(row))
        return
    table, left_out = [[name.replace("_", " ") for name in columns]], 0
    for row in rows:
        if len(table) <= MAX_ROWS:
            table.append([_short(row[name]) for name in columns])
        else:
            left_out += 1
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for number, cells in enumerate(table if len(table) > 1 else []):
        line = _GAP.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
        click.echo(line if number else click.style(line, bold=True))
    if len(table) == 1:
        click.echo("none")
    if left_out:
        click.echo(f"and {left_out:,} more; --json prints all")


def print_object(thing: Mapping[str, Any]) -> None:
    """Print every field, with nested fields indented below it."""
    for line in _outline(thing, ""):
        click.echo(line)


def as_line(row: Mapping[str, Any]) -> str:
    """One JSON object."""
    return json.dumps(dict(row), default=_stamp)


def cell(value: Any) -> str:
    """A value on one line, not shortened and without control characters."""
    if value is None or value in ([], {}, ""):
        return "-"
    if isinstance(value, list):
        return ", ".join(map(cell, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {cell(part)}" for name, part in value.items())
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
    text = str(value).lower() if isinstance(value, bool) else _stamp(value)
    return "".join(character if character.isprintable() else " " for character in text)


def _outline(thing: Mapping[str, Any], indent: str) -> Iterator[str]:
    width = max(map(len, thing), default=0)
    for name, value in thing.items():
        title = f"{indent}{cell(name).replace('_', ' ') if not indent else cell(name)}"
        if isinstance(value, Mapping) and value:
            yield title
            yield from _outline(value, f"{indent}  ")
        elif isinstance(value, list) and any(isinstance(part, Mapping) for part in value):
            yield title
            yield from (f"{indent}  {cell(part)}" for part in value)
        else:
            yield f"{title.ljust(width + len(indent))}{_GAP}{cell(value)}"


def _short(value: Any) -> str:
    """For a table: prose, which has spaces, is shortened; ids and names are not."""
    text = cell(value)
    return f"{text[: _PROSE - 1]}…" if len(text) > _PROSE and " " in text.replace(", ", "") else text


def _stamp(value: Any) -> str:
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)

"""Catalogue file: YAML read once, with the line of everything in it, so that each error names its place.

A word is never taken for a date, and a name that stands twice or an alias is an error: what a person reads in the file
is what is meant. Nothing in it is constructed but text, numbers, true, false and null.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from api.edge.problems import Complaint
from api.edge.validation import from_validation
from api.schemas.catalogues import CatalogueBody
from deploy.errors import CallFailed

MAX_FILE_BYTES = 256 * 1024
MAX_DEPTH = 20
_PLAIN = frozenset(f"tag:yaml.org,2002:{name}" for name in ("int", "float", "bool", "null"))
_Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FileError:
    """What is wrong in a catalogue file, where, and what to do."""

    line: int
    path: str  # dotted; "" for the file as a whole
    message: str
    remedy: str

    def __str__(self) -> str:
        place = f"line {self.line}" + (f", {self.path}" if self.path else "")
        return f"{place}: {self.message}. Remedy: {self.remedy}"


@dataclass(frozen=True, slots=True)
class CatalogueFile:
    """A file that is in order."""

    body: CatalogueBody
    written: dict[str, Any]  # as it is sent


class _Broken(Exception):
    """The file ends here: reading on would only guess."""

    def __init__(self, line: int, path: _Path, message: str, remedy: str) -> None:
        super().__init__(message)
        self.error = FileError(line, ".".join(path), message, remedy)


def read_file(file: Path) -> CatalogueFile | list[FileError]:
    """The catalogue, or everything that is wrong with it, in the order of lines."""
    try:
        with file.open("rb") as opened:
            sent = opened.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        return [FileError(1, "", f"the file cannot be read: {error.strerror}", "Name another file.")]
    if len(sent) > MAX_FILE_BYTES:
        return [FileError(1, "", f"the file has more than {MAX_FILE_BYTES:,} bytes", "Keep rows in the feed.")]
    lines: dict[_Path, int] = {}
    try:
        written = _document(sent.decode("utf-8-sig"), lines)
    except UnicodeDecodeError:
        return [FileError(1, "", "the file is not UTF-8", "Save it as UTF-8.")]
    except _Broken as broken:
        return [broken.error]
    try:
        return CatalogueFile(CatalogueBody.model_validate_json(json.dumps(written)), written)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        complaints = from_validation(found, CatalogueBody)
        errors = [_placed(one["loc"], lines, said) for one, said in zip(found, complaints, strict=False)]
        return sorted(errors, key=lambda one: one.line)


def demand_file(file: Path) -> CatalogueFile:
    """The catalogue. Raises CallFailed with everything that is wrong with it."""
    read = read_file(file)
    if isinstance(read, list):
        raise CallFailed("\n".join(f"{file}, {error}" for error in read))
    return read


def _document(text: str, lines: dict[_Path, int]) -> dict[str, Any]:
    try:
        _demand_plain(text)
        node = yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise _Broken(line, (), f"this is no YAML: {error.problem}", "Mend the line, or the one above it.") from error
    except yaml.YAMLError as error:
        raise _Broken(1, (), "the file holds characters that YAML does not allow", "Remove them.") from error
    if not isinstance(node, yaml.MappingNode):
        raise _Broken(1, (), "the file is no list of fields", "Begin with `name: my-catalogue`.")
    value: dict[str, Any] = _value(node, (), lines)
    return value


def _demand_plain(text: str) -> None:
    """Aliases could make a small file a huge one, and hide what is meant."""
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            raise _Broken(line, (), "the file uses an alias (*)", "Write the value out.")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise _Broken(line, (), f"the file is nested more than {MAX_DEPTH} deep", "Write it flat.")


def _value(node: yaml.Node, path: _Path, lines: dict[_Path, int]) -> Any:
    line = node.start_mark.line + 1
    lines.setdefault(path, line)
    if isinstance(node, yaml.SequenceNode):
        return [_value(one, (*path, str(place)), lines) for place, one in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        plain = node.tag in _PLAIN
        return yaml.constructor.SafeConstructor().construct_object(node) if plain else node.value
    found: dict[str, Any] = {}
    for name_node, value_node in node.value:
        name, at = str(name_node.value), name_node.start_mark.line + 1
        if name in found:
            first = lines[(*path, name)]
            raise _Broken(at, (*path, name), f"the name stands twice, first in line {first}", "Remove one of them.")
        lines[(*path, name)] = at
        found[name] = _value(value_node, (*path, name), lines)
    return found


def _placed(place: tuple[int | str, ...], lines: dict[_Path, int], said: Complaint) -> FileError:
    """The error at its line: that of the field itself, or of the nearest thing around it that is written."""
    path = tuple(map(str, place))
    known = next(path[:size] for size in range(len(path), -1, -1) if path[:size] in lines)
    return FileError(lines[known], ".".join(path), said.message, said.remedy)

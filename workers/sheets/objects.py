"""JSON lines: one object a line becomes one row; lines of an OpenAI batch give up their body.

Values are taken as they are written: 42.0 stays "42.0". An object inside an object becomes columns with dotted names, a
list of plain values one cell.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from workers.sheets.errors import SheetInvalid
from workers.sheets.names import clean_name, shown

MAX_LINE_BYTES = 1024 * 1024
MAX_DOCUMENT_BYTES = 4 * 1024 * 1024  # of one object over several lines: it is parsed whole, at 23 times its size
MAX_DEPTH = 8  # of objects inside objects
IMAGES = "/v1/images/generations"
_SIZE = re.compile(r"([0-9]{1,6})x([0-9]{1,6})")
_REMEDY = "Write one JSON object a line, each on a line of its own."


def flat_objects(file: BinaryIO) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, cells by column) of every object. Raises SheetInvalid for a line that is none.

    One object over several lines is a row, and one that holds nothing but a list of objects beside plain values, as
    APIs answer, is a table of these.
    """
    if (entries := _document(file)) is not None:
        yield from ((number, flat(one, number)) for number, one in enumerate(entries, 1))
        return
    file.seek(0)
    number = 0
    while line := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES:
            message = f"line {number} is longer than {MAX_LINE_BYTES:,} bytes"
            raise SheetInvalid("line_too_long", message, "Shorten it.", line=number)
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if line.strip():
            yield number, flat(_object(line, number), number)


def _document(file: BinaryIO) -> list[dict[str, Any]] | None:
    """The rows of a file that is one object; None where every line is one, or nothing is JSON."""
    if file.seek(0, os.SEEK_END) > MAX_DOCUMENT_BYTES:
        return None
    file.seek(0)
    first = next((line for line in iter(lambda: file.readline(MAX_LINE_BYTES + 1), b"") if line.strip()), b"")
    rest = any(line.strip() for line in iter(lambda: file.readline(MAX_LINE_BYTES + 1), b""))
    if rest and first.rstrip().endswith(b"}"):
        return None
    file.seek(0)
    try:
        found = json.loads(file.read().decode("utf-8-sig"), parse_float=str, parse_int=str, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        return None  # whoever reads it line by line says what is wrong, and where
    if not isinstance(found, dict):
        return None
    lists = [value for value in found.values() if isinstance(value, list) and value and isinstance(value[0], dict)]
    others = [value for value in found.values() if isinstance(value, dict | list)]
    wrapped = len(lists) == len(others) == 1 and all(isinstance(one, dict) for one in lists[0])
    if wrapped:
        return lists[0]
    return [found] if rest and len(first) <= MAX_LINE_BYTES else None


def flat(found: Mapping[str, Any], line: int) -> dict[str, str]:
    """The cells of one object, by clean column names."""
    cells: dict[str, str] = {}
    _into(cells, "", _request(found, line), line, 1)
    return cells


def _object(line: bytes, number: int) -> dict[str, Any]:
    try:
        found = json.loads(line.decode("utf-8"), parse_float=str, parse_int=str, object_pairs_hook=_unique)
    except UnicodeDecodeError as error:
        message = f"line {number} is not UTF-8: byte 0x{error.object[error.start]:02X} makes no character there"
        raise SheetInvalid("encoding", message, "JSON is UTF-8 (RFC 8259).", line=number) from error
    except RecursionError as error:
        message = f"line {number} is nested more than {MAX_DEPTH} deep"
        raise SheetInvalid("json", message, _REMEDY, line=number) from error
    except ValueError as error:
        raise SheetInvalid("json", f"line {number} is no JSON: {error}", _REMEDY, line=number) from error
    if not isinstance(found, dict):
        raise SheetInvalid("json", f"line {number} is no JSON object", _REMEDY, line=number)
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {shown(twice)} appears twice in one object")
    return found


def _request(found: Mapping[str, Any], line: int) -> Mapping[str, Any]:
    """The body of a line of an OpenAI batch, with our names; anything else as it is."""
    body = found.get("body")
    if not (isinstance(body, dict) and isinstance(found.get("url"), str)):
        return found
    if found["url"] != IMAGES:
        message = f"line {line} asks {shown(found['url'])}; only {IMAGES} makes images"
        raise SheetInvalid("batch_url", message, f"Send lines whose url is {IMAGES}.", line=line)
    renamed = {("variants" if name == "n" else name): value for name, value in body.items() if name != "size"}
    size = _SIZE.fullmatch(str(body.get("size") or ""))
    sides: dict[str, Any] = {"width": size[1], "height": size[2]} if size else {}
    ids: dict[str, Any] = {"custom_id": found["custom_id"]} if found.get("custom_id") is not None else {}
    return {**ids, **renamed, **sides}


def _into(cells: dict[str, str], prefix: str, found: Mapping[str, Any], line: int, depth: int) -> None:
    if depth > MAX_DEPTH:
        message = f"line {line} is nested more than {MAX_DEPTH} deep"
        raise SheetInvalid("json", message, "Write plain values.", line=line)
    for name, value in found.items():
        column = clean_name(prefix + name)
        if isinstance(value, dict):
            _into(cells, f"{column}.", value, line, depth + 1)
        else:
            cells[column] = cell_of(value)


def cell_of(value: Any) -> str:
    """A JSON value as a cell: null is empty, a list of plain values is joined by commas."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and not any(isinstance(one, dict | list) for one in value):
        return ", ".join(map(cell_of, value))
    return json.dumps(value, ensure_ascii=False)


def flat_array(file: BinaryIO) -> Iterator[tuple[int, dict[str, str]]]:
    """(number, cells by column) of the objects of one JSON array. The whole array is held in memory."""
    file.seek(0)
    try:
        text = file.read().decode("utf-8-sig")
        found = json.loads(text, parse_float=str, parse_int=str, object_pairs_hook=_unique)
    except UnicodeDecodeError as error:
        raise SheetInvalid("encoding", "the JSON is not UTF-8", "JSON is UTF-8 (RFC 8259).") from error
    except (RecursionError, ValueError) as error:
        message = f"the file is no JSON: {error}"
        raise SheetInvalid("json", message, "Write an array of objects, or one object a line.") from error
    for number, one in enumerate(found, 1):
        if not isinstance(one, dict):
            message = f"entry {number} of the array is no object"
            raise SheetInvalid("json", message, "Write an array of objects, or one object a line.", line=number)
        yield number, flat(one, number)

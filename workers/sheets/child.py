"""Table process: turns one workbook, Parquet file, feed or JSON file into rows, in a process that may die of it.

    python -I -S child.py WANTED  <file  >rows

WANTED is a JSON object: format, limits, and the folders to import from. The program limits its own memory, processor
time and output before it reads a byte. It writes a JSON array a row, the physical line first and then the cells, and
one JSON object at the end: what was found, or why the file is refused. Killed anywhere, it leaves no last line, and the
parent refuses what is there.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import resource
import sys
from collections.abc import Iterable
from typing import Any, BinaryIO, TextIO

MAX_GAP = 1000  # empty rows between two that are not: what follows is a cell that somebody touched far below


def limit(memory_bytes: int, cpu_seconds: int, written_bytes: int) -> None:
    """Limits this process from here on. Where the system lacks a limit (macOS: memory), that one does not hold."""
    for what, most in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_FSIZE, written_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (most, most))


def convert(source: BinaryIO, target: TextIO, wanted: dict[str, Any]) -> None:
    """Writes the rows of `source`, and what was found."""
    from workers.sheets.errors import SheetInvalid  # noqa: PLC0415 - after the limits

    try:
        found = _READERS[wanted["format"]](source, target, wanted)
    except SheetInvalid as error:
        found = {"refused": [error.code, error.message, error.remedy, error.line, error.column]}
    except MemoryError:
        found = _refusal("too_costly", "reading the file takes more memory than is allowed", _SMALLER)
    except ImportError as error:
        message = f"reading {wanted['format']} files is not installed here ({error.name} is missing)"
        found = _refusal("format", message, "Save the file as CSV or .xlsx.")
    except Exception as error:  # noqa: BLE001 - whatever a parser raises on hostile bytes: the answer is one line
        said = " ".join(str(error).split())[:200] or type(error).__name__
        message = f"the file does not read as {wanted['format']}: {said}"
        found = _refusal("damaged", message, "Export it again, or save it as CSV.")
    target.write(json.dumps(found) + "\n")


def _refusal(code: str, message: str, remedy: str) -> dict[str, Any]:
    return {"refused": [code, message, remedy, None, None]}


_SMALLER = "Remove sheets, columns and pictures that are not needed, or send several files."


def _objects(rows: Iterable[tuple[int, dict[str, str]]], target: TextIO) -> dict[str, Any]:
    """Rows of named cells as a grid. A column that comes late lies behind the others: earlier rows are shorter."""
    from workers.sheets.errors import SheetInvalid  # noqa: PLC0415 - after the limits
    from workers.sheets.headers import MAX_COLUMNS  # noqa: PLC0415

    columns: dict[str, int] = {}
    for line, cells in rows:
        for name in cells:
            columns.setdefault(name, len(columns))
        if len(columns) > MAX_COLUMNS:
            message = f"the objects have more than {MAX_COLUMNS:,} names"
            raise SheetInvalid("too_many_columns", message, "Write the same names in every object.", line=line)
        _write(target, line, [cells.get(name, "") for name in columns])
    return {"columns": list(columns)}


def _write(target: TextIO, line: int, cells: list[str]) -> None:
    target.write(json.dumps([line, *cells], ensure_ascii=False, separators=(",", ":")) + "\n")


def _json_lines(source: BinaryIO, target: TextIO, wanted: dict[str, Any]) -> dict[str, Any]:
    from workers.sheets.objects import flat_objects  # noqa: PLC0415 - after the limits

    return _objects(flat_objects(source), target)


def _json(source: BinaryIO, target: TextIO, wanted: dict[str, Any]) -> dict[str, Any]:
    from workers.sheets.objects import flat_array  # noqa: PLC0415 - after the limits

    return _objects(flat_array(source), target)


def _feed(source: BinaryIO, target: TextIO, wanted: dict[str, Any]) -> dict[str, Any]:
    from workers.sheets.feeds import feed_items  # noqa: PLC0415 - after the limits

    return _objects(feed_items(source), target)


def _workbook(source: BinaryIO, target: TextIO, wanted: dict[str, Any]) -> dict[str, Any]:
    """The first sheet that holds anything, or the one that is named. Macros, links and formulas are never run."""
    for name in ("lxml", "numpy", "PIL"):  # openpyxl imports them where they are, for what is not asked of it
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
    from openpyxl import load_workbook  # noqa: PLC0415 - after the limits

    from workers.sheets.errors import SheetInvalid  # noqa: PLC0415

    book = load_workbook(source, read_only=True, data_only=True, keep_links=False, keep_vba=False)
    sheets = {sheet.title: sheet for sheet in book.worksheets if sheet.sheet_state == "visible"}
    names = [name for name in (wanted["sheet"] or None,) if name] or list(sheets)
    if wanted["sheet"] and wanted["sheet"] not in sheets:
        message = f"the workbook has no sheet named {wanted['sheet']!r}"
        raise SheetInvalid("sheet", message, f"It has: {', '.join(sheets)}.")
    for place, name in enumerate(names):
        if _cells(sheets[name], target):
            return {"columns": None, "sheet": name, "unread": names[place + 1 :]}
    raise SheetInvalid("no_header", "the workbook has no cell with a value", "The first line names the columns.")


def _cells(sheet: Any, target: TextIO) -> int:
    """Writes the rows of one sheet that hold anything, and returns how many there are."""
    sheet.reset_dimensions()  # what the file states about its size is only stated
    found = gap = 0
    for line, row in enumerate(sheet.iter_rows(values_only=True), 1):
        cells = [_cell(value) for value in row]
        while cells and not cells[-1]:
            cells.pop()
        gap = 0 if cells else gap + 1
        if gap > MAX_GAP:
            break
        if cells:
            _write(target, line, cells)
            found += 1
    return found


def _cell(value: Any) -> str:
    """A value as a person sees it: whole numbers without a point, dates as ISO 8601."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    return str(value)


def _parquet(source: BinaryIO, target: TextIO, wanted: dict[str, Any]) -> dict[str, Any]:
    from pyarrow import parquet  # noqa: PLC0415 - after the limits

    from workers.sheets.names import clean_name  # noqa: PLC0415
    from workers.sheets.objects import cell_of  # noqa: PLC0415

    table = parquet.ParquetFile(source)
    line = 0
    for batch in table.iter_batches(batch_size=1024, use_threads=False):
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            line += 1
            cells = [cell_of(value) if isinstance(value, list | dict) else _cell(value) for value in row]
            _write(target, line, cells)
    return {"columns": [clean_name(name) for name in table.schema_arrow.names]}


_READERS = {"jsonl": _json_lines, "json": _json, "xml": _feed, "xlsx": _workbook, "parquet": _parquet}


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    limit(asked["memory_bytes"], asked["cpu_seconds"], asked["written_bytes"])
    sys.path[1:] = [*sys.path[1:], *asked["folders"]]
    with open(0, "rb", closefd=False) as file, open(1, "w", encoding="utf-8", closefd=False) as rows:
        convert(file, rows, asked)

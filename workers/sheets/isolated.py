"""Formats that need a parser of their own, read by a limited child process into rows on disk.

A bomb, an endless parse or a crash ends the child, not the process that asked. What the child writes is a nameless
temporary file with one JSON array a row, so that the rows can be read again without parsing the file again.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, cast

from workers.sheets import child
from workers.sheets.errors import SheetInvalid
from workers.sheets.sources import SheetFormat

MEMORY_BYTES = 2 * 1024**3  # of address space
CPU_SECONDS = 120  # 100,000 rows of 44 columns of .xlsx take 40
SECONDS = 300.0  # by the clock
WRITTEN_BYTES = 1024**3
_CHILD = Path(child.__file__)
_ROOT = _CHILD.parent.parent.parent
_PACKAGES = ("openpyxl", "et_xmlfile", "defusedxml", "pyarrow", "numpy")
_LAST_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Converted:
    """Rows on disk, and what the child found. `columns` is None where the header is still to be found."""

    file: BinaryIO
    columns: tuple[str, ...] | None
    rows: int
    sheet: str
    unread_sheets: tuple[str, ...]

    def records(self) -> Iterator[tuple[int, list[str]]]:
        self.file.seek(0)
        for _ in range(self.rows):
            line, *cells = json.loads(self.file.readline())
            yield line, cells


def convert(file: BinaryIO, format: SheetFormat, *, sheet: str = "") -> Converted:
    """The rows of a workbook, Parquet file, feed or JSON file. The caller closes its file. Raises SheetInvalid."""
    specs = (spec for name in _PACKAGES if (spec := find_spec(name)) is not None and spec.origin)
    folders = list(dict.fromkeys((str(_ROOT), *(str(Path(spec.origin or "").parent.parent) for spec in specs))))
    asked = {
        "format": format,
        "sheet": sheet,
        "folders": folders,
        "memory_bytes": MEMORY_BYTES,
        "cpu_seconds": CPU_SECONDS,
        "written_bytes": WRITTEN_BYTES,
    }
    rows = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115 - the caller's to close
    try:
        if format is SheetFormat.JSON_LINES:  # read line by line with the standard library: no process is needed
            return _read(rows, _here(asked, file, rows), format)
        with _on_disk(file) as given:
            return _read(rows, _run(asked, given, rows), format)
    except BaseException:
        rows.close()
        raise


def _on_disk(file: BinaryIO) -> BinaryIO:
    """A file with a descriptor: spooled files that are still in memory are copied."""
    copy = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115 - the caller's to close
    file.seek(0)
    while chunk := file.read(1024 * 1024):
        copy.write(chunk)
    copy.seek(0)
    return copy


def _here(asked: dict[str, Any], file: BinaryIO, rows: BinaryIO) -> int:
    text = io.TextIOWrapper(rows, encoding="utf-8")
    child.convert(file, text, asked)
    text.detach()
    return 0


def _run(asked: dict[str, Any], given: BinaryIO, rows: BinaryIO) -> int:
    environment = {"ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1", "PATH": os.defpath}
    try:
        return subprocess.run(
            [sys.executable, "-I", "-S", str(_CHILD), json.dumps(asked)],
            stdin=given,
            stdout=rows,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
            env=environment,
            check=False,
        ).returncode
    except subprocess.TimeoutExpired:
        return -signal.SIGXCPU


def _read(rows: BinaryIO, status: int, format: SheetFormat) -> Converted:
    count, last = 0, b""
    rows.seek(0)
    for line in rows:
        count, last = count + 1, line
    found = json.loads(last) if last.startswith(b"{") and last.endswith(b"\n") else None
    if status in (-signal.SIGXCPU, -signal.SIGKILL):
        message = f"reading the {format} file takes more processor time than is allowed"
        raise SheetInvalid("too_costly", message, "Save it as CSV, or send several files.")
    if status != 0 or found is None:
        message = f"the reader of {format} files did not come to an end"
        raise SheetInvalid("damaged", message, "Export the file again, or save it as CSV.")
    if refused := found.get("refused"):
        code, message, remedy, line_number, column = refused
        raise SheetInvalid(code, message, remedy, line=line_number, column=column)
    columns = found["columns"]
    return Converted(
        rows,
        None if columns is None else tuple(columns),
        count - 1,
        found.get("sheet", ""),
        tuple(found.get("unread", ())),
    )

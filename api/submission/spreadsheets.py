"""CSV file of a caller, read strictly, in one pass over a file on disk, never whole in memory.

UTF-8 (with or without a byte order mark) and UTF-16 (with one), RFC 4180 quoting, any line ends. What
is not readable raises SheetInvalid with the line; what is readable but wrong is left to the caller.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

from api.edge.problems import Complaint, did_you_mean, quoted

MAX_COLUMNS = 200
MAX_HEADER_CHARS = 100
MAX_LINE_CHARS = 1024 * 1024  # one physical line; bounds what a single read may hold
_CHUNK_BYTES = 1024 * 1024
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}


class SheetInvalid(ValueError):
    """The file cannot be read on from here."""

    def __init__(self, complaint: Complaint) -> None:
        super().__init__(complaint.message)
        self.complaint = complaint


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A data row: its number (the first below the header is 1), the line it starts in, its cells as written."""

    number: int
    line: int
    cells: tuple[str, ...]


class Spreadsheet:
    """A CSV file whose encoding and header are in order. The caller owns and closes the file."""

    def __init__(self, file: BinaryIO, delimiter: str = ",") -> None:
        """Raises SheetInvalid for an unreadable encoding or header."""
        self._file, self._delimiter = file, delimiter
        self._mark, self._encoding = _encoding(file)
        self._check_decoding()
        with self._cells() as cells:
            _, first = next(cells, (1, []))
        self.header = _header(first, delimiter)

    def rows(self) -> Iterator[SheetRow]:
        """Every data row from the top; blank lines are none. Raises SheetInvalid where the quoting breaks."""
        with self._cells() as lines:
            next(lines)
            for number, (line, cells) in enumerate(lines, 1):
                yield SheetRow(number, line, tuple(cells))

    def more_rows_than(self, most: int) -> bool:
        """Whether there are more than `most` rows; reads no further than that. Broken quoting ends the count."""
        try:
            return sum(1 for _ in islice(self.rows(), most + 1)) > most
        except SheetInvalid:
            return False

    @contextmanager
    def _cells(self) -> Iterator[Iterator[tuple[int, list[str]]]]:
        """(first physical line, cells) of everything that is not a blank line, the header first."""
        self._file.seek(self._mark)
        text = io.TextIOWrapper(self._file, encoding=self._encoding, newline="")
        try:
            yield _split(text, self._delimiter)
        finally:
            text.detach()  # or the wrapper would close a file that is not ours

    def _check_decoding(self) -> None:
        """The whole file once, so that a wrong byte is found before any row is believed."""
        decoder = codecs.getincrementaldecoder(self._encoding)("strict")
        self._file.seek(self._mark)
        line = 1
        more = True
        while more:
            chunk = self._file.read(_CHUNK_BYTES)
            more = bool(chunk)
            try:
                line += decoder.decode(chunk, final=not more).count("\n")
            except UnicodeDecodeError as error:
                good = error.object[: error.start].decode(self._encoding, "ignore")
                raise SheetInvalid(_undecodable(error, line + good.count("\n"))) from error


def _encoding(file: BinaryIO) -> tuple[int, str]:
    """Length of the byte order mark, and the codec that reads on behind it."""
    file.seek(0)
    start = file.read(4)
    if start in (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE):
        raise SheetInvalid(Complaint("encoding", "the file is UTF-32", "Save it as 'CSV UTF-8'.", line=1))
    for mark, encoding in (
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF8, "utf-8"),
    ):
        if start.startswith(mark):
            return len(mark), encoding
    return 0, "utf-8"


def _undecodable(error: UnicodeDecodeError, line: int) -> Complaint:
    wrong = error.object[error.start]
    message = f"line {line} is not {error.encoding.upper()}: byte 0x{wrong:02X} makes no character there"
    remedy = "Save the file as 'CSV UTF-8'. Excel's plain 'CSV' is Latin-1 or Windows-1252."
    return Complaint("encoding", message, remedy, line=line)


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    """Physical lines, none longer than MAX_LINE_CHARS."""
    number = 0
    while line := text.readline(MAX_LINE_CHARS + 1):
        number += 1
        if len(line) > MAX_LINE_CHARS:
            message = f"line {number} is longer than {MAX_LINE_CHARS:,} characters"
            raise SheetInvalid(Complaint("line_too_long", message, "Shorten it.", line=number))
        yield line


def _split(text: io.TextIOWrapper, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(_lines(text), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise SheetInvalid(_quoting(str(error), line)) from error
        if cells:
            yield line, cells


def _quoting(error: str, line: int) -> Complaint:
    if "field larger" in error:
        message = f"the row that starts in line {line} has a cell of more than {csv.field_size_limit():,} characters"
        remedy = "Shorten it. If no cell is meant to be that long, a quote opened in this row is never closed."
    elif "unexpected end" in error:
        message = f"the row that starts in line {line} opens a quote that is never closed"
        remedy = 'Close the quote; a quote inside a quoted cell is written twice ("").'
    else:
        message = f"the row that starts in line {line} has text after a closing quote ({error})"
        remedy = 'Write a quote inside a quoted cell twice ("").'
    return Complaint("quoting", message, remedy, line=line)


def _header(cells: list[str], delimiter: str) -> tuple[str, ...]:
    """The column names. Raises SheetInvalid for the first that cannot be one."""
    if not cells:
        raise SheetInvalid(Complaint("no_header", "the file is empty", "The first line names the columns.", line=1))
    if len(cells) > MAX_COLUMNS:
        message = f"the header names {len(cells)} columns; {MAX_COLUMNS} are allowed"
        raise SheetInvalid(Complaint("too_many_columns", message, "Remove columns that the template does not use."))
    for other, name in _DELIMITERS.items():
        if len(cells) == 1 and other != delimiter and other in cells[0]:
            message = f"the header is one cell, but holds {name}: {quoted(cells[0])}"
            remedy = f'Save the file with {_DELIMITERS[delimiter]}, or set "delimiter" to {quoted(other)} in the spec.'
            raise SheetInvalid(Complaint("delimiter", message, remedy, line=1))
    seen: dict[str, int] = {}
    for number, name in enumerate(cells, 1):
        complaint = _name_complaint(number, name, seen)
        if complaint:
            raise SheetInvalid(complaint)
        seen[name] = number
    return tuple(cells)


def _name_complaint(number: int, name: str, seen: dict[str, int]) -> Complaint | None:
    if not name.strip():
        return Complaint("empty_header", f"column {number} has no name", "Name it, or remove the column.", line=1)
    if name in seen:
        message = f"columns {seen[name]} and {number} are both named {quoted(name)}"
        return Complaint("duplicate_header", message, "Rename or remove one of them.", line=1, column=name)
    if name != name.strip() or not name.isprintable():
        message = f"the name of column {number} has spaces around it or invisible characters: {quoted(name)}"
        return Complaint("header_name", message, "Type the name again.", line=1, column=name.strip())
    if len(name) > MAX_HEADER_CHARS or "{" in name or "}" in name:
        message = f"the name of column {number} is longer than {MAX_HEADER_CHARS} characters or holds a brace"
        return Complaint(
            "header_name", message, "Choose a short name without braces.", line=1, column=name[:MAX_HEADER_CHARS]
        )
    return None


def unknown_column(name: str, header: tuple[str, ...]) -> Complaint:
    """The template asks for a column that is not there."""
    remedy = f"The columns are: {', '.join(header)}.{did_you_mean(name, header)}"
    return Complaint(
        "unknown_placeholder", f"the template asks for {{{name}}}, which is no column", remedy, column=name
    )

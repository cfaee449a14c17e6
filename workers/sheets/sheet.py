"""Spreadsheet of a caller: opened, its format and header found and said, its rows in order.

Memory is bounded: rows are read from disk one by one, as often as they are asked for. Rows and columns without a value
are not there. What is not readable raises SheetInvalid with the line; what is readable but wrong is left to the caller.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from types import TracebackType
from typing import BinaryIO, Self

from workers.sheets.delimited import DELIMITERS, WHOLE_LINE, Dialect, find_dialect, open_records
from workers.sheets.encodings import TextEncoding, find_encoding
from workers.sheets.errors import SheetInvalid
from workers.sheets.headers import SEARCHED_RECORDS, Wanted, find_header, header_of
from workers.sheets.isolated import Converted, convert
from workers.sheets.names import clean_name, shown
from workers.sheets.sources import SheetFormat, Source, open_source

_SAMPLE_ROWS = 50


@dataclass(frozen=True, slots=True)
class ReadingHints:
    """What the sender said about the file; what is empty is found."""

    delimiter: str = ""
    encoding: str = ""
    sheet: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """Something about the reading that a person should know: a stable code and a sentence."""

    code: str
    message: str
    rows: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A data row: its number (the first below the header is 1), the line it starts in, its cells as written."""

    number: int
    line: int
    cells: tuple[str, ...]


class Spreadsheet:
    """A table whose format, encoding and header are in order. The caller owns and closes the file it gave."""

    def __init__(self, file: BinaryIO, wanted: Wanted | None = None, told: ReadingHints | None = None) -> None:
        """Raises SheetInvalid for what cannot be read."""
        wanted, told = wanted or Wanted.of(), told or ReadingHints()
        self._source = open_source(file)
        self._converted: Converted | None = None
        self._text: tuple[TextEncoding, Dialect] | None = None
        try:
            self._open(wanted, told)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Removes what was unpacked or converted."""
        for file in (self._source.owned, self._converted.file if self._converted else None):
            if file is not None:
                file.close()

    def rows(self) -> Iterator[SheetRow]:
        """Every row with a value, from the top. Raises SheetInvalid where the quoting breaks."""
        number = 0
        with self._records() as records:
            for line, cells in islice(records, self._above, None):
                if any(map(_shows, cells)):
                    number += 1
                    yield SheetRow(number, line, tuple(cells))

    def more_rows_than(self, most: int) -> bool:
        """Whether there are more than `most` rows; reads no further than that. Broken quoting ends the count."""
        if (self._converted.rows if self._converted else self._lines) <= most:
            return False
        try:
            return sum(1 for _ in islice(self.rows(), most + 1)) > most
        except SheetInvalid:
            return False

    def sample(self) -> list[tuple[str, ...]]:
        """The cells of the first rows."""
        try:
            return [row.cells for row in islice(self.rows(), _SAMPLE_ROWS)]
        except SheetInvalid:
            return []

    @property
    def format(self) -> SheetFormat:
        return self._source.format

    @property
    def _is_feed(self) -> bool:
        return self._source.format is SheetFormat.XML

    def description(self) -> dict[str, str | int | None]:
        """How the file was read, as the reply says it."""
        encoding, dialect = self._text or (None, None)
        return {
            "format": self._source.format.value,
            "packed": self._source.packed or None,
            "encoding": encoding.codec if encoding else None,
            "delimiter": dialect.delimiter if dialect and dialect.delimiter != WHOLE_LINE else None,
            "sheet": self._converted.sheet or None if self._converted else None,
            "header_line": self.header_line,
        }

    def _open(self, wanted: Wanted, told: ReadingHints) -> None:
        self.header: tuple[str, ...] = ()
        self.header_line: int | None = None
        self._lines = self._above = 0
        if self._source.format is SheetFormat.CSV:
            encoding = find_encoding(self._source.file, told.encoding)
            self._lines = encoding.lines
            self._text = (encoding, find_dialect(self._source.file, encoding, wanted, told.delimiter))
        else:
            self._converted = convert(self._source.file, self._source.format, sheet=told.sheet)
        if self._converted and self._converted.columns is not None:
            self.header = header_of(self._converted.columns)
            self.width = len(self.header)
        else:
            self._find_header(wanted)
        self.aliases = {f"g:{name}": place for place, name in enumerate(self.header)} if self._is_feed else {}
        self.notes = tuple(self._notes(self._source))

    def _find_header(self, wanted: Wanted) -> None:
        with self._records() as records:
            first = list(islice(_until_broken(records), SEARCHED_RECORDS))
        index = find_header(first, wanted)
        line, cells = first[index] if first else (1, [])
        self.header = header_of(cells)
        self.header_line = line
        self.width = len(cells)
        self._above = index + 1

    @contextmanager
    def _records(self) -> Iterator[Iterator[tuple[int, list[str]]]]:
        if self._converted:
            yield self._converted.records()
        else:
            encoding, dialect = self._text  # type: ignore[misc]
            with open_records(self._source.file, encoding, dialect) as records:
                yield records

    def _notes(self, source: Source) -> Iterator[Note]:
        if source.packed:
            member = f" ({shown(source.member)})" if source.member else ""
            yield Note("unpacked", f"the table was unpacked from {source.packed}{member}")
        if self._text:
            encoding, dialect = self._text
            if dialect.found and dialect.delimiter not in (",", WHOLE_LINE):
                name = DELIMITERS.get(dialect.delimiter, shown(dialect.delimiter))
                by = "the first line says so" if dialect.skipped else "found"
                yield Note("delimiter", f"the cells are separated by {name} ({by})")
            if dialect.quote != '"':
                yield Note("quote", "the cells stand in single quotes")
            if encoding.guessed:
                yield Note("encoding", f"the file is not UTF-8; it was read as {encoding.codec}. Look at its letters")
        if self._converted and self._converted.unread_sheets:
            others = ", ".join(map(shown, self._converted.unread_sheets[:5]))
            yield Note("sheet", f"sheet {shown(self._converted.sheet)} was read; not read: {others}")
        if self._above > 1:
            yield Note("header_line", f"the columns are named in line {self.header_line}; what is above was left out")


def _shows(cell: str) -> bool:
    """Whether a cell holds a sign that can be seen: spaces and invisible ones, such as U+200B, are none."""
    return bool(cell) and not cell.isspace() and (cell.isascii() or bool(clean_name(cell)))


def _until_broken(records: Iterator[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
    """Records up to where the quoting breaks; without one, the break itself."""
    first = next(records, None)
    if first is None:
        return
    yield first
    try:
        yield from chain(records)
    except SheetInvalid:
        return

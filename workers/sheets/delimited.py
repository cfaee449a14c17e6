"""CSV and TSV: finds delimiter, `sep=` line and quote, and splits a text into records. RFC 4180, any line ends."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

from workers.sheets.encodings import TextEncoding
from workers.sheets.errors import SheetInvalid
from workers.sheets.headers import SEARCHED_RECORDS, Wanted, find_header

MAX_LINE_CHARS = 1024 * 1024  # one physical line; bounds what a single read may hold
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
WHOLE_LINE = "\x1f"  # the delimiter of a file of one column: none that anybody types
_SAMPLE_CHARS = 256 * 1024
_SAMPLE_RECORDS = 50
_SEP = re.compile(r'\s*"?sep=(.)"?[;,\s]*', re.IGNORECASE)
Record = tuple[int, list[str]]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How the cells of a text are told apart. `skipped` is the number of `sep=` lines at the top."""

    delimiter: str
    quote: str
    skipped: int
    found: bool  # looked for, not told


def find_dialect(file: BinaryIO, encoding: TextEncoding, wanted: Wanted, delimiter: str = "") -> Dialect:
    """The dialect of the file; `delimiter` is believed where it is given."""
    sample = _sample(file, encoding)
    first, _, rest = sample.partition("\n")
    skipped = 0
    found = not delimiter
    if sep := _SEP.fullmatch(first.rstrip("\r")):
        skipped, sample = 1, rest
        delimiter = delimiter or sep[1]
    quote = _quote(sample)
    return Dialect(delimiter or _delimiter(sample, quote, wanted), quote, skipped, found)


@contextmanager
def open_records(file: BinaryIO, encoding: TextEncoding, dialect: Dialect) -> Iterator[Iterator[Record]]:
    """(first physical line, cells) of everything that is not a blank line."""
    file.seek(encoding.mark_bytes)
    text = io.TextIOWrapper(file, encoding=encoding.codec, newline="")
    try:
        for _ in range(dialect.skipped):
            text.readline()
        yield _records(_lines(text, dialect.skipped), dialect)
    finally:
        text.detach()  # or the wrapper would close a file that is not ours


def _sample(file: BinaryIO, encoding: TextEncoding) -> str:
    """The beginning of the file up to a line end, where it has one."""
    file.seek(encoding.mark_bytes)
    text = io.TextIOWrapper(file, encoding=encoding.codec, errors="replace", newline="")
    try:
        return "".join(islice(iter(lambda: text.readline(_SAMPLE_CHARS), ""), 200))[:_SAMPLE_CHARS]
    finally:
        text.detach()


def _quote(sample: str) -> str:
    """A single quote where every cell of the first line stands between two, else the double quote."""
    first = sample.lstrip().partition("\n")[0].strip()
    cells = re.split(r"[,;\t|]", first)
    single = all(len(cell) > 2 and cell[0] == cell[-1] == "'" for cell in map(str.strip, cells))
    return "'" if single else '"'


def _delimiter(sample: str, quote: str, wanted: Wanted) -> str:
    """The sign that makes the header with most of the wanted names, and most records as wide as it."""
    scored = [(_score(sample, sign, quote, wanted), -place, sign) for place, sign in enumerate(DELIMITERS)]
    best, _, sign = max(scored)
    return sign if best[1] > 0 else WHOLE_LINE


_Score = tuple[tuple[int, int], float, int, int]


def _score(sample: str, delimiter: str, quote: str, wanted: Wanted) -> _Score:
    """(wanted names met, share of records as wide as the header, minus the records above it, its width)."""
    reader = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter, quotechar=quote)
    records: list[Record] = []
    try:
        for cells in islice(reader, _SAMPLE_RECORDS):
            if cells:
                records.append((0, cells))
    except csv.Error:
        pass  # a cell that is cut by the end of the sample; the real reading says where quoting breaks
    if not records:
        return (0, 0), 0.0, 0, 0
    header = find_header(records[:SEARCHED_RECORDS], wanted)
    width = len(records[header][1])
    if width < 2:
        return (0, 0), 0.0, 0, 0
    widths = Counter(len(cells) for _, cells in records[header:])
    return wanted.met_by(records[header][1]), widths[width] / widths.total(), -header, width


def _lines(text: io.TextIOWrapper, skipped: int) -> Iterator[str]:
    """Physical lines, none longer than MAX_LINE_CHARS."""
    number = skipped
    while line := text.readline(MAX_LINE_CHARS + 1):
        number += 1
        if len(line) > MAX_LINE_CHARS:
            message = f"line {number} is longer than {MAX_LINE_CHARS:,} characters"
            raise SheetInvalid("line_too_long", message, "Shorten it.", line=number)
        yield line


def _records(lines: Iterator[str], dialect: Dialect) -> Iterator[Record]:
    csv.field_size_limit(MAX_LINE_CHARS)  # of the process: the default of 131,072 refuses cells that nobody asks for
    reader = csv.reader(lines, delimiter=dialect.delimiter, quotechar=dialect.quote, strict=True)
    while True:
        line = reader.line_num + 1 + dialect.skipped
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _quoting(str(error), line) from error
        if cells:
            yield line, cells


def _quoting(error: str, line: int) -> SheetInvalid:
    if "field larger" in error:
        message = f"the row that starts in line {line} has a cell of more than {csv.field_size_limit():,} characters"
        remedy = "Shorten it. If no cell is meant to be that long, a quote opened in this row is never closed."
    elif "unexpected end" in error:
        message = f"the row that starts in line {line} opens a quote that is never closed"
        remedy = 'Close the quote; a quote inside a quoted cell is written twice ("").'
    else:
        message = f"the row that starts in line {line} has text after a closing quote ({error})"
        remedy = 'Write a quote inside a quoted cell twice ("").'
    return SheetInvalid("quoting", message, remedy, line=line)

"""Documents of results: lines as CSV, JSON lines or Parquet, page after page, whatever the length.

A spreadsheet program runs a cell that begins like a formula. Such CSV cells, and those that begin with apostrophes in
front of one, get an apostrophe more (OWASP, "CSV Injection"); `without_apostrophe` takes it off again when the file
comes back. JSON lines and Parquet hold every cell as it was sent.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from io import StringIO
from typing import Any

from api.results.growing import GrowingFile
from policy.errors import ExportUnavailable
from workers.delivery.outcome import OUTCOME_PREFIX, with_apostrophe

Lines = Iterable[Sequence[Mapping[str, Any]]]  # pages of lines
_INTEGERS = frozenset(
    f"{OUTCOME_PREFIX}{name}" for name in ("variant", "width", "height", "attempts", "row", "bytes", "seed")
)
_FLOATS = frozenset(f"{OUTCOME_PREFIX}{name}" for name in ("seconds", "cost", "gpu_seconds"))


def csv_document(names: Sequence[str], pages: Lines) -> Iterator[bytes]:
    """UTF-8 in RFC 4180, with a byte order mark, which spreadsheet programs need to read it as UTF-8."""
    yield b"\xef\xbb\xbf" + _rows([[with_apostrophe(name) for name in names]])
    for page in pages:
        yield _rows([[_cell(line[name]) for name in names] for line in page])


def jsonl_document(names: Sequence[str], pages: Lines) -> Iterator[bytes]:
    """One flat object a line."""
    for page in pages:
        yield "".join(f"{json.dumps(dict(line), ensure_ascii=False)}\n" for line in page).encode()


def parquet_document(names: Sequence[str], pages: Lines) -> Iterator[bytes]:
    """One row group a page. The caller's columns are text. Raises ExportUnavailable before anything is read."""
    try:
        import pyarrow as arrow  # noqa: PLC0415 - 55 MB that few installations want
        from pyarrow.parquet import ParquetWriter  # noqa: PLC0415
    except ImportError as missing:
        raise ExportUnavailable("Parquet needs pyarrow. Remedy: pip install 'presswork[export]'") from missing

    def kind(name: str) -> Any:
        if name in _INTEGERS:
            return arrow.int64()
        return arrow.float64() if name in _FLOATS else arrow.string()

    schema = arrow.schema([(name, kind(name)) for name in names])

    def written() -> Iterator[bytes]:
        growing = GrowingFile()
        with ParquetWriter(growing, schema, compression="zstd") as writer:
            for page in pages:
                writer.write_table(arrow.Table.from_pylist(list(page), schema=schema))
                yield growing.taken()
        yield growing.taken()  # the footer, which says where everything is

    return written()


DOCUMENTS: dict[str, tuple[Callable[[Sequence[str], Lines], Iterator[bytes]], str]] = {
    "csv": (csv_document, "text/csv; charset=utf-8"),
    "jsonl": (jsonl_document, "application/jsonl"),
    "parquet": (parquet_document, "application/vnd.apache.parquet"),
}


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return with_apostrophe(value)
    return "" if value is None else str(value)


def _rows(rows: Iterable[Iterable[str]]) -> bytes:
    page = StringIO(newline="")
    csv.writer(page).writerows(rows)
    return page.getvalue().encode()

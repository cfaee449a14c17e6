"""Parquet export of events, one row group a page. Needs pyarrow, which the extra `export` brings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from io import RawIOBase
from typing import Any

from policy.errors import ExportUnavailable
from policy.ledger.reading.events import Recorded
from policy.ledger.reading.exports import COLUMNS, row_of


def parquet(pages: Iterable[list[Recorded]]) -> Iterator[bytes]:
    """The file's bytes, page by page as they are read. `at` is a timestamp in UTC, `index` an integer, the rest text.

    Raises ExportUnavailable, before anything is read, where pyarrow is not installed.
    """
    try:
        import pyarrow  # noqa: F401, PLC0415 - 55 MB that few installations want
    except ImportError as missing:
        raise ExportUnavailable("Parquet needs pyarrow. Remedy: pip install 'presswork[export]'") from missing
    return _written(pages)


def _written(pages: Iterable[list[Recorded]]) -> Iterator[bytes]:
    import pyarrow as arrow  # noqa: PLC0415 - as above
    from pyarrow.parquet import ParquetWriter  # noqa: PLC0415

    types = {"index": arrow.int64(), "at": arrow.timestamp("us", tz="UTC")}
    schema = arrow.schema([(name, types.get(name, arrow.string())) for name in COLUMNS])
    passing = _Passing()
    with ParquetWriter(passing, schema, compression="zstd") as writer:
        for page in pages:
            writer.write_table(arrow.Table.from_pylist([_typed(recorded) for recorded in page], schema=schema))
            yield passing.taken()
    yield passing.taken()  # the footer, which says where everything is


class _Passing(RawIOBase):
    """A file that only grows at its end, and drops what was taken from it."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, part: Any) -> int:
        self._parts.append(bytes(part))
        return len(self._parts[-1])

    def taken(self) -> bytes:
        taken, self._parts = b"".join(self._parts), []
        return taken


def _typed(recorded: Recorded) -> dict[str, Any]:
    return {**row_of(recorded), "at": datetime.fromisoformat(recorded.at)}

"""Events as a Parquet file, one row group a page. Needs pyarrow, which the extra `export` brings."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from policy.errors import ExportUnavailable
from policy.ledger.exports import COLUMNS, row_of
from policy.ledger.read import Recorded


def write_parquet(pages: Iterable[list[Recorded]], path: Path) -> int:
    """How many events were written. `at` is a timestamp in UTC, `index` an integer, the rest is text.

    Raises ExportUnavailable, before anything is read, where pyarrow is not installed.
    """
    try:
        import pyarrow as arrow  # noqa: PLC0415 - 55 MB that few installations want
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as missing:
        raise ExportUnavailable("Parquet needs pyarrow. Remedy: pip install 'presswork[export]'") from missing
    types = {"index": arrow.int64(), "at": arrow.timestamp("us", tz="UTC")}
    schema = arrow.schema([(name, types.get(name, arrow.string())) for name in COLUMNS])
    count = 0
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for page in pages:
            writer.write_table(arrow.Table.from_pylist([_typed(recorded) for recorded in page], schema=schema))
            count += len(page)
    return count


def _typed(recorded: Recorded) -> dict[str, Any]:
    return {**row_of(recorded), "at": datetime.fromisoformat(recorded.at)}

"""Manifests of a delivery: the lines of a request, of files only those that were delivered, as CSV and JSON lines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterable
from typing import Any

from workers.delivery.outcome import OUTCOME_PREFIX, with_apostrophe

CSV_NAME, JSONL_NAME = "manifest.csv", "manifest.jsonl"
_ITEM, _CHANNEL, _SHA256 = (f"{OUTCOME_PREFIX}{name}" for name in ("item_id", "channel", "sha256"))


def manifests(
    names: Iterable[str], lines: Iterable[dict[str, Any]], delivered: Collection[tuple[str, str]]
) -> tuple[bytes, bytes]:
    """Both manifests. `delivered` are (item, file); a line of another file is left out."""
    table, objects = io.StringIO(newline=""), io.StringIO()
    writer = csv.writer(table)
    writer.writerow(map(with_apostrophe, names))
    for line in lines:
        if line[_SHA256] is not None and (line[_ITEM], line[_CHANNEL]) not in delivered:
            continue
        writer.writerow(_cell(value) for value in line.values())
        objects.write(f"{json.dumps(line, ensure_ascii=False)}\n")
    return b"\xef\xbb\xbf" + table.getvalue().encode(), objects.getvalue().encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return with_apostrophe(value) if isinstance(value, str) else str(value)

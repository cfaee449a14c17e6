"""Exports of events as JSON lines and as CSV rows, page after page.

A spreadsheet program runs a cell that begins like a formula. Such CSV cells get an apostrophe in front, which those
programs hide (OWASP, "CSV Injection"). JSONL and Parquet hold the text as it is.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from io import StringIO
from typing import Any

from policy.ledger.reading.events import Recorded

COLUMNS = (
    "index",
    "event_id",
    "at",
    "tenant",
    "kind",
    "actor",
    "request_id",
    "batch_id",
    "item_id",
    "asset_id",
    "decision",
    "policy_version",
    "model",
    "model_revision",
    "seed",
    "event",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_NOUNS = ("request", "batch", "item", "asset")


def jsonl(pages: Iterable[list[Recorded]]) -> Iterator[bytes]:
    """Each page as UTF-8 lines. Private text stands in the place of its commitment, unless it was erased."""
    for page in pages:
        yield "".join(f"{json.dumps(recorded.to_json(), ensure_ascii=False)}\n" for recorded in page).encode()


def csv_rows(pages: Iterable[list[Recorded]]) -> Iterator[bytes]:
    """A header, then each page as UTF-8 rows in RFC 4180; `event` is the whole event as JSON."""
    yield _written([COLUMNS])
    for page in pages:
        yield _written([_harmless(cell) for cell in row_of(recorded).values()] for recorded in page)


def row_of(recorded: Recorded) -> dict[str, Any]:
    """An event by COLUMNS; None where it lacks a value."""
    written = recorded.to_json()
    event = written["event"]
    verdict, recipe = _object(event.get("verdict")), _object(event.get("recipe"))
    named = dict(subject.split(":", 1) for subject in recorded.subjects)
    values = {
        **{name: written[name] for name in ("index", "event_id", "at", "tenant", "kind", "actor")},
        **{f"{noun}_id": named.get(noun) for noun in _NOUNS},
        "decision": verdict.get("decision"),
        "policy_version": verdict.get("policy_version", event.get("policy_version")),
        "model": recipe.get("model", event.get("model")),
        "model_revision": recipe.get("model_revision", event.get("model_revision")),
        "seed": event.get("seed"),
        "event": json.dumps(event, ensure_ascii=False),
    }
    return {name: values[name] for name in COLUMNS}


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _written(rows: Iterable[Iterable[Any]]) -> bytes:
    page = StringIO(newline="")
    csv.writer(page).writerows(rows)
    return page.getvalue().encode()


def _harmless(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell

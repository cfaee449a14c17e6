"""Usage as CSV: a line for each group and currency, for whoever books it to a cost centre."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from api.results.documents import csv_document
from workers.jobs.control.usage import UsageLine

_NAMES = (
    *("group", "made", "refused", "failed", "cancelled"),
    *("gpu_seconds", "gpu_seconds_refused", "gpu_seconds_failed", "energy_joules"),
    *("currency", "cost", "cost_not_made"),
    *("reused", "reencoded"),
)


def usage_csv(lines: Sequence[UsageLine]) -> bytes:
    """The counts of a group stand in its first line; a further currency has a line with its money alone."""
    return b"".join(csv_document(_NAMES, [[row for line in lines for row in _rows(line)]]))


def _rows(line: UsageLine) -> Iterator[Mapping[str, Any]]:
    counts: dict[str, Any] = {name: getattr(line, name) for name in (*_NAMES[:9], *_NAMES[-2:])}
    for currency in sorted({*(line.cost or {}), *(line.cost_not_made or {})}) or [""]:
        money = {
            "currency": currency or None,
            "cost": (line.cost or {}).get(currency),
            "cost_not_made": (line.cost_not_made or {}).get(currency),
        }
        yield {**counts, **money}
        counts = {**dict.fromkeys(counts), "group": line.group}

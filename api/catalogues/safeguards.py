"""Safeguards of a plan: what looks like a mistake of the feed, so that a person is asked before anything is made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from api.catalogues.parts import COLUMN
from api.schemas.catalogues import CatalogueLimitsBody


class FeedCounts:
    """What was counted while a feed was read. One thread."""

    def __init__(self) -> None:
        self.rows = 0  # that are taken
        self.live = 0  # slots with a live picture before
        self.duplicates = 0  # rows whose key another row has
        self.blanks = Counter[str]()  # slots that lost a value, by part


def safeguards(
    limits: CatalogueLimitsBody, seen: FeedCounts, counts: Mapping[str, int], *, last_rows: int | None
) -> Iterator[dict[str, Any]]:
    """What stops the plan: a stable code, the figures, and a sentence."""
    moved = sum(counts.get(kind, 0) for kind in ("change", "missing", "retire"))
    if seen.live and moved * 100 > seen.live * limits.changed_percent:
        message = f"{moved:,} of {seen.live:,} pictures changed, are missing or are to be removed"
        yield _safeguard("changed", message, limits.changed_percent, moved * 100 / seen.live)
    if last_rows and seen.rows * 100 < last_rows * limits.rows_percent:
        message = f"the feed has {seen.rows:,} rows, and the last run had {last_rows:,}"
        yield _safeguard("rows", message, limits.rows_percent, seen.rows * 100 / last_rows)
    if seen.duplicates:
        message = f"{seen.duplicates:,} rows have the key of another row"
        yield _safeguard("duplicate_keys", message, 0, seen.duplicates)
    for part, lost in seen.blanks.items():
        if seen.live and lost * 100 > seen.live * limits.blank_percent:
            message = f"column '{part.removeprefix(COLUMN)}' lost its value in {lost:,} of {seen.live:,} pictures"
            yield _safeguard("blanks", message, limits.blank_percent, lost * 100 / seen.live)
    images = counts.get("create", 0) + counts.get("change", 0)
    if limits.images is not None and images > limits.images:
        yield _safeguard("images", f"{images:,} images would be made", limits.images, images)


def _safeguard(code: str, message: str, limit: int, found: float) -> dict[str, Any]:
    return {"code": code, "message": message, "limit": limit, "found": round(found, 1)}

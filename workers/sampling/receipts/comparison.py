"""Comparison of two receipts: whether the pixels are the same, and what differs first where they are not. Light."""

from __future__ import annotations

from collections.abc import Mapping

PIXELS = "pixels"  # field with the digest of the pixels before any mark


def first_difference(then: Mapping[str, str], now: Mapping[str, str]) -> str | None:
    """The first field but the pixels that is not what it was, in words; None if all are."""
    for field, value in then.items():
        if field != PIXELS and now.get(field) != value:
            return f"{field}: {value or 'none'} then, {now.get(field) or 'none'} now"
    return None

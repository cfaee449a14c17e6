"""Outcome columns: what is added to a row's own columns to say what became of its image, and formulas kept harmless."""

from __future__ import annotations

import re

# Of every column that we add to a caller's own. The reader of spreadsheets leaves such columns out.
OUTCOME_PREFIX = "presswork_"
OUTCOME_COLUMNS = (
    "variant",
    "state",
    "code",
    "category",
    "rule",
    "remedy",
    "seed",
    "asset_id",
    "sha256",
    "file_name",
    "width",
    "height",
    "format",
    "digital_source_type",
    "ai_declaration",
    "label",
    "seconds",
    "cost",
    "reused_from",
    "attempts",
    "released_at",
    "custom_id",
    "row",
    "item_id",
    "channel",
    "bytes",
    "gpu_seconds",
    "currency",
)
_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")  # a spreadsheet program runs a cell that begins like this


def with_apostrophe(cell: str) -> str:
    """The cell as it may stand in a spreadsheet."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def without_apostrophe(cell: str) -> str:
    """What `with_apostrophe` was given."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell

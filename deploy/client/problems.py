"""Problem documents as text: what is wrong, where, and what to do, in the words of the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

_SHOWN_ERRORS = 20
# Fields of a spec that an option gives.
_OPTIONS = (
    *("template", "name", "model", "upscale", "loras", "variants", "priority", "file", "channels", "deadline"),
    *("key", "where", "fill_down", "group", "clean", "ignore_columns", "delimiter", "encoding", "sheet", "accept"),
)
_SPELLED = {"loras": "lora", "channels": "channel", "fill_down": "fill-down", "ignore_columns": "ignore-column"}
_SHOWN_ROWS = 10


def problem_text(reply: httpx.Response) -> str:
    """A problem document as lines of text: what is wrong, and for each error where it is and what to do."""
    try:
        problem = reply.json()
    except ValueError:
        return f"the API answered {reply.status_code}: {reply.text[:300]}"
    return document_text(problem, reply.status_code)


def document_text(problem: Mapping[str, Any], status: int = 0) -> str:
    """The same of a document that was kept, such as that of a check."""
    lines = [f"{problem.get('title', status)}: {problem.get('detail', '')}"]
    errors = problem.get("errors") or []
    for error in errors[:_SHOWN_ERRORS]:
        lines.append(f"  {_place(error) or 'request'}: {error['message']}{_rows(error)}. {error['remedy']}")
    if len(errors) > _SHOWN_ERRORS:
        lines.append(f"  ... and {len(errors) - _SHOWN_ERRORS} more")
    lines += [
        f"  row {refusal['row']}, refused by policy: {refusal['message']}" for refusal in problem.get("refused") or []
    ]
    lines += [f"  warning: {warning['message']}{_rows(warning)}" for warning in problem.get("warnings") or []]
    return "\n".join(lines)


def _rows(found: dict[str, Any]) -> str:
    """The rows that one cause concerns, where there are several."""
    rows, count = found.get("rows") or [], found.get("count") or 0
    if count < 2:
        return ""
    more = f" and {count - _SHOWN_ROWS:,} more" if count > _SHOWN_ROWS else ""
    return f" (rows {', '.join(map(str, rows[:_SHOWN_ROWS]))}{more})"


def _place(error: dict[str, Any]) -> str:
    """Where it is; a field that an option gives is named as that option."""
    named = {noun: error[noun] for noun in ("row", "line", "column", "field") if error.get(noun)}
    if str(named.get("field", "")).partition(".")[0] in _OPTIONS:
        field, _, rest = str(named.pop("field")).partition(".")
        named[f"--{_SPELLED.get(field, field)}"] = rest
    return " ".join(f"{noun} {value}".strip() for noun, value in named.items())

"""Problem documents as text: what is wrong, where, and what to do, in the words of the command line."""

from __future__ import annotations

from typing import Any

import httpx

_SHOWN_ERRORS = 20
# Fields of a spec that an option gives.
_OPTIONS = ("template", "name", "model", "upscale", "loras", "variants", "priority", "file", "channels", "deadline")
_SINGULAR = {"loras": "lora", "channels": "channel"}


def problem_text(reply: httpx.Response) -> str:
    """A problem document as lines of text: what is wrong, and for each error where it is and what to do."""
    try:
        problem = reply.json()
    except ValueError:
        return f"the API answered {reply.status_code}: {reply.text[:300]}"
    lines = [f"{problem.get('title', reply.status_code)}: {problem.get('detail', '')}"]
    errors = problem.get("errors") or []
    for error in errors[:_SHOWN_ERRORS]:
        lines.append(f"  {_place(error) or 'request'}: {error['message']}. {error['remedy']}")
    if len(errors) > _SHOWN_ERRORS:
        lines.append(f"  ... and {len(errors) - _SHOWN_ERRORS} more")
    lines += [
        f"  row {refusal['row']}, refused by policy: {refusal['message']}" for refusal in problem.get("refused") or []
    ]
    return "\n".join(lines)


def _place(error: dict[str, Any]) -> str:
    """Where it is; a field that an option gives is named as that option."""
    named = {noun: error[noun] for noun in ("row", "line", "column", "field") if error.get(noun)}
    if str(named.get("field", "")).partition(".")[0] in _OPTIONS:
        field, _, rest = str(named.pop("field")).partition(".")
        named[f"--{_SINGULAR.get(field, field)}"] = rest
    return " ".join(f"{noun} {value}".strip() for noun, value in named.items())

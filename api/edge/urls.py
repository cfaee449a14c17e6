"""URL guard: text that no route can mean is refused before any route reads it.

A NUL character, another control character or half a surrogate pair in a query is no id, name, cursor or instant;
Postgres would refuse some of them in the middle of a statement. Lone surrogates cannot arrive by percent-encoding, as
the server replaces what is not UTF-8; they are refused all the same. What stands in a path is an id, and what is no id
is answered 404 like an unknown one, here if it holds such a character and in api/edge/paging.py otherwise.
"""

from __future__ import annotations

import unicodedata
from collections import Counter

from fastapi import Request

from api.edge.problems import Complaint, Problem, quoted

LISTS = frozenset({"by", "channel", "declare", "kind"})  # the parameters that take several values
_MEANINGLESS = frozenset({"Cc", "Cs"})  # categories of Unicode: controls and surrogates


async def guard_url(request: Request) -> None:
    """A dependency of every route. Raises Problem naming each parameter that holds such a character."""
    if not _is_meaningful(request.scope["path"]):
        raise Problem("not_found", "There is no such thing for this key.")
    complaints = [
        Complaint(
            "control_character",
            f"{quoted(value if _is_meaningful(name) else name)} holds a control character",
            "Remove it.",
            field=quoted(f"query.{name}").strip("'"),
        )
        for name, value in request.query_params.multi_items()
        if not (_is_meaningful(name) and _is_meaningful(value))
    ] or _repeated(request)
    if complaints:
        detail = "; ".join(f"{complaint.field}: {complaint.message}" for complaint in complaints[:3])
        raise Problem("invalid_parameters", f"{detail}.", errors=complaints[:100])


def _repeated(request: Request) -> list[Complaint]:
    """Complaints about parameters that were sent twice: the last would win without a word, dry_run=false for one."""
    sent = Counter(name for name, _ in request.query_params.multi_items() if name not in LISTS)
    return [
        Complaint("repeated", "this parameter takes one value", "Send it once.", field=f"query.{quoted(name)[1:-1]}")
        for name, times in sent.items()
        if times > 1
    ]


def _is_meaningful(text: str) -> bool:
    return not any(unicodedata.category(character) in _MEANINGLESS for character in text)

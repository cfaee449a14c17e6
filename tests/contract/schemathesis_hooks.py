"""Hooks of schemathesis: every call has an Idempotency-Key of its own, so that none counts as a repeat of another."""

from __future__ import annotations

import re
import secrets
import string
from typing import Any

import schemathesis
from hypothesis.strategies._internal import regex as from_regex

_HEADER = "Idempotency-Key"
_VALID = re.compile(r"[\x21-\x7e]{1,255}")
_LETTERS = string.ascii_letters + string.digits
_ENOUGH = 16  # characters that no two calls draw alike

_base_regex_strategy = from_regex.base_regex_strategy
_kept: dict[tuple[Any, ...], Any] = {}


def _kept_regex_strategy(regex: re.Pattern[str], *, parsed: Any = None, alphabet: Any) -> Any:
    """Strategy of a pattern, made once. That of a line of text takes a second: it lists the characters it leaves out.

    The document has that pattern in thirty places, and it is made several times for each.
    """
    key = (regex.pattern, regex.flags, repr(alphabet))
    if key not in _kept:
        _kept[key] = _base_regex_strategy(regex, parsed=parsed, alphabet=alphabet)
    return _kept[key]


from_regex.base_regex_strategy = _kept_regex_strategy  # type: ignore[assignment]  # ours are of text only


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Replace a valid key by another of its length; one too short to be unique by a longer one."""
    if case.headers and _VALID.fullmatch(sent := str(case.headers.get(_HEADER, ""))):
        case.headers[_HEADER] = "".join(secrets.choice(_LETTERS) for _ in range(max(len(sent), _ENOUGH)))

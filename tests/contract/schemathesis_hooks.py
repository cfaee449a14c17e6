"""Hooks of schemathesis: every call has an Idempotency-Key of its own, so that none counts as a repeat of another."""

from __future__ import annotations

import re
import secrets
import string
from typing import Any

import schemathesis

_HEADER = "Idempotency-Key"
_VALID = re.compile(r"[\x21-\x7e]{1,255}")
_LETTERS = string.ascii_letters + string.digits
_ENOUGH = 16  # characters that no two calls draw alike


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Replace a valid key by another of its length; one too short to be unique by a longer one."""
    if case.headers and _VALID.fullmatch(sent := str(case.headers.get(_HEADER, ""))):
        case.headers[_HEADER] = "".join(secrets.choice(_LETTERS) for _ in range(max(len(sent), _ENOUGH)))

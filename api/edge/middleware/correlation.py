"""Correlation ids: the caller's X-Request-ID and traceparent where they are sane, so that its logs and ours meet.

A caller chooses these words, so they are bounded in length and alphabet before a log or a header repeats them, and they
prove nothing: two requests may carry one id. The log line names tenant and key beside it.
"""

from __future__ import annotations

import re
import secrets
import uuid
from dataclasses import dataclass

from starlette.datastructures import Headers

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~:@/+=-]{0,127}")  # fits a header, a log and the path of a URN
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16


@dataclass(frozen=True, slots=True)
class Trace:
    """The caller's trace, and this request's own span in it."""

    trace_id: str
    span_id: str
    parent_span_id: str
    flags: str

    @property
    def is_sampled(self) -> bool:
        """Whether the caller records this trace."""
        return self.flags == "01"

    @property
    def traceparent(self) -> str:
        """The header that names our span, for the answer."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


def request_id(headers: Headers) -> str:
    """The caller's own id, if it sent one that is sane; else a new one. A UUID is written in lower case."""
    sent = headers.getlist("x-request-id")
    if len(sent) != 1 or not _ID.fullmatch(sent[0]):
        return str(uuid.uuid4())
    try:
        return str(uuid.UUID(sent[0])) if len(sent[0]) == 36 else sent[0]
    except ValueError:
        return sent[0]


def trace(headers: Headers) -> Trace | None:
    """The trace of a valid `traceparent` (W3C Trace Context, level 1, section 3.2); None without one."""
    sent = headers.getlist("traceparent")
    found = _TRACEPARENT.fullmatch(sent[0]) if len(sent) == 1 else None
    if found is None:
        return None
    version, trace_id, parent, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or trace_id == _NO_TRACE or parent == _NO_SPAN:
        return None
    sampled = int(flags, 16) & 1  # the one flag that version 00 knows
    return Trace(trace_id, secrets.token_hex(8), parent, f"{sampled:02x}")

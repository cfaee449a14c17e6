"""Opaque cursors: the id of the last entry of a page, dressed so that nobody builds one."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Protocol, TypeVar
from uuid import UUID

from api.problems import Complaint, Problem
from workers.errors import NotFound


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=_HasId)


def page(found: Sequence[T], limit: int) -> tuple[Sequence[T], str | None]:
    """The first `limit` of what was found (the caller asked for one more), and the cursor behind them."""
    shown = found[:limit]
    return shown, cursor_of(shown[-1].id) if len(found) > limit else None


def cursor_of(id: str) -> str:
    return base64.urlsafe_b64encode(b"c" + UUID(id).bytes).rstrip(b"=").decode()


def id_of(cursor: str) -> str | None:
    """The id a cursor stands for; None for the empty one. Raises Problem for one that we did not give out."""
    if not cursor:
        return None
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 17 or raw[:1] != b"c":
        complaint = Complaint(
            "cursor", "this is no cursor of ours", "Send next_cursor unchanged.", field="query.cursor"
        )
        raise Problem("invalid_parameters", "query.cursor: this is no cursor of ours.", errors=[complaint])
    return str(UUID(bytes=raw[1:]))


def uuid_or_not_found(id: str, noun: str) -> str:
    """The id in its one spelling. Raises NotFound for what cannot be an id: it is unknown, like any other."""
    try:
        return str(UUID(id))
    except ValueError:
        raise NotFound(f"no {noun} {id[:64]!r}") from None

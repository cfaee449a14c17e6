"""Cursors of pages: the id or the number of the last entry shown, encoded so that clients treat it as opaque."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Protocol, TypeVar
from uuid import UUID

from api.edge.problems import Complaint, Problem
from workers.errors import NotFound

_NUMBERS_END = 2**63  # of the database's largest integer type


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
    return str(UUID(bytes=_raw(cursor, b"c", 17)[1:])) if cursor else None


def cursor_of_number(number: int) -> str:
    """The cursor of a list whose entries are numbered."""
    return base64.urlsafe_b64encode(b"n" + number.to_bytes(8)).rstrip(b"=").decode()


def number_of(cursor: str) -> int:
    """The number a cursor stands for; 0, before the first, for the empty one. Raises Problem as `id_of` does."""
    number = int.from_bytes(_raw(cursor, b"n", 9)[1:]) if cursor else 0
    if number >= _NUMBERS_END:
        raise _no_cursor()
    return number


def uuid_or_not_found(id: str, noun: str) -> str:
    """The id in its one spelling. Raises NotFound for what cannot be an id: it is unknown, like any other."""
    try:
        return str(UUID(id))
    except ValueError:
        raise NotFound(f"no {noun} {id[:64]!r}") from None


def _raw(cursor: str, kind: bytes, length: int) -> bytes:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != length or raw[:1] != kind:
        raise _no_cursor()
    return raw


def _no_cursor() -> Problem:
    complaint = Complaint("cursor", "this is no cursor of ours", "Send next_cursor unchanged.", field="query.cursor")
    return Problem("invalid_parameters", "query.cursor: this is no cursor of ours.", errors=[complaint])

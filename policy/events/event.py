"""Event base class: a frozen value with a kind, a payload that is hashed, and private text that is not.

A field typed `Private` never enters the hashed body. The body holds a salted digest, and the text itself lies in an
erasable table. `subjects` names everything that the event is about, as "kind:id", for look-ups.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar

_NOUNS = (
    "request",
    "batch",
    "item",
    "asset",
    "key",
    "recall",
    "erasure",
    "hold",
    "input",
    "file",
    "batch_job",
    "catalogue",
)


@dataclass(frozen=True, slots=True)
class Private:
    """Text that may have to be erased one day. Only its salted digest is evidence."""

    text: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. Integers beyond 2^53 go in as strings (RFC 8785)."""

    kind: ClassVar[str]

    def payload(self) -> dict[str, Any]:
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self) if not _private(self, f.name)}

    def private(self) -> dict[str, str]:
        return {f.name: getattr(self, f.name).text for f in fields(self) if _private(self, f.name)}

    def subjects(self) -> tuple[str, ...]:
        """ "item:<id>" for a field item_id, and so on for every noun of the audit log."""
        return tuple(f"{noun}:{value}" for noun in _NOUNS if (value := getattr(self, f"{noun}_id", None)) is not None)


def _private(event: Event, name: str) -> bool:
    return isinstance(getattr(event, name), Private)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value

"""Events of inputs: pictures that a tenant sends in, what was found on them, and how they go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from policy.events.event import Event, Private


@dataclass(frozen=True, slots=True)
class InputReceived(Event):
    """A tenant sent a picture, or named an address to fetch one from. Nobody has looked at it yet."""

    kind: ClassVar[str] = "input.received"
    input_id: str
    key_id: str
    origin: str  # upload | address | archive
    sent_sha256: str | None  # of the file as it was sent; None: it is to be fetched
    consent: bool  # whether the sender states a consent of the people shown


@dataclass(frozen=True, slots=True)
class InputScreened(Event):
    """An input was decoded, stripped, screened and, unless policy refused it, stored for tasks to use."""

    kind: ClassVar[str] = "input.screened"
    input_id: str
    sent_sha256: str
    sha256: str | None  # of the stored picture; None: policy refused it, and nothing is stored
    width: int
    height: int
    media_type: str  # as it was sent
    verdict: dict[str, Any]
    marks: dict[str, Any]  # manifest, watermark and label that it carried


@dataclass(frozen=True, slots=True)
class InputFailed(Event):
    """An input could not be read; `reason` is a stable code."""

    kind: ClassVar[str] = "input.failed"
    input_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class InputWithdrawn(Event):
    """An input is used by no further task: it was erased, or recalled with what was made from it."""

    kind: ClassVar[str] = "input.withdrawn"
    input_id: str
    reason: str  # erased | recalled | retention
    sha256: str | None  # of the stored picture


@dataclass(frozen=True, slots=True)
class SourceChanged(Event):
    """A bucket of a tenant's own was registered, or removed, as a source of inputs and feeds."""

    kind: ClassVar[str] = "source.changed"
    source_id: str
    change: str  # registered | removed
    url: Private  # address, bucket and prefix; "" but where it was registered

    def subjects(self) -> tuple[str, ...]:
        return (f"source:{self.source_id}",)

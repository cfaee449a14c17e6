"""Events of decisions by people: reviews, recalls, erasures, legal holds, identifications."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from policy.events.event import Event, Private


@dataclass(frozen=True, slots=True)
class HoldViewed(Event):
    """A reviewer was given a link to a picture in quarantine."""

    kind: ClassVar[str] = "hold.viewed"
    request_id: str
    item_id: str
    key_id: str
    seconds: int


@dataclass(frozen=True, slots=True)
class ItemReviewed(Event):
    """A person judged a held picture. With four eyes the first release is not `final`: a second person must agree."""

    kind: ClassVar[str] = "item.reviewed"
    request_id: str
    item_id: str
    key_id: str
    reviewer: str  # name of the key: who reviewed
    decision: str  # release | refuse
    final: bool
    sha256: str  # the exact bytes that were judged
    comment: Private
    policy_version: str
    findings: tuple[dict[str, Any], ...]  # what the hold was for


@dataclass(frozen=True, slots=True)
class RecallOrdered(Event):
    """A person ordered that released pictures are taken back; an `asset.recalled` follows for each of `assets`."""

    kind: ClassVar[str] = "recall.ordered"
    recall_id: str
    criteria: dict[str, Any]
    reason: Private
    reason_code: str
    assets: int


@dataclass(frozen=True, slots=True)
class AssetRecalled(Event):
    """A released picture was recalled: no link is given any more, and every look-up says so."""

    kind: ClassVar[str] = "asset.recalled"
    recall_id: str
    request_id: str
    item_id: str
    asset_id: str
    reason_code: str
    sha256: tuple[str, ...]  # of every rendition: what the revocation list names


@dataclass(frozen=True, slots=True)
class RecallFinished(Event):
    """Every object of a recall is out of reach.

    Of `missing` assets an object lay neither at its old nor its new key.
    """

    kind: ClassVar[str] = "recall.finished"
    recall_id: str
    assets: int
    missing: int


@dataclass(frozen=True, slots=True)
class ErasureOrdered(Event):
    """A person ordered that texts are erased. What was searched for is not written down: it may name the person."""

    kind: ClassVar[str] = "erasure.ordered"
    erasure_id: str
    scope: dict[str, Any]  # {"item": id}, {"request": id}, {"key": id}, {"tenant": true} or {"text": true}


@dataclass(frozen=True, slots=True)
class TextErased(Event):
    """Private text of earlier events was deleted, on request or because its time was over; their proofs stay."""

    kind: ClassVar[str] = "text.erased"
    erasure_id: str
    basis: str  # request | retention
    retention_class: str
    event_ids: tuple[str, ...]  # whose private fields are gone; none where only copies were
    fields: tuple[str, ...]  # of each of them
    copies: dict[str, int]  # copies outside the ledger that went with them, counted by where they lay

    def subjects(self) -> tuple[str, ...]:
        """The erasure, and every event by its id: this is how a missing text finds what explains it."""
        return (f"erasure:{self.erasure_id}", *(f"event:{event_id}" for event_id in self.event_ids))


@dataclass(frozen=True, slots=True)
class PictureErased(Event):
    """An object was deleted from the store: its retention period was over, or its erasure was ordered."""

    kind: ClassVar[str] = "picture.erased"
    erasure_id: str
    basis: str  # request | retention
    retention_class: str
    item_id: str | None  # None: its key names no item
    object_key: str


@dataclass(frozen=True, slots=True)
class ErasureFinished(Event):
    """Everything that an order named is erased, and so is what it searched for."""

    kind: ClassVar[str] = "erasure.finished"
    erasure_id: str
    erased: dict[str, int]  # by where it lay


@dataclass(frozen=True, slots=True)
class LegalHoldPlaced(Event):
    """Nothing in this scope may be erased until the hold is lifted; it beats requests and retention periods."""

    kind: ClassVar[str] = "hold.placed"
    hold_id: str
    scope: dict[str, Any]
    reason: Private


@dataclass(frozen=True, slots=True)
class LegalHoldLifted(Event):
    """A legal hold ended."""

    kind: ClassVar[str] = "hold.lifted"
    hold_id: str


@dataclass(frozen=True, slots=True)
class PictureIdentified(Event):
    """Somebody asked whose picture this is, and got an answer. The asset is named where it is the asker's own."""

    kind: ClassVar[str] = "picture.identified"
    identification_id: str
    sha256: str  # of the file that was sent
    finding: str  # ours | ours_altered | shares_content | not_found | conflicting | failed
    verified: bool
    asset_id: str | None

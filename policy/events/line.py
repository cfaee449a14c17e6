"""Events of the production line: requests, batches, items, and links to released files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from policy.events.event import Event, Private


def _of_inputs(inputs: tuple[dict[str, Any], ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f"input:{each['input_id']}" for each in inputs))


@dataclass(frozen=True, slots=True)
class RequestAccepted(Event):
    """A request was stored with all its items; `refused` of them were refused by their prompt at once."""

    kind: ClassVar[str] = "request.accepted"
    request_id: str
    request_kind: str
    name: Private
    template: Private
    model: str
    model_revision: str
    priority: str
    items: int
    refused: int
    policy_version: str
    renditions: tuple[str, ...] = ("original",)  # files of each image
    publish_prompt: bool = False  # its prompts stand in the public marks
    deadline: str | None = None
    at_deadline: str = "pause"  # pause | expire
    channels: tuple[dict[str, Any], ...] = ()  # Channel.public() of each further file
    pilot: dict[str, Any] | None = None  # what is made first, and how many of it may be rejected
    parent_id: str | None = None  # the earlier request whose rows it corrects
    origin: dict[str, Any] | None = None  # what was stated of its pictures, which another tool made


@dataclass(frozen=True, slots=True)
class RequestCancelled(Event):
    """A tenant cancelled a request, or a part of it; `items` were still open and will not be made."""

    kind: ClassVar[str] = "request.cancelled"
    request_id: str
    items: int
    selected_by: tuple[str, ...] = ()  # the criteria of a part; none: all that was open


@dataclass(frozen=True, slots=True)
class ItemCancelled(Event):
    """A tenant cancelled one item."""

    kind: ClassVar[str] = "item.cancelled"
    request_id: str
    item_id: str


@dataclass(frozen=True, slots=True)
class BatchDispatched(Event):
    """Items were put into a batch, for life."""

    kind: ClassVar[str] = "batch.dispatched"
    batch_id: str
    queue: str
    recipe: dict[str, Any]
    item_ids: tuple[str, ...]

    def subjects(self) -> tuple[str, ...]:
        """The batch and each member: this is where an item's line meets its batch."""
        return (f"batch:{self.batch_id}", *(f"item:{item_id}" for item_id in self.item_ids))


@dataclass(frozen=True, slots=True)
class BatchClaimed(Event):
    """A worker took the lease of a batch."""

    kind: ClassVar[str] = "batch.claimed"
    batch_id: str
    attempt: int
    worker: str


@dataclass(frozen=True, slots=True)
class PictureDiscarded(Event):
    """A sampled picture was rejected and sampled again with another seed, as the rule set says; it was not kept."""

    kind: ClassVar[str] = "picture.discarded"
    request_id: str
    item_id: str
    batch_id: str
    attempt: int
    drawing: int  # 1 is the seed that was submitted
    seed: str
    verdict: dict[str, Any] | None  # None where nothing came out
    fault: str | None


@dataclass(frozen=True, slots=True)
class BatchFinished(Event):
    """Every member of a batch has its outcome, or was cancelled; the events of its items say which."""

    kind: ClassVar[str] = "batch.finished"
    batch_id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class BatchReturned(Event):
    """A worker gave its batch back unharmed. The claim does not count against the batch."""

    kind: ClassVar[str] = "batch.returned"
    batch_id: str
    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class BatchExpired(Event):
    """A claim came to nothing: its lease ran out, or the worker met an unexpected error."""

    kind: ClassVar[str] = "batch.expired"
    batch_id: str
    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class BatchAbandoned(Event):
    """A batch used up its claims. Its open items went into the batches `into`, or failed if there are none."""

    kind: ClassVar[str] = "batch.abandoned"
    batch_id: str
    attempt: int
    into: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ItemReleased(Event):
    """An image passed every screen, carries its marks, and lies in the store under these digests."""

    kind: ClassVar[str] = "item.released"
    request_id: str
    item_id: str
    asset_id: str
    batch_id: str
    attempt: int
    prompt: Private
    negative_prompt: Private
    recipe: dict[str, Any]
    seed: str
    batch_size: int
    batch_position: int
    device: str
    verdict: dict[str, Any]
    marks: dict[str, Any]
    renditions: tuple[dict[str, Any], ...]
    receipt: dict[str, str] = field(default_factory=dict)  # versions and digest of pixels; empty in older events
    review: dict[str, Any] | None = None  # who released it from quarantine; None: policy allowed it at once
    row: int | None = None  # 1-based, of the spreadsheet; None in events from before it was kept, here and below
    variant: int | None = None  # 0-based
    prompt_read_chars: int | None = None  # characters that the model's text encoder reads; None: all of them
    negative_prompt_read_chars: int | None = None
    inputs: tuple[dict[str, Any], ...] = ()  # what it was made from: role, input_id and sha256 of each
    product: dict[str, Any] | None = None  # of background tasks: mask, its check, and the proof of the pixels
    drawing: dict[str, Any] | None = None  # the kept one that its files were made of: item_id, sha256; None: drawn

    def subjects(self) -> tuple[str, ...]:
        return (*Event.subjects(self), *_of_inputs(self.inputs))


@dataclass(frozen=True, slots=True)
class ItemHeld(Event):
    """An image waits in quarantine for a person."""

    kind: ClassVar[str] = "item.held"
    request_id: str
    item_id: str
    batch_id: str
    attempt: int
    prompt: Private
    negative_prompt: Private
    recipe: dict[str, Any]
    seed: str
    verdict: dict[str, Any]
    sha256: str  # of what a reviewer sees
    renditions: tuple[dict[str, Any], ...] = ()  # what a release would release; none where the marks failed
    row: int | None = None
    variant: int | None = None
    prompt_read_chars: int | None = None
    negative_prompt_read_chars: int | None = None
    inputs: tuple[dict[str, Any], ...] = ()  # what it was made from: role, input_id and sha256 of each
    product: dict[str, Any] | None = None  # as in item.released
    drawing: dict[str, Any] | None = None  # as in item.released

    def subjects(self) -> tuple[str, ...]:
        return (*Event.subjects(self), *_of_inputs(self.inputs))


@dataclass(frozen=True, slots=True)
class ItemRefused(Event):
    """Policy refused an item, at submission (no batch yet) or after sampling; or a person did, after a hold."""

    kind: ClassVar[str] = "item.refused"
    request_id: str
    item_id: str
    batch_id: str | None
    attempt: int | None
    prompt: Private
    negative_prompt: Private
    recipe: dict[str, Any]
    seed: str
    verdict: dict[str, Any]
    review: dict[str, Any] | None = None  # who refused it; None: policy did
    row: int | None = None
    variant: int | None = None
    inputs: tuple[dict[str, Any], ...] = ()  # what it was made from: role, input_id and sha256 of each

    def subjects(self) -> tuple[str, ...]:
        return (*Event.subjects(self), *_of_inputs(self.inputs))


@dataclass(frozen=True, slots=True)
class ItemRewritten(Event):
    """At submission, policy changed a text before it was sampled: what was sent, what it became, and by which rules."""

    kind: ClassVar[str] = "item.rewritten"
    request_id: str
    item_id: str
    sent_prompt: Private
    sent_negative_prompt: Private
    prompt: Private
    negative_prompt: Private
    policy_version: str
    findings: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class ItemFailed(Event):
    """An item could not be made; `reason` is a stable code."""

    kind: ClassVar[str] = "item.failed"
    request_id: str
    item_id: str
    batch_id: str
    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class ItemRetried(Event):
    """A failed item is made again, in this round of its request, from this seed."""

    kind: ClassVar[str] = "item.retried"
    request_id: str
    item_id: str
    round: int  # 1 is the first retry
    seed: str
    reason: str  # why it had failed


@dataclass(frozen=True, slots=True)
class AssetDownloaded(Event):
    """The bytes of a rendition were sent to a key, in an archive of results."""

    kind: ClassVar[str] = "asset.downloaded"
    asset_id: str
    item_id: str
    rendition: str
    key_id: str


@dataclass(frozen=True, slots=True)
class AssetLinked(Event):
    """A presigned link to a rendition was given to a key."""

    kind: ClassVar[str] = "asset.linked"
    asset_id: str
    item_id: str
    rendition: str
    key_id: str
    seconds: int

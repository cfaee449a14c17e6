"""Types that pass between the functions of a job's line. Rows stay inside this package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

import uuid_utils

from policy.marks.channels.channel import Channel
from policy.marks.provenance.origin import StatedOrigin, marks_in_words
from policy.marks.renditions import ORIGINAL
from policy.verdict import Finding, Verdict
from workers.cost.forecast import Take
from workers.cost.limits import Limits
from workers.recipes import Recipe
from workers.states import Priority


def new_id() -> str:
    """UUIDv7: unique anywhere, and ordered by creation within a process."""
    return str(uuid_utils.uuid7())


class TextsRead(NamedTuple):
    """Characters of each text that the model's text encoder reads; None: all of them."""

    prompt: int | None = None
    negative_prompt: int | None = None


ALL_READ = TextsRead()


@dataclass(frozen=True, slots=True)
class NewItem:
    """One image to make, as submitted. A verdict that refuses makes it REFUSED at once.

    `sent` holds, by field, the texts that policy rewrote; `prompt` and `negative_prompt` are what is sampled.
    """

    row: int  # 1-based data row
    custom_id: str
    variant: int  # 0-based
    prompt: str
    negative_prompt: str
    seed: int
    recipe: Recipe
    verdict: Verdict
    sent: Mapping[str, str] = field(default_factory=dict)
    carried: Sequence[str] = ()  # the cells of its row, one for each of the request's carried columns
    file_suffix: str = ""  # of workers.delivery.file_names.distinct
    queue: str | None = None  # None: the request's
    priority: Priority | None = None  # None: the request's
    renditions: tuple[str, ...] = ()  # empty: the request's
    texts_read: TextsRead = ALL_READ
    sample: bool = False  # of the pilot: made before a person accepts the rest
    inputs: Mapping[str, str] = field(default_factory=dict)  # ids of inputs by role
    differs: str = ""  # what is not as it was in the earlier item of its row; "": nothing known
    drawing_of: str | None = None  # the item whose kept drawing it is made of, unless an asset is there


@dataclass(frozen=True, slots=True)
class NewPilot:
    """What a pilot asks, and how many images were sampled for it: each stratum has its share, rounded up."""

    images: int  # that count for the proof
    max_rejected: int
    sampled: int
    strata: int = 1
    stratify_by: tuple[int, ...] = ()  # 0-based places among the carried columns
    four_eyes: bool = False  # another person than the one who submitted it accepts


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """Where the files of a request go."""

    target_id: str
    prefix: str


@dataclass(frozen=True, slots=True)
class NewRequest:
    """A request to store; its items come beside it as an iterable, so that no list of them is held."""

    id: str
    tenant: str
    kind: str  # single | campaign | batch | marks
    name: str
    template: str
    model: str
    model_revision: str
    priority: Priority
    queue: str
    key_id: str
    policy_version: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    renditions: tuple[str, ...] = (ORIGINAL,)  # of policy.marks.renditions, ordered
    publish_prompt: bool = False
    deadline: datetime | None = None
    at_deadline: str = "pause"  # pause | expire
    carried_columns: tuple[str, ...] = ()  # names of the columns that rows carry
    channels: tuple[Channel, ...] = ()  # further files of each image
    file_templates: Mapping[str, str] = field(default_factory=dict)  # by channel or rendition; "" is for all others
    pilot: NewPilot | None = None  # None: it begins to run at once
    share: Mapping[str, Take] = field(default_factory=dict)  # P90 of an image, by work, where it is known
    delivery: NewDelivery | None = None  # the bucket that its files are delivered to
    origin: StatedOrigin | None = None  # of its pictures, where another tool made them
    currency: str = ""  # of the money in `share`; "": this installation has no prices
    budget: Limits | None = None  # of its own
    parent_id: str | None = None  # the earlier request whose rows it corrects
    reuse: bool = False  # its items take pictures that are there already


@dataclass(frozen=True, slots=True)
class Discarded:
    """A picture that was not kept: the item was sampled again with another seed."""

    seed: int
    verdict: Verdict | None  # None where nothing came out
    fault: str | None


@dataclass(frozen=True, slots=True)
class ItemInput:
    """An input that an item is made from, as it was when its batch was claimed."""

    role: str  # of workers.recipes.ROLES
    input_id: str
    state: str  # of workers.states.InputState
    sha256: str | None = None  # of the sanitised picture
    key: str | None = None  # where that lies
    original_key: str | None = None  # where the file as it was sent lies, which carries a manifest
    media_type: str = ""  # of that
    verdict: Verdict | None = None
    marks: Mapping[str, Any] | None = None  # that it carried when it was sent in
    consent: bool = False  # somebody stated that the people who are shown agreed

    def to_json(self) -> dict[str, str | bool | None]:
        """What events and provenance say of it."""
        stated = {"consent": True} if self.consent else {}
        return {"role": self.role, "input_id": self.input_id, "sha256": self.sha256, **stated}


@dataclass(frozen=True, slots=True)
class Item:
    """An item as its asset and its events name it."""

    id: str
    request_id: str
    tenant: str
    custom_id: str
    variant: int
    prompt: str
    negative_prompt: str
    seed: int
    row: int | None = None  # 1-based, of its spreadsheet
    texts_read: TextsRead = ALL_READ
    inputs: tuple[ItemInput, ...] = ()  # what it is made from, in the order of their roles
    discarded: tuple[Discarded, ...] = ()  # earlier pictures, recorded at settlement; `seed` is that of the kept one
    delivers: bool = True  # its request may have a delivery, which waits for its release
    made_of: Mapping[str, str] | None = None  # item_id and sha256 of a kept drawing; None: it is drawn itself


@dataclass(frozen=True, slots=True)
class ClaimedItem(Item):
    """A member of a claimed batch, with what finishing has to know of its request."""

    campaign: str = ""  # the request's name, for rules with a scope
    rewrites: tuple[Finding, ...] = ()  # by which the texts became what they are
    renditions: tuple[str, ...] = (ORIGINAL,)  # the files its request asked for
    publish_prompt: bool = False  # its request wants the prompt in the files
    channels: tuple[Channel, ...] = ()  # further files that its request asked for
    label_language: str = ""  # of its row; "": that of each channel's label
    origin: StatedOrigin | None = None  # where another tool made it
    drawing: KeptDrawing | None = None  # that its files are made of; None: it is drawn, or that is gone

    @property
    def stated(self) -> StatedOrigin | None:
        """What was stated of a picture that another tool made, and beside it what its file carried."""
        found = tuple(word for each in self.inputs for word in marks_in_words(each.marks))
        return replace(self.origin, found=found) if self.origin else None

    @property
    def unlabelled(self) -> tuple[str, ...]:
        """Channels whose files carry no visible label; none of a picture that is declared as no model's work."""
        if self.origin and self.origin.declaration == "none":
            return ()
        return tuple(channel.name for channel in self.channels if channel.label is None)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of a batch, as the provenance and the events of its pictures name it."""

    batch_id: str
    attempt: int  # counts claims of the batch; while the lease is held, the fencing token
    recipe: Recipe


@dataclass(frozen=True, slots=True)
class Claim(Attempt):
    """An attempt whose lease is held. Settle refuses an older `attempt`."""

    queue: str
    items: tuple[ClaimedItem, ...]
    deaths: int = 0  # claims in a row whose worker died before it settled anything


@dataclass(frozen=True, slots=True)
class SamplingPosition:
    """Where in which sampling run an image came off: needed to make it again bit for bit."""

    batch_size: int
    batch_position: int
    device: str
    receipt: Mapping[str, str] = field(default_factory=dict, compare=False)  # of workers.sampling.receipts


@dataclass(frozen=True, slots=True)
class KeptDrawing:
    """The pixels of a picture as they came off and were screened, without marks, kept to make other files of them."""

    item_id: str  # that it was drawn for
    key: str  # of a lossless file; its alpha is that of the lock, if there is one
    sha256: str
    bytes: int
    position: SamplingPosition
    product: Mapping[str, Any] | None = None  # what provenance says of the product, of background tasks
    lock: Mapping[str, Any] | None = None  # facts of a product that stays as it was, and whether strictly


@dataclass(frozen=True, slots=True)
class StoredRendition:
    """An object that lies in the store, with the digest the store itself verified."""

    name: str
    key: str
    media_type: str
    width: int
    height: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Finished:
    """A picture that was marked, signed, read back and stored: what a release writes down, whenever it comes."""

    asset_id: str
    watermark_id: int
    position: SamplingPosition
    marks: Mapping[str, Any]  # policy.marks.Marked.evidence
    renditions: tuple[StoredRendition, ...]
    product: Mapping[str, Any] | None = field(default=None, kw_only=True)  # mask and proof, of background tasks
    kept: KeptDrawing | None = field(default=None, kw_only=True)  # of what was drawn; None: not kept, or kept before
    thumbhash: str | None = field(default=None, kw_only=True)  # of its thumbnail, in base64


@dataclass(frozen=True, slots=True)
class Released(Finished):
    """The image may leave: its screen, or a person's review, allows it."""

    item: Item
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Held:
    """The image waits in quarantine for a person. Without `finished` its marks failed: it can only be refused."""

    item: ClaimedItem
    verdict: Verdict
    key: str  # what the reviewer looks at
    sha256: str  # of those very bytes
    finished: Finished | None = None  # its renditions lie in quarantine


@dataclass(frozen=True, slots=True)
class Refused:
    """Policy said no; no bytes are kept."""

    item: ClaimedItem
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Failed:
    """The image could not be made; `reason` is a stable code."""

    item: Item
    reason: str


Outcome = Released | Held | Refused | Failed

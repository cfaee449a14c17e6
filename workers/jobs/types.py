"""What passes between the line's functions. Rows stay inside this package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import uuid_utils

from policy.marks.renditions import ORIGINAL
from policy.verdict import Finding, Verdict
from workers.recipes import Recipe
from workers.states import Priority


def new_id() -> str:
    """UUIDv7: unique anywhere, and ordered by creation within a process."""
    return str(uuid_utils.uuid7())


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


@dataclass(frozen=True, slots=True)
class NewRequest:
    """A request to store; its items come beside it as an iterable, so that no list of them is held."""

    id: str
    tenant: str
    kind: str  # single | campaign
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


@dataclass(frozen=True, slots=True)
class Discarded:
    """A drawing that was not kept: it was drawn again with another seed."""

    seed: int
    verdict: Verdict | None  # None where nothing came out
    fault: str | None


@dataclass(frozen=True, slots=True)
class ClaimedItem:
    """A member of a claimed batch, in batch order."""

    id: str
    request_id: str
    tenant: str
    custom_id: str
    variant: int
    prompt: str
    negative_prompt: str
    seed: int
    campaign: str = ""  # the request's name, for rules with a scope
    rewrites: tuple[Finding, ...] = ()  # by which the texts became what they are
    renditions: tuple[str, ...] = (ORIGINAL,)  # the files its request asked for
    publish_prompt: bool = False  # its request wants the prompt in the files
    discarded: tuple[Discarded, ...] = ()  # earlier drawings within this claim; `seed` is the last one's
    row: int | None = None  # 1-based, of its spreadsheet


@dataclass(frozen=True, slots=True)
class Claim:
    """A held lease. `attempt` is the fencing token: settle refuses an older one."""

    batch_id: str
    queue: str
    attempt: int
    recipe: Recipe
    items: tuple[ClaimedItem, ...]


@dataclass(frozen=True, slots=True)
class SamplingPosition:
    """Where in which sampling run an image came off: needed to make it again bit for bit."""

    batch_size: int
    batch_position: int
    device: str


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
class Released:
    """The image may leave: it was screened, marked, signed, read back and stored."""

    item: ClaimedItem
    asset_id: str
    watermark_id: int
    position: SamplingPosition
    verdict: Verdict
    marks: Mapping[str, Any]  # policy.marks.Marked.evidence
    renditions: tuple[StoredRendition, ...]


@dataclass(frozen=True, slots=True)
class HeldAsset:
    """All that a release needs later: a held image was marked, signed and read back like a released one.

    The renditions lie in quarantine.
    """

    asset_id: str
    watermark_id: int
    position: SamplingPosition
    marks: Mapping[str, Any]  # policy.marks.Marked.evidence
    renditions: tuple[StoredRendition, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """The image waits in quarantine for a person. Without an `asset` its marks failed: it can only be refused."""

    item: ClaimedItem
    verdict: Verdict
    key: str  # what the reviewer looks at
    sha256: str  # of those very bytes
    asset: HeldAsset | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Policy said no; no bytes are kept."""

    item: ClaimedItem
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Failed:
    """The image could not be made; `reason` is a stable code."""

    item: ClaimedItem
    reason: str


Outcome = Released | Held | Refused | Failed

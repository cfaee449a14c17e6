"""Events of control over requests: paused, resumed, changed, over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from policy.events.event import Event


@dataclass(frozen=True, slots=True)
class RequestPaused(Event):
    """Nothing new of a request is planned: a person, its breaker, its budget, its deadline or policy paused it."""

    kind: ClassVar[str] = "request.paused"
    request_id: str
    reason: str
    figures: dict[str, Any] | None = None  # what the reason was measured by


@dataclass(frozen=True, slots=True)
class RequestResumed(Event):
    """A paused request goes on in the phase that it came from."""

    kind: ClassVar[str] = "request.resumed"
    request_id: str
    phase: str


@dataclass(frozen=True, slots=True)
class RequestChanged(Event):
    """The priority, the deadline or the budget of a request was changed while it ran; each with what it was."""

    kind: ClassVar[str] = "request.changed"
    request_id: str
    changes: dict[str, Any]  # name -> {"from": ..., "to": ...}


@dataclass(frozen=True, slots=True)
class RequestFinished(Event):
    """No image of a request is open any more; `counts` are its items by state at that moment."""

    kind: ClassVar[str] = "request.finished"
    request_id: str
    phase: str  # finished | cancelled
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class BudgetChanged(Event):
    """The budget of a tenant, of one of its API keys or of a request was set, changed or taken away."""

    kind: ClassVar[str] = "budget.changed"
    key_id: str | None  # None: of the whole tenant
    images_before: int | None  # None: there was none
    images: int | None  # None: there is none any more
    limits_before: dict[str, Any] | None = None  # gpu_seconds, cost and currency; None: as in `images_before`
    limits: dict[str, Any] | None = None
    request_id: str | None = None  # of one request; None: as `key_id` says


@dataclass(frozen=True, slots=True)
class RequestExpired(Event):
    """The deadline of a request passed; `items` of it still waited and will not be made."""

    kind: ClassVar[str] = "request.expired"
    request_id: str
    items: int


@dataclass(frozen=True, slots=True)
class ItemReused(Event):
    """An item took an asset of its tenant that was there already, and was not drawn; `reason` says why it could."""

    kind: ClassVar[str] = "item.reused"
    request_id: str
    item_id: str
    asset_id: str
    reason: str  # same_content: everything that decides pixels and files is equal
    recipe: dict[str, Any]
    seed: str
    policy_version: str


@dataclass(frozen=True, slots=True)
class ReuseRecalled(Event):
    """An item whose asset it shares with another was recalled with that asset."""

    kind: ClassVar[str] = "item.recalled"
    request_id: str
    item_id: str
    asset_id: str
    recall_id: str


@dataclass(frozen=True, slots=True)
class PilotReady(Event):
    """The sample of a campaign is made, and a person is to look at it; `counts` are its images by state."""

    kind: ClassVar[str] = "pilot.ready"
    request_id: str
    images: int
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class PilotAccepted(Event):
    """A person accepted the pilot as the sheet with this digest shows it: the rest of the campaign is made."""

    kind: ClassVar[str] = "pilot.accepted"
    request_id: str
    key_id: str
    reviewer: str  # name of the key
    digest: str
    images: int
    bad: int
    rejected: tuple[str, ...]  # ids of the items that the person rejected
    share_at_most: str  # of bad images, with 95 % confidence


@dataclass(frozen=True, slots=True)
class PilotRejected(Event):
    """A person rejected the pilot as the sheet with this digest shows it: the rest of the campaign waits."""

    kind: ClassVar[str] = "pilot.rejected"
    request_id: str
    key_id: str
    reviewer: str
    digest: str
    images: int
    bad: int
    rejected: tuple[str, ...]
    share_at_most: str

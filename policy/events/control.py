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
    """The budget of a tenant, or of one of its API keys, was set, changed or taken away."""

    kind: ClassVar[str] = "budget.changed"
    key_id: str | None  # None: of the whole tenant
    images_before: int | None  # None: there was none
    images: int | None  # None: there is none any more


@dataclass(frozen=True, slots=True)
class RequestExpired(Event):
    """The deadline of a request passed; `items` of it still waited and will not be made."""

    kind: ClassVar[str] = "request.expired"
    request_id: str
    items: int

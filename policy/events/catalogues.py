"""Events of catalogues: their file, plans, runs, what became live, and why a person is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from policy.events.event import Event, Private


@dataclass(frozen=True, slots=True)
class CatalogueChanged(Event):
    """A catalogue has another file from now on: a new one, or the next version."""

    kind: ClassVar[str] = "catalogue.changed"
    catalogue_id: str
    name: Private
    version: int
    spec_sha256: str


@dataclass(frozen=True, slots=True)
class CataloguePlanned(Event):
    """A plan was made of a feed, with this digest of everything that an apply would do."""

    kind: ClassVar[str] = "catalogue.planned"
    catalogue_id: str
    plan_id: str
    digest: str
    feed_sha256: str
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class CatalogueApplied(Event):
    """A plan was applied: its request makes `slots` pictures. A person overruled the safeguards in `confirmed`."""

    kind: ClassVar[str] = "catalogue.applied"
    catalogue_id: str
    plan_id: str
    digest: str
    run: int
    request_id: str | None  # None: it makes no picture
    slots: int
    confirmed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CatalogueFlipped(Event):
    """Released pictures of a run became the live ones of their slots; the earlier ones stay where they are."""

    kind: ClassVar[str] = "catalogue.flipped"
    catalogue_id: str
    run: int
    slots: int


@dataclass(frozen=True, slots=True)
class CatalogueRunFinished(Event):
    """No picture of a run is open any more; `counts` are its items by state at that moment."""

    kind: ClassVar[str] = "catalogue.finished"
    catalogue_id: str
    run: int
    request_id: str
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class CatalogueRolledBack(Event):
    """The pictures that were live after an earlier run are live again, by flips of a run of its own."""

    kind: ClassVar[str] = "catalogue.returned"
    catalogue_id: str
    run: int
    to_run: int
    slots: int


@dataclass(frozen=True, slots=True)
class CataloguePaused(Event):
    """Nothing of a catalogue is applied by itself until a person decides."""

    kind: ClassVar[str] = "catalogue.paused"
    catalogue_id: str
    reason: str  # safeguards | rollback
    figures: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SlotsRetired(Event):
    """Goods were taken out of a catalogue, by a person or by marks of the feed: their pictures are listed no longer."""

    kind: ClassVar[str] = "slots.retired"
    catalogue_id: str
    slots: int


@dataclass(frozen=True, slots=True)
class CatalogueDelivered(Event):
    """The manifest at a target names what is live, and every file that it names is there."""

    kind: ClassVar[str] = "catalogue.delivered"
    catalogue_id: str
    run: int
    target_id: str
    files: int


@dataclass(frozen=True, slots=True)
class CatalogueScheduled(Event):
    """A person let this version of a catalogue run by itself, by this timetable."""

    kind: ClassVar[str] = "catalogue.scheduled"
    catalogue_id: str
    version: int
    timetable: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CatalogueUnscheduled(Event):
    """A catalogue runs by itself no longer."""

    kind: ClassVar[str] = "catalogue.unscheduled"
    catalogue_id: str


@dataclass(frozen=True, slots=True)
class CatalogueTickEnded(Event):
    """A due time of a schedule was carried out, or was skipped; `run` is the run that it applied."""

    kind: ClassVar[str] = "catalogue.ticked"
    catalogue_id: str
    due_at: str
    outcome: str  # applied | nothing | asked | failed | refused | overlapped
    reason: str
    run: int | None

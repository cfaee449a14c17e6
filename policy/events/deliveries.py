"""Events of delivery: targets of tenants, and released files on their way to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from policy.events.event import Event, Private


@dataclass(frozen=True, slots=True)
class DeliveryTargetChanged(Event):
    """A bucket of a tenant's own was registered, checked, or removed as a target of delivery."""

    kind: ClassVar[str] = "target.changed"
    target_id: str
    change: str  # registered | rechecked | removed | ready | refused: and why
    url: Private  # address, bucket and prefix; "" but where it was registered

    def subjects(self) -> tuple[str, ...]:
        return (f"target:{self.target_id}",)


@dataclass(frozen=True, slots=True)
class AssetDelivered(Event):
    """A released file was written to a target, and read back by its digest."""

    kind: ClassVar[str] = "asset.delivered"
    asset_id: str
    item_id: str
    rendition: str
    target_id: str
    sha256: str


@dataclass(frozen=True, slots=True)
class DeliveryWithdrawn(Event):
    """A delivered file of a recalled asset: deleted in the target, or left there. Or one that a catalogue replaced."""

    kind: ClassVar[str] = "delivery.withdrawn"
    asset_id: str
    item_id: str
    rendition: str
    target_id: str
    state: str  # withdrawn | listed | replaced


@dataclass(frozen=True, slots=True)
class DeliveryPaused(Event):
    """A target did not take the files of a request or a catalogue. It is tried again by itself."""

    kind: ClassVar[str] = "delivery.paused"
    request_id: str | None
    target_id: str
    reason: str
    catalogue_id: str | None = None  # where it is of no request


@dataclass(frozen=True, slots=True)
class DeliveryResumed(Event):
    """A target that did not take the files of a request or a catalogue takes them again."""

    kind: ClassVar[str] = "delivery.resumed"
    request_id: str | None
    target_id: str
    catalogue_id: str | None = None  # where it is of no request

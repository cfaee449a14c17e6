"""Used: how long a claim held its device, the energy that the device reports, and the share of each item.

An item's share is that of the runs it was part of: a run's seconds divided by its images. What an attempt used that
settled nothing is counted nowhere, so a batch that is made again costs its tenant nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from workers.cost.prices import Prices

NO_PRICES = Prices("", {})


@dataclass(slots=True)
class Used:
    """Of one claim, growing run by run. Owned by the thread that runs it."""

    prices: Prices = NO_PRICES
    device_class: str = ""
    seconds: float = 0.0
    joules: float | None = None
    runs: int = 0
    drawn: int = 0  # images of the first run
    _of: dict[str, tuple[float, float | None]] = field(default_factory=dict)  # item id -> seconds, joules

    def add(self, item_ids: Collection[str], device_class: str, seconds: float, joules: float | None) -> None:
        """A run on the device with these items."""
        self.device_class = device_class
        self.seconds += seconds
        self.joules = _sum(self.joules, joules)
        self.runs += 1
        self.drawn = self.drawn or len(item_ids)
        for id in item_ids:
            before, energy = self._of.get(id, (0.0, None))
            share = None if joules is None else joules / len(item_ids)
            self._of[id] = (before + seconds / len(item_ids), _sum(energy, share))

    def seconds_of(self, item_id: str) -> float:
        """Its share; 0 for an item that was not drawn."""
        return self._of.get(item_id, (0.0, None))[0]

    def of_item(self, item_id: str) -> Mapping[str, Any]:
        """The columns of an item; empty for one that was not drawn."""
        if item_id not in self._of:
            return dict.fromkeys(("gpu_seconds", "energy_joules", "cost", "currency"))
        seconds, joules = self._of[item_id]
        cost = self.prices.cost(self.device_class, seconds)
        return {
            "gpu_seconds": Decimal(f"{seconds:.6f}"),
            "energy_joules": joules,
            "cost": cost,
            "currency": None if cost is None else self.prices.currency,
        }

    def of_batch(self, work_id: str, *, is_whole: bool) -> Mapping[str, Any]:
        """The columns of a batch. Only one that was drawn at once tells how long such batches take."""
        if not self.runs:
            return {}
        measured = {"drawn": self.drawn, "work_id": work_id} if is_whole else {}
        figures = {"gpu_seconds": Decimal(f"{self.seconds:.6f}"), "energy_joules": self.joules}
        return {**figures, "device_class": self.device_class, **measured}


def _sum(one: float | None, other: float | None) -> float | None:
    return other if one is None else one + (other or 0.0)

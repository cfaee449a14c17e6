"""Forecast: what images will take, from batches that were measured here, and when they are finished. Pure.

A batch is measured by the work of its recipe, its size and its device class. Fewer than MEASURED of them say nothing,
and then nothing is said. The P50 and P90 of a request are those of a batch times its batches: the batches of one hour
are slow together, so that the P90 is an upper figure. The last batch, which is not full, counts as the smallest
measured one that it fits into.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from workers.cost.prices import Prices

MEASURED = 30  # batches of one kind, below which their quantiles are not told


class Measured(NamedTuple):
    """Batches of one work, device class and size."""

    work_id: str
    device_class: str
    drawn: int  # images of each
    batches: int
    p50: float  # GPU seconds of a batch
    p90: float


class Work(NamedTuple):
    """Images that may be sampled together. `together` is how many the planner puts into a batch."""

    work_id: str
    images: int
    together: int
    queue: str = ""


class Take(NamedTuple):
    """What images take: GPU seconds, and money where every device class has a price."""

    seconds: float
    cost: Decimal | None


@dataclass(frozen=True, slots=True)
class Forecast:
    """`p50` and `p90` are None where images are unknown; `share` is the P90 of an image, by work, where it is known."""

    images: int
    unknown_images: int
    least_measured: int  # batches of the unknown work that is measured best
    measured: int  # batches that the figures come from
    device_classes: tuple[str, ...]
    p50: Take | None
    p90: Take | None
    share: Mapping[str, Take]


def forecast(
    works: Sequence[Work], measures: Iterable[Measured], fleets: Mapping[str, Mapping[str, int]], prices: Prices
) -> Forecast:
    """What these images take on the fleets of their queues: live workers by device class, or else what measured."""
    by_work: dict[str, list[Measured]] = {}
    for one in measures:
        by_work.setdefault(one.work_id, []).append(one)
    p50 = p90 = Take(0.0, Decimal(0) if prices.currency else None)
    unknown = least = measured = 0
    classes: dict[str, None] = {}
    share: dict[str, Take] = {}
    for work in works:
        of_work = by_work.get(work.work_id, [])
        on = fleets.get(work.queue) or _classes(of_work)
        found = {name: _batches(work, [one for one in of_work if one.device_class == name]) for name in on}
        if not found or not all(found.values()):
            unknown += work.images
            least = max(least, max((one.batches for one in of_work), default=0))
            continue
        middle, high = (_take(found, on, prices, quantile) for quantile in ("p50", "p90"))
        p50, p90 = _added(p50, middle), _added(p90, high)
        each = Take(high.seconds / work.images, None if high.cost is None else high.cost / work.images)
        share[work.work_id] = max(each, share.get(work.work_id, each), key=lambda take: take.seconds)
        measured += sum(one.batches for one in {one for batches in found.values() for one, _ in batches})
        classes |= dict.fromkeys(on)
    total = sum(work.images for work in works)
    known = not unknown
    return Forecast(
        total, unknown, least, measured, tuple(sorted(classes)), p50 if known else None, p90 if known else None, share
    )


def _classes(measures: Sequence[Measured]) -> Mapping[str, int]:
    return {one.device_class: 1 for one in measures if one.batches >= MEASURED}


def _batches(work: Work, measures: Sequence[Measured]) -> list[tuple[Measured, int]]:
    """Measured batches and how many of each the images make; empty where one of them is not measured."""
    full, rest = divmod(work.images, work.together)
    found: list[tuple[Measured, int]] = []
    for size, times in ((work.together, full), (rest, 1 if rest else 0)):
        if not times:
            continue
        fits = [one for one in measures if one.drawn >= size and one.batches >= MEASURED]
        if not fits:
            return []
        found.append((min(fits, key=lambda one: one.drawn), times))
    return found


def _take(
    found: Mapping[str, Sequence[tuple[Measured, int]]], fleet: Mapping[str, int], prices: Prices, quantile: str
) -> Take:
    """Over the device classes, each as often as it lives."""
    workers = sum(fleet.values())
    seconds, cost = 0.0, Decimal(0) if prices.currency else None
    for name, batches in found.items():
        of_class = sum(getattr(one, quantile) * times for one, times in batches) * fleet[name] / workers
        seconds += of_class
        price = prices.cost(name, of_class)
        cost = None if cost is None or price is None else cost + price
    return Take(seconds, cost)


def _added(one: Take, other: Take) -> Take:
    cost = None if one.cost is None or other.cost is None else one.cost + other.cost
    return Take(one.seconds + other.seconds, cost)

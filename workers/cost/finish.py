"""Finish of a request: when its last image is made, from the share of turns and the capacity of the last hour. Pure.

Turns are a fluid here: priorities share the capacity by their turns, tenants of a priority by their weights, as long as
each of them waits. A request is counted as finished with what waits of its tenant in the same priority, which is the
latest moment: the turns between the requests of one tenant may serve it sooner.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple


class Capacity(NamedTuple):
    """What a queue delivered in the last hour, counted over the minutes in which it delivered."""

    batches: int
    gpu_seconds_per_second: float
    gpu_seconds_per_image: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """What one tenant waits for in one priority, in GPU seconds."""

    priority: str
    weight: int
    gpu_seconds: float
    mine: bool = False


class Served(NamedTuple):
    """When the lane is served, in seconds from now, and which part of it by then."""

    seconds: float
    done: float


def served(
    waiting: Iterable[Waiting], turns: Mapping[str, int], gpu_seconds_per_second: float, until: float | None = None
) -> Served:
    """Until the lane that is `mine` is served, or for `until` seconds. There is one such lane."""
    lanes = [lane for lane in waiting if lane.gpu_seconds > 0]
    asked = sum(lane.gpu_seconds for lane in lanes if lane.mine)
    now = 0.0
    if not asked:
        return Served(now, 1.0)
    while True:
        rates = [gpu_seconds_per_second * part for part in _shares(lanes, turns)]
        step = min(lane.gpu_seconds / rate for lane, rate in zip(lanes, rates, strict=True))
        if until is not None and now + step >= until:
            mine, rate = next((lane, rate) for lane, rate in zip(lanes, rates, strict=True) if lane.mine)
            left = max(0.0, mine.gpu_seconds - rate * (until - now))
            return Served(until, 1 - left / asked)
        now += step
        lanes = [
            replace(lane, gpu_seconds=lane.gpu_seconds - rate * step) for lane, rate in zip(lanes, rates, strict=True)
        ]
        lanes = [lane for lane in lanes if lane.gpu_seconds > asked * 1e-9]
        if not any(lane.mine for lane in lanes):
            return Served(now, 1.0)


def _shares(lanes: list[Waiting], turns: Mapping[str, int]) -> list[float]:
    """The part of the capacity that each lane has while all of them wait."""
    total = sum(turns[priority] for priority in {lane.priority for lane in lanes})
    weights: dict[str, int] = {}
    for lane in lanes:
        weights[lane.priority] = weights.get(lane.priority, 0) + lane.weight
    return [turns[lane.priority] / total * lane.weight / weights[lane.priority] for lane in lanes]

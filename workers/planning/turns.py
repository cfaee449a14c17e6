"""Turns: which pending items are sampled together next, and for whom. Pure.

Weighted turns between priorities, then between tenants, then between the requests of one tenant (start-time fair
queueing: every lane has a virtual time that advances by images / weight when it is served, and a lane that was idle
starts at the clock, so it neither starves nor hoards), then a batch of one recipe. Interactive work gets 16 turns,
standard 4 and bulk 1 while all three wait: bulk is never further than 21 batches away. Each priority keeps its own
account of its tenants: one shared by all would be driven ahead by the urgent ones, and those who wait below would lose
their place. A deadline orders inside its tenant and priority only: the requests with the earliest one go first, those
without one share. What is loaded already may go before a turn, within the bound of `affinity`.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from workers.planning.affinity import NOTHING, Affinity, WarmModel
from workers.states import TURNS_PER_PRIORITY

_CLOCK = "clock:"  # lane that holds a level's virtual clock


@dataclass(frozen=True, slots=True)
class Pending:
    """An item that waits, as far as planning cares. `deadline` is that of its request, in seconds since 1970."""

    id: str
    tenant: str
    priority: str
    recipe_id: str
    pixels: int
    request_id: str = ""
    deadline: float | None = None
    loaded: WarmModel = NOTHING


@dataclass(frozen=True, slots=True)
class PlannedBatch:
    """Items of one recipe to sample together, in order."""

    recipe_id: str
    item_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to dispatch, and how far each lane has come by it."""

    batches: tuple[PlannedBatch, ...]
    virtual_times: Mapping[str, float]


class _Lane(NamedTuple):
    """Where a campaign's items wait: its priority, its tenant, itself."""

    priority: str
    tenant: str
    request_id: str


_Queue = dict[_Lane, deque[Pending]]


def plan(
    pending: Iterable[Pending],
    weights: Mapping[str, int],
    virtual_times: Mapping[str, float],
    *,
    room: int,
    max_batch: int,
    max_batch_pixels: int,
    affinity: Affinity | None = None,
) -> Plan:
    """At most `room` batches from `pending` (oldest first within a request). Pure.

    `weights` are turns by tenant id. A batch never holds more than `max_batch` images, nor more than
    `max_batch_pixels` unless a single image is larger than that. `affinity` is moved on by each batch.
    """
    affinity = affinity or Affinity()
    waiting: _Queue = {}
    for item in pending:
        waiting.setdefault(_Lane(item.priority, item.tenant, item.request_id), deque()).append(item)
    times = dict(virtual_times)
    planned: list[PlannedBatch] = []
    while (waiting := {lane: items for lane, items in waiting.items() if items}) and len(planned) < room:
        turn = _take_turns(times, waiting)
        lane, first = _before(affinity, turn, waiting, times, max_batch=max_batch, max_batch_pixels=max_batch_pixels)
        affinity.plan(first.loaded)
        _charge(times, "priority", lane.priority, 1 / TURNS_PER_PRIORITY[lane.priority])
        members = _fill(waiting, lane, first.recipe_id, _size(first, max_batch, max_batch_pixels))
        for (p, t, r), images in Counter((m.priority, m.tenant, m.request_id) for m in members).items():
            _charge(times, f"tenant:{p}", t, images / weights.get(t, 1))
            _charge(times, f"request:{p}:{t}", r, images)
        planned.append(PlannedBatch(members[0].recipe_id, tuple(member.id for member in members)))
    return Plan(tuple(planned), times)


def _before(
    affinity: Affinity,
    turn: _Lane,
    waiting: _Queue,
    times: Mapping[str, float],
    *,
    max_batch: int,
    max_batch_pixels: int,
) -> tuple[_Lane, Pending]:
    """The lane and the item to begin a batch with: those whose turn it is, or what needs no load before them."""
    head = waiting[turn][0]
    if not affinity.may_stay(head.loaded):
        return turn, head
    urgent = {lane: items for lane, items in waiting.items() if lane.priority == turn.priority}
    keep = affinity.kept(head.loaded, [item.loaded for items in urgent.values() for item in items])
    if keep is None:
        return turn, head
    kept = {lane: deque(item for item in items if item.loaded == keep) for lane, items in urgent.items()}
    kept = {lane: items for lane, items in kept.items() if items}
    lane = _take_turns(dict(times), kept)  # a copy: who is passed over keeps its place
    level = f"tenant:{turn.priority}"
    ahead = _start(times, level, lane.tenant) - _start(times, level, turn.tenant)
    first = kept[lane][0]
    full, of_turn = (_size(one, max_batch, max_batch_pixels) for one in (first, head))
    fills, fills_turn = (
        sum(item.recipe_id == one.recipe_id for items in waiting.values() for item in items) for one in (first, head)
    )
    smaller = min(full, fills) < min(of_turn, fills_turn, full)
    return (turn, head) if ahead >= affinity.most * max_batch or smaller else (lane, first)


def _size(first: Pending, max_batch: int, max_batch_pixels: int) -> int:
    return max(1, min(max_batch, max_batch_pixels // first.pixels))


def _take_turns(times: dict[str, float], waiting: _Queue) -> _Lane:
    """Whose turn it is: a priority, one of its tenants, one of that tenant's requests.

    Ties go to the first: the priority with the fewest turns, the tenant and the request whose item is oldest.
    """
    priorities = {lane.priority for lane in waiting}
    priority = _take_turn(times, "priority", [p for p in reversed([*TURNS_PER_PRIORITY]) if p in priorities])
    tenants = dict.fromkeys(lane.tenant for lane in waiting if lane.priority == priority)
    tenant = _take_turn(times, f"tenant:{priority}", tenants)
    of_tenant = {lane.request_id: waiting[lane][0].deadline for lane in waiting if lane[:2] == (priority, tenant)}
    due = [deadline for deadline in of_tenant.values() if deadline is not None]
    urgent = [id for id, deadline in of_tenant.items() if not due or deadline == min(due)]
    return _Lane(priority, tenant, _take_turn(times, f"request:{priority}:{tenant}", urgent))


def _take_turn(times: dict[str, float], level: str, waiting: Iterable[str]) -> str:
    """The waiting lane with the least virtual time, whose start the level's clock moves to."""
    name = min(waiting, key=lambda name: _start(times, level, name))
    times[_CLOCK + level] = _start(times, level, name)
    return name


def _charge(times: dict[str, float], level: str, name: str, by: float) -> None:
    """Move a lane on, whether it was its turn or it rode along in another's; only a turn moves the clock."""
    times[f"{level}:{name}"] = _start(times, level, name) + by


def _start(times: Mapping[str, float], level: str, name: str) -> float:
    return max(times.get(f"{level}:{name}", 0.0), times.get(_CLOCK + level, 0.0))


def _fill(waiting: _Queue, turn: _Lane, recipe_id: str, size: int) -> list[Pending]:
    """Take up to `size` items of the recipe: this lane first, then those nearest to it."""
    same_tenant, same_priority, others = [], [], []
    for lane in waiting:
        if lane[:2] == turn[:2]:
            same_tenant.append(lane)
        elif lane.priority == turn.priority:
            same_priority.append(lane)
        else:
            others.append(lane)
    members: list[Pending] = []
    for lane in dict.fromkeys((turn, *same_tenant, *same_priority, *others)):
        kept: deque[Pending] = deque()
        while waiting[lane] and len(members) < size:
            item = waiting[lane].popleft()
            (members if item.recipe_id == recipe_id else kept).append(item)
        waiting[lane].extendleft(reversed(kept))
    return members

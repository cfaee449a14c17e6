"""Planner: decides which pending items are sampled next, together, and for whom.

`plan` is pure: weighted turns between priorities, then between tenants (start-time fair queueing: every
lane has a virtual time that advances by images / weight when it is served, and a lane that was idle
starts at the clock, so it neither starves nor hoards), then a batch of one recipe. Interactive work
gets 16 turns, standard 4 and bulk 1 while all three wait: bulk is never further than 21 batches away.
Each priority keeps its own account of its tenants: one shared by all would be driven ahead by the
urgent ones, and those who wait below would lose their place.

Truth by polling, speed by NOTIFY. The planning transaction holds an advisory lock: two planners may
run, one works. Killed before the commit: nothing is planned. Killed between the commit and a send: the
batch is sent when its first lease is over.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy import Connection, Engine, Integer, Text, column, func, literal, select, true, values

from workers import metrics
from workers.crash import Probe, no_probe
from workers.errors import BrokerUnavailable
from workers.jobs.dispatch import dispatch, take_turns, unsent
from workers.jobs.expire import Send
from workers.jobs.tables import batches, items, recipes, tenants, turns
from workers.queue import Queue
from workers.settings import Settings
from workers.states import BATCH_OPEN, ItemState, Priority

log = structlog.get_logger()
TURNS_PER_PRIORITY: Mapping[str, int] = {Priority.INTERACTIVE: 16, Priority.STANDARD: 4, Priority.BULK: 1}
PLAN_LOCK = 0x9E55_0001  # advisory lock key of the planning transaction
_CLOCK = "clock:"  # lane that holds a level's virtual clock


@dataclass(frozen=True, slots=True)
class Pending:
    """An item that waits, as far as planning cares."""

    id: str
    tenant: str
    priority: str
    recipe_id: str
    pixels: int


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


def plan(
    pending: Iterable[Pending],
    weights: Mapping[str, int],
    virtual_times: Mapping[str, float],
    *,
    room: int,
    max_batch: int,
    max_batch_pixels: int,
) -> Plan:
    """At most `room` batches from `pending` (oldest first within a tenant and priority). Pure.

    `weights` are turns by tenant id. A batch never holds more than `max_batch` images, nor more than
    `max_batch_pixels` unless a single image is larger than that.
    """
    # Ties go to the first: the priority with the fewest turns, the tenant whose item is oldest.
    lanes: dict[str, dict[str, deque[Pending]]] = {p: {} for p in reversed(list(TURNS_PER_PRIORITY))}
    for item in pending:
        lanes[item.priority].setdefault(item.tenant, deque()).append(item)
    times = dict(virtual_times)
    planned: list[PlannedBatch] = []
    while (lanes := _waiting(lanes)) and len(planned) < room:
        priority = _take_turn(times, "priority", lanes)
        _charge(times, "priority", priority, 1 / TURNS_PER_PRIORITY[priority])
        tenant = _take_turn(times, f"tenant:{priority}", lanes[priority])
        size = _size(lanes[priority][tenant][0], max_batch, max_batch_pixels)
        members = _fill(lanes, priority, tenant, size)
        for (p, t), images in Counter((member.priority, member.tenant) for member in members).items():
            _charge(times, f"tenant:{p}", t, images / weights.get(t, 1))
        planned.append(PlannedBatch(members[0].recipe_id, tuple(member.id for member in members)))
    return Plan(tuple(planned), times)


def _waiting(lanes: Mapping[str, Mapping[str, deque[Pending]]]) -> dict[str, dict[str, deque[Pending]]]:
    """The lanes that hold something, in the order they had."""
    return {p: kept for p, by_tenant in lanes.items() if (kept := {t: lane for t, lane in by_tenant.items() if lane})}


def _size(first: Pending, max_batch: int, max_batch_pixels: int) -> int:
    return max(1, min(max_batch, max_batch_pixels // first.pixels))


def _take_turn(times: dict[str, float], level: str, waiting: Mapping[str, object]) -> str:
    """The waiting lane with the least virtual time, whose start the level's clock moves to."""
    name = min(waiting, key=lambda name: _start(times, level, name))
    times[_CLOCK + level] = _start(times, level, name)
    return name


def _charge(times: dict[str, float], level: str, name: str, by: float) -> None:
    """Move a lane on, whether it was its turn or it rode along in another's; only a turn moves the clock."""
    times[f"{level}:{name}"] = _start(times, level, name) + by


def _start(times: Mapping[str, float], level: str, name: str) -> float:
    return max(times.get(f"{level}:{name}", 0.0), times.get(_CLOCK + level, 0.0))


def _fill(lanes: Mapping[str, Mapping[str, deque[Pending]]], priority: str, tenant: str, size: int) -> list[Pending]:
    """Take up to `size` items of the head's recipe: this lane first, then the others that wait for the same recipe."""
    recipe_id = lanes[priority][tenant][0].recipe_id
    order = [(priority, tenant), *((priority, other) for other in lanes[priority] if other != tenant)]
    order += [(p, t) for p in lanes if p != priority for t in lanes[p]]
    members: list[Pending] = []
    for p, t in order:
        lane = lanes[p][t]
        kept: deque[Pending] = deque()
        while lane and len(members) < size:
            item = lane.popleft()
            (members if item.recipe_id == recipe_id else kept).append(item)
        lane.extendleft(reversed(kept))
    return members


def run_once(engine: Engine, queue: Queue, settings: Settings, probe: Probe = no_probe) -> int:
    """Plan every queue once and send what was planned; how many batches. Safe to run in two processes."""
    sends: list[Send] = []
    for name in settings.queue_names:
        with engine.begin() as conn:
            if conn.scalar(select(func.pg_try_advisory_xact_lock(PLAN_LOCK))):
                sends += _plan_queue(conn, name, settings)
    if sends:
        probe("dispatched", None)
    send_all(engine, queue, sends)
    return len(sends)


def send_all(engine: Engine, queue: Queue, sends: Sequence[Send]) -> None:
    """Send after the commit. What the broker does not take is sent at the reconciler's next look."""
    for done, send in enumerate(sends):
        try:
            queue.send(send.queue, send.batch_id)
        except BrokerUnavailable as error:
            metrics.BROKER_FAILURES.inc(len(sends) - done)
            log.warning("broker_unavailable", unsent=len(sends) - done, error=str(error))
            with engine.begin() as conn:
                unsent(conn, [late.batch_id for late in sends[done:]])
            return


def _plan_queue(conn: Connection, name: str, settings: Settings) -> list[Send]:
    open_batches = select(func.count()).where(batches.c.queue == name, batches.c.state.in_(BATCH_OPEN))
    room = settings.window - conn.execute(open_batches).scalar_one()
    if room <= 0:
        return []
    pending = _pending(conn, name, per_lane=room * settings.max_batch)
    if not pending:
        return []
    weights = {row.id: row.weight for row in conn.execute(select(tenants.c.id, tenants.c.weight))}
    taken = conn.execute(select(turns.c.lane, turns.c.virtual_time).where(turns.c.queue == name))
    before = {row.lane: row.virtual_time for row in taken}
    planned = plan(
        pending,
        weights,
        before,
        room=room,
        max_batch=settings.max_batch,
        max_batch_pixels=settings.max_batch_pixels,
    )
    take_turns(conn, name, {lane: at for lane, at in planned.virtual_times.items() if at != before.get(lane)})
    lease = timedelta(seconds=settings.lease_seconds)
    sends = []
    for batch in planned.batches:
        batch_id = dispatch(
            conn, name, batch.recipe_id, batch.item_ids, lease=lease, claims_allowed=settings.claims_allowed
        )
        if batch_id is not None:
            sends.append(Send(name, batch_id))
            metrics.BATCHES_DISPATCHED.labels(name).inc()
            metrics.BATCH_ITEMS.observe(len(batch.item_ids))
            log.info("batch_dispatched", batch_id=batch_id, queue=name, items=len(batch.item_ids))
    return sends


def _pending(conn: Connection, name: str, *, per_lane: int) -> list[Pending]:
    """The oldest few of every lane (tenant x priority): an index look-up each, however long the queue is."""
    priority = values(column("priority", Text), name="p").data([(p,) for p in TURNS_PER_PRIORITY])
    oldest = (
        select(items.c.id, items.c.recipe_id)
        .where(
            items.c.state == literal(str(ItemState.PENDING), literal_execute=True),  # meets the partial index
            items.c.queue == name,
            items.c.tenant == tenants.c.id,
            items.c.priority == priority.c.priority,
        )
        .order_by(items.c.id)
        .limit(per_lane)
        .lateral("oldest")
    )
    width, height = (recipes.c.recipe[side].astext.cast(Integer) for side in ("width", "height"))
    factor = func.coalesce(recipes.c.recipe[("upscaler", "factor")].astext.cast(Integer), 1)
    rows = conn.execute(
        select(
            oldest.c.id,
            tenants.c.id.label("tenant"),
            priority.c.priority,
            oldest.c.recipe_id,
            (width * height * factor * factor).label("pixels"),
        )
        .select_from(tenants)
        .join(priority, true())
        .join(oldest, true())
        .join(recipes, recipes.c.id == oldest.c.recipe_id)
        .order_by(oldest.c.id)
    )
    return [Pending(row.id, row.tenant, row.priority, row.recipe_id, row.pixels) for row in rows]

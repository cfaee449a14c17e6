"""Planner: puts pending items into batches as the plan says, and sends them.

Only requests whose gate is open are looked at. `dispatch` asks the gate again under a lock, so a request that
is paused meanwhile keeps its items.

Truth by polling, speed by NOTIFY. The planning transaction holds an advisory lock: two planners may
run, one works. Killed before the commit: nothing is planned. Killed between the commit and a send: the
batch is sent when its first lease is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import structlog
from sqlalchemy import (
    ColumnElement,
    Connection,
    Double,
    Engine,
    Integer,
    Text,
    column,
    exists,
    func,
    literal,
    select,
    true,
    values,
)

from workers import metrics
from workers.crash import Probe, no_probe
from workers.errors import BrokerUnavailable
from workers.jobs.control import breaker
from workers.jobs.dispatch import dispatch, take_turns, unsent
from workers.jobs.expire import Send
from workers.jobs.fleet import members as fleet
from workers.jobs.inputs.uses import all_settled
from workers.jobs.tables import batches, items, recipes, requests, tenants, turns
from workers.planning.affinity import Affinity, WarmModel
from workers.planning.turns import Pending, plan
from workers.queue import Queue
from workers.settings import Settings
from workers.states import BATCH_OPEN, FINISHING, TURNS_PER_PRIORITY, Gate, ItemState

log = structlog.get_logger()
_LOADED = (recipes.c.recipe["model_revision"].astext, recipes.c.recipe["loras"].astext)  # as `WarmModel` has them
PLAN_LOCK = 0x9E55_0001  # advisory lock key of the planning transaction


def run_once(engine: Engine, queue: Queue, settings: Settings, probe: Probe = no_probe) -> int:
    """Plan every queue once and send what was planned; how many batches. Safe to run in two processes."""
    sends: list[Send] = []
    with engine.begin() as conn:  # before anything is planned: it may pause a campaign
        if conn.scalar(select(func.pg_try_advisory_xact_lock(PLAN_LOCK))):
            breaker.count(conn)
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
    waiting = _unservable(conn, name, settings)
    open_batches = select(func.count()).where(
        batches.c.queue == name, batches.c.state.in_(BATCH_OPEN), batches.c.recipe_id.not_in(waiting)
    )
    room = _window(conn, name, settings) - conn.execute(open_batches).scalar_one()
    if room <= 0:
        return []
    per_lane = (room + settings.stay_batches) * settings.max_batch  # what goes before a turn has to be seen
    pending = _pending(conn, name, per_lane=per_lane, max_batch=settings.max_batch, without=waiting)
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
        affinity=_affinity(conn, name, settings),
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


def _affinity(conn: Connection, name: str, settings: Settings) -> Affinity:
    """By the batches that were planned last. Several workers take one run of a model in turn, so theirs is as long."""
    if not settings.stay_batches:
        return Affinity()
    workers = sum(worker.stopped is None for worker in fleet.live(conn, name))
    most = settings.stay_batches * max(1, workers)
    latest = (
        select(*_LOADED)
        .select_from(batches.join(recipes, recipes.c.id == batches.c.recipe_id))
        .where(batches.c.queue == name)
        .order_by(batches.c.id.desc())
        .limit(most)
    )
    return Affinity.after((WarmModel(*row) for row in conn.execute(latest)), most=most)


def _window(conn: Connection, name: str, settings: Settings) -> int:
    """Batches in flight: enough that no live worker waits for the planner."""
    return max(settings.window, 2 * sum(w.threads for w in fleet.live(conn, name) if w.stopped is None))


def _unservable(conn: Connection, name: str, settings: Settings) -> list[str]:
    """Recipes that no worker can make now: they wait, and hold no place that others could use.

    After their time they are planned again, and the worker that gets them fails them (workers/gpu/refused.py).
    """
    refused = fleet.nobody_can(conn, name)
    return [recipe for recipe, (_, seconds) in refused.items() if seconds < settings.unservable_seconds]


def _pending(
    conn: Connection, name: str, *, per_lane: int, max_batch: int, without: Sequence[str] = ()
) -> list[Pending]:
    """The oldest few of every open request, of the first few requests of every tenant and priority.

    Index look-ups, however long the queue is: a request whose gate is closed is in none of them. A request alone in its
    lane may fill the whole room; where many share it, each shows at least one batch.
    """
    priority = values(column("priority", Text), name="p").data([(p,) for p in TURNS_PER_PRIORITY])
    first = (
        select(requests.c.id, requests.c.deadline, requests.c.gate)
        .where(
            requests.c.of_drawings if name == FINISHING else requests.c.queue == name,
            requests.c.tenant == tenants.c.id,
            requests.c.priority == priority.c.priority,
            requests.c.gate != literal(str(Gate.CLOSED), literal_execute=True),  # meets the partial index
            exists().where(*_of_gate(name, requests.c.id, requests.c.gate)),
        )
        .order_by(requests.c.deadline, requests.c.id)
        .limit(per_lane)
        .lateral("first")
    )
    lanes = (
        select(
            tenants.c.id.label("tenant"),
            priority.c.priority,
            first.c.id.label("request_id"),
            first.c.deadline,
            first.c.gate,
            func.count().over(partition_by=(tenants.c.id, priority.c.priority)).label("requests"),
        )
        .select_from(tenants)
        .join(priority, true())
        .join(first, true())
        .cte("lanes")
    )
    oldest = (
        select(items.c.id, items.c.recipe_id)
        .where(*_of_gate(name, lanes.c.request_id, lanes.c.gate), items.c.recipe_id.not_in(without))
        .order_by(items.c.sample.desc(), items.c.id)
        .limit(func.greatest(max_batch, per_lane / lanes.c.requests))
        .lateral("oldest")
    )
    width, height = (recipes.c.recipe[side].astext.cast(Integer) for side in ("width", "height"))
    factor = func.coalesce(recipes.c.recipe[("upscaler", "factor")].astext.cast(Integer), 1)
    rows = conn.execute(
        select(
            oldest.c.id,
            lanes.c.tenant,
            lanes.c.priority,
            oldest.c.recipe_id,
            (width * height * factor * factor).label("pixels"),
            lanes.c.request_id,
            func.extract("epoch", lanes.c.deadline).cast(Double).label("deadline"),
            *_LOADED,
        )
        .select_from(lanes)
        .join(oldest, true())
        .join(recipes, recipes.c.id == oldest.c.recipe_id)
        .order_by(oldest.c.id)
    )
    return [Pending(*row[:-2], WarmModel(*row[-2:])) for row in rows]


def _of_gate(name: str, request_id: ColumnElement[str], gate: ColumnElement[str]) -> tuple[ColumnElement[bool], ...]:
    """Pending items of a queue that the gate of their request lets through, and that wait for no input.

    One range of the index `items_waiting`, or `items_waiting_for_drawings`; of each, a look at the index of its inputs.
    """
    of_drawing = items.c.drawing_item_id
    return (
        of_drawing.is_not(None) if name == FINISHING else of_drawing.is_(None),
        items.c.request_id == request_id,
        items.c.sample >= (gate == literal(str(Gate.SAMPLE))),
        items.c.state == literal(str(ItemState.PENDING), literal_execute=True),  # meets the partial index
        all_settled(),
    )

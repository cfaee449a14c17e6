"""Ticks: due times of schedules, each taken once, from a plan that is begun by itself to what became of it.

    begin_next  due -> begun: the plan of a due time; ended at once where a run is not over   caller: clerk
    waiting     ticks for which nobody works                                                  caller: api
    take        a lease to carry one out                                                      caller: api
    end         begun -> ended, with what became of it                                        caller: api

Of due times that nobody took, because everything stood still, the last is caught up and the others are counted as
missed. Two clerks: the row of a schedule is locked and skipped by the other, and the key of a tick is its due time. A
clock that goes back begins nothing twice: the next due time lies behind the last one.

Killed before the commit of `begin_next`: the next round does it. Killed behind it: the tick and its plan are rows, and
whoever looks next makes the plan under its lease. The apply and the end of its tick are one transaction.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfoNotFoundError

import structlog
from cronsim import CronSimError
from sqlalchemy import Connection, Row, func, select, text

from policy import events
from policy.ledger.append import append
from workers.errors import LimitExceeded
from workers.jobs.catalogue import plans
from workers.jobs.catalogue.tables import catalogue_runs, catalogue_schedules, catalogue_ticks, catalogues
from workers.jobs.catalogue.timetable import Timetable
from workers.jobs.types import new_id
from workers.jobs.webhooks.deliveries import Notification, notify

log = structlog.get_logger()
ACTOR = "schedule"
LEASE = timedelta(minutes=10)  # to check and store the request of a run
NO_ROOM = timedelta(seconds=30)  # until a tenant with as many plans as it may have is asked again
UNREADABLE = timedelta(days=1)  # until a timetable that cannot be read is looked at again
_QUIET = ("applied", "nothing")  # outcomes of which nobody has to be told

_WAITING = text(
    """
    SELECT tenant, CAST(catalogue_id AS text), due_at, CAST(plan_id AS text) FROM catalogue_ticks_waiting()
    """
)


class Tick(NamedTuple):
    """A due time that is being carried out."""

    tenant: str
    catalogue_id: str
    due_at: datetime
    plan_id: str


def begin_next(conn: Connection, now: datetime) -> bool:
    """Whether a schedule was due: the one that waits longest is moved on, and its tick has begun or was skipped."""
    schedules = catalogue_schedules
    due = select(schedules).where(schedules.c.begin_at <= now).order_by(schedules.c.begin_at).limit(1)
    schedule = conn.execute(due.with_for_update(skip_locked=True)).one_or_none()
    if schedule is None:
        return False
    moved = schedules.update().where(schedules.c.catalogue_id == schedule.catalogue_id)
    timetable = Timetable.of(schedule.timetable)
    try:
        due_at, missed = timetable.last_due(schedule.due_at, now)
        following = timetable.due_after(max(due_at, now))
    except (CronSimError, ZoneInfoNotFoundError, StopIteration) as error:  # a zone that was taken out, say
        log.error("timetable_unreadable", catalogue_id=schedule.catalogue_id, error=type(error).__name__)
        conn.execute(moved.values(begin_at=now + UNREADABLE))
        return True
    if not _begin(conn, schedule, due_at, missed):
        conn.execute(moved.values(begin_at=now + NO_ROOM))
        return True
    conn.execute(moved.values(due_at=following, begin_at=timetable.begins(following, schedule.catalogue_id)))
    return True


def waiting(conn: Connection) -> list[Tick]:
    """Ticks of all tenants that nobody carries out now, the oldest first."""
    return [Tick(*row) for row in conn.execute(_WAITING)]


def take(conn: Connection, tick: Tick) -> Row[Any] | None:
    """The schedule's row, with a lease on the tick; None where another process has it, or it has ended.

    A schedule that was stopped meanwhile ends its tick.
    """
    ticks, schedules = catalogue_ticks, catalogue_schedules
    free = ticks.c.lease_until.is_(None) | (ticks.c.lease_until < func.clock_timestamp())
    leased = ticks.update().where(*_begun(tick), free).values(lease_until=func.clock_timestamp() + LEASE)
    if conn.execute(leased).rowcount != 1:
        return None
    mine = schedules.c.catalogue_id == tick.catalogue_id, schedules.c.tenant == tick.tenant
    schedule = conn.execute(select(schedules).where(*mine)).one_or_none()
    if schedule is None:
        end(conn, tick, "refused", "stopped")
    return schedule


def end(conn: Connection, tick: Tick, outcome: str, reason: str = "", *, run: int | None = None) -> bool:
    """begun -> ended. False where it had ended: what the caller did in this transaction was done before."""
    ended = catalogue_ticks.update().where(*_begun(tick))
    values = {"state": "ended", "outcome": outcome, "reason": reason, "run": run, "lease_until": None}
    if conn.execute(ended.values(**values, ended_at=func.clock_timestamp())).rowcount != 1:
        return False
    catalogue = conn.execute(select(catalogues).where(catalogues.c.id == tick.catalogue_id)).one()
    _tell(conn, catalogue, tick.due_at, outcome, reason, run=run)
    return True


def _begin(conn: Connection, schedule: Row[Any], due_at: datetime, missed: int) -> bool:
    """False where the tenant has as many plans as it may have."""
    catalogue = conn.execute(select(catalogues).where(catalogues.c.id == schedule.catalogue_id)).one()
    ticks = catalogue_ticks
    before = select(ticks.c.due_at).where(ticks.c.catalogue_id == catalogue.id, ticks.c.due_at == due_at)
    if conn.execute(before).first() is not None:  # the clock went back, and a person started it anew
        return True
    tick = {"catalogue_id": catalogue.id, "tenant": catalogue.tenant, "due_at": due_at, "missed": missed}
    if reason := _under_way(conn, catalogue.id):
        skipped = {"state": "ended", "outcome": "overlapped", "reason": reason, "ended_at": func.clock_timestamp()}
        conn.execute(ticks.insert().values(**tick, **skipped))
        _tell(conn, catalogue, due_at, "overlapped", reason, run=None)
        return True
    plan_id = new_id()
    try:
        plans.begin(conn, catalogue, id=plan_id, key_id=schedule.key_id, feed_key=None, pictures={})
    except LimitExceeded:
        return False
    conn.execute(ticks.insert().values(**tick, state="begun", plan_id=plan_id))
    return True


def _begun(tick: Tick) -> tuple[Any, ...]:
    ticks = catalogue_ticks
    mine = ticks.c.catalogue_id == tick.catalogue_id, ticks.c.due_at == tick.due_at, ticks.c.tenant == tick.tenant
    return (*mine, ticks.c.state == "begun")


def _under_way(conn: Connection, catalogue_id: str) -> str:
    """What of the catalogue is not over, "" for nothing."""
    runs, ticks = catalogue_runs, catalogue_ticks
    making = select(runs.c.id).where(runs.c.catalogue_id == catalogue_id, runs.c.state == "making")
    begun = select(ticks.c.due_at).where(ticks.c.catalogue_id == catalogue_id, ticks.c.state == "begun")
    found = conn.execute(select(making.exists().label("run"), begun.exists().label("tick"))).one()
    return "run" if found.run else "tick" if found.tick else ""


def _tell(
    conn: Connection, catalogue: Row[Any], due_at: datetime, outcome: str, reason: str, *, run: int | None
) -> None:
    said = due_at.isoformat()
    ended = events.CatalogueTickEnded(catalogue.id, said, outcome, reason, run)
    append(conn, tenant=catalogue.tenant, actor=ACTOR, events=[ended])
    if outcome not in _QUIET:
        content = {"catalogue": catalogue.name, "due_at": said, "outcome": outcome, "reason": reason}
        notify(conn, catalogue.tenant, "catalogue.tick_stopped", [Notification(new_id(), content)])

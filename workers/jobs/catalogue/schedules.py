"""Schedules of catalogues: started and stopped by a person, with the file that may run by itself.

    start   the catalogue's file runs by its timetable from now on, in the name of a key      caller: api
    stop    nothing of it begins by itself any more                                           caller: api
    follow  a person applied another file with the same timetable: it is the one that runs    caller: runs

A plan of another file stops no schedule and is not taken up by one: what runs by itself is what a person started or
applied. Each is one transaction with its event; `follow` is part of the apply.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select
from sqlalchemy.dialects.postgresql import insert

from policy import events
from policy.ledger.append import append
from workers.errors import NotFound
from workers.jobs.catalogue import catalogues as registry
from workers.jobs.catalogue.tables import catalogue_schedules, catalogue_ticks
from workers.jobs.catalogue.timetable import Timetable

SHOWN_TICKS = 50


def start(conn: Connection, catalogue: Row[Any], *, key_id: str) -> Row[Any]:
    """The schedule. The same times again keep the next one. A pause ends: that of a rollback by a person."""
    written = dict(catalogue.spec["schedule"])
    timetable = Timetable.of(written)
    now: datetime = conn.execute(select(func.clock_timestamp())).scalar_one()
    due = timetable.due_after(now)
    values = {"version": catalogue.version, "key_id": key_id, "timetable": written}
    times = {"due_at": due, "begin_at": timetable.begins(due, catalogue.id)}
    before = find(conn, catalogue.tenant, catalogue.id)
    same = before is not None and replace(Timetable.of(before.timetable), apply=timetable.apply) == timetable
    added = insert(catalogue_schedules).values(catalogue_id=catalogue.id, tenant=catalogue.tenant, **values, **times)
    kept = {} if same else times
    changed = added.on_conflict_do_update(index_elements=["catalogue_id"], set_={**values, **kept})
    row = conn.execute(changed.returning(catalogue_schedules)).one()
    registry.go_on(conn, catalogue.id)
    scheduled = events.CatalogueScheduled(catalogue.id, catalogue.version, written)
    append(conn, tenant=catalogue.tenant, actor=f"key:{key_id}", events=[scheduled])
    return row


def stop(conn: Connection, catalogue: Row[Any], *, actor: str) -> None:
    """What has begun goes on. Raises NotFound."""
    schedules = catalogue_schedules
    if not conn.execute(schedules.delete().where(schedules.c.catalogue_id == catalogue.id)).rowcount:
        raise NotFound(f"catalogue {catalogue.name} has no schedule")
    append(conn, tenant=catalogue.tenant, actor=actor, events=[events.CatalogueUnscheduled(catalogue.id)])


def follow(conn: Connection, catalogue_id: str, version: int, written: Any) -> None:
    """The file of a person's apply is the one that runs, where its timetable is the one that was started.

    What a machine's key applied does not run by itself in the name of the person who started the schedule.
    """
    schedules = catalogue_schedules
    mine = schedules.c.catalogue_id == catalogue_id, schedules.c.timetable == (written or {})
    conn.execute(schedules.update().where(*mine).values(version=version))


def find(conn: Connection, tenant: str, catalogue_id: str) -> Row[Any] | None:
    """None: the catalogue has no schedule."""
    schedules = catalogue_schedules
    mine = schedules.c.catalogue_id == catalogue_id, schedules.c.tenant == tenant
    return conn.execute(select(schedules).where(*mine)).one_or_none()


def last_ticks(conn: Connection, tenant: str, catalogue_id: str) -> list[Row[Any]]:
    """The latest first, up to SHOWN_TICKS."""
    ticks = catalogue_ticks
    mine = select(ticks).where(ticks.c.catalogue_id == catalogue_id, ticks.c.tenant == tenant)
    return list(conn.execute(mine.order_by(ticks.c.due_at.desc()).limit(SHOWN_TICKS)))

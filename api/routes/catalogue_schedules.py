"""/v1/catalogues/{name}/schedule: a catalogue that runs by itself."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response
from sqlalchemy import Connection, Row

from api.edge.auth import Caller, Reader, Submitter, demand_person
from api.edge.bodies import json_body
from api.edge.dependencies import PartsOf
from api.edge.idempotency import OnceOf, answered
from api.edge.in_turn import InTurn
from api.edge.problems import Complaint, Problem
from api.schemas.base import NoQuery
from api.schemas.catalogue_runs import fields_of
from api.schemas.catalogue_schedules import ScheduleReply, TickReply
from api.schemas.catalogues import CatalogueBody
from workers.errors import NotFound
from workers.jobs.catalogue import catalogues, schedules, views
from workers.jobs.idempotency import StoredReply

router = APIRouter(route_class=InTurn, prefix="/v1/catalogues", tags=["Catalogues"])
CatalogueName = Annotated[str, Path(max_length=63, description="name of the catalogue")]


@router.put("/{name}/schedule", response_model=ScheduleReply, summary="Let a catalogue run by itself")
def start_schedule(
    name: CatalogueName,
    caller: Submitter,
    parts: PartsOf,
    *,
    once: OnceOf,
    query: Annotated[NoQuery, Query()],
    asked: Annotated[CatalogueBody, Depends(json_body(CatalogueBody))],
) -> Response:
    """The file is the catalogue's, and runs by its `schedule` from now on, in the name of this key.

    The same schedule again keeps its next time. A pause of the catalogue ends. `apply: always` overrules safeguards
    for good, so only a person's key starts it.
    """
    _demand_startable(name, caller, asked)

    def work(conn: Connection) -> StoredReply:
        written = asked.model_dump(mode="json", exclude_unset=True)
        catalogue = catalogues.put(conn, caller.tenant, written, key_id=caller.key_id)
        if catalogue.paused_for == catalogues.ROLLBACK:
            demand_person(caller)
        return answered(200, _shown(conn, schedules.start(conn, catalogue, key_id=caller.key_id), name))

    return once.run(caller.tenant, once.fingerprint(asked), work)


@router.get("/{name}/schedule", summary="Schedule of a catalogue, with its last runs")
def read_schedule(
    name: CatalogueName, caller: Reader, parts: PartsOf, query: Annotated[NoQuery, Query()]
) -> ScheduleReply:
    """404 for a catalogue that does not run by itself."""
    with parts.transaction(caller.tenant) as conn:
        catalogue = views.get_catalogue(conn, caller.tenant, name)
        schedule = schedules.find(conn, caller.tenant, catalogue.id)
        if schedule is None:
            raise NotFound(f"catalogue {name} has no schedule")
        return _shown(conn, schedule, name)


@router.delete("/{name}/schedule", status_code=204, summary="Let a catalogue run by itself no longer")
def stop_schedule(name: CatalogueName, caller: Submitter, once: OnceOf, query: Annotated[NoQuery, Query()]) -> Response:
    """A run that has begun goes on; a plan that was begun is not applied."""

    def work(conn: Connection) -> StoredReply:
        schedules.stop(conn, catalogues.demand(conn, caller.tenant, name), actor=caller.actor)
        return answered(204)

    return once.run(caller.tenant, once.fingerprint(), work)


def _demand_startable(name: str, caller: Caller, asked: CatalogueBody) -> None:
    complaint = None
    if asked.name != name:
        message = f"the file is of catalogue {asked.name}, the address of {name}"
        complaint = Complaint("invalid", message, "Use one name in both.", field="name")
    elif asked.schedule is None:
        complaint = Complaint("missing", "the file says no schedule", "Write `schedule`.", field="schedule")
    if complaint:
        raise Problem("invalid_body", f"{complaint.field}: {complaint.message}.", errors=[complaint])
    if asked.schedule and asked.schedule.apply == "always":
        demand_person(caller)


def _shown(conn: Connection, row: Row[Any], name: str) -> ScheduleReply:
    ticks = [
        TickReply(**fields_of(TickReply, tick)) for tick in schedules.last_ticks(conn, row.tenant, row.catalogue_id)
    ]
    return ScheduleReply(catalogue=name, **fields_of(ScheduleReply, row), ticks=ticks)

"""Runs of a catalogue: a plan carried out once, and a return to what was live before.

    begin      the plan's `applied`, the run and its request are one transaction; of a catalogue, one run makes pictures
    roll_back  what was live after an earlier run is live again; each slot is flipped, nothing is deleted

Two people at once: both lock the catalogue's row, the second finds the plan applied or a run under way. Killed before
the commit, nothing happened; after it, the request is made like any other and the clerk flips what it releases.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, func, select, text

from policy import events
from policy.ledger.append import append
from workers.errors import Conflict, NotFound, Stale
from workers.jobs.catalogue import catalogues as registry
from workers.jobs.catalogue import schedules
from workers.jobs.catalogue.tables import catalogue_plans, catalogue_runs, catalogues
from workers.jobs.delivery import catalogue_deliveries
from workers.jobs.keys import get_key
from workers.jobs.types import new_id

_CHOOSE = text(
    """
    SELECT key, view FROM catalogue_changes
    WHERE plan_id = :plan_id AND (kind IN ('create', 'change') OR (:again AND cause IN ('failed', 'refused')))
      AND (:all OR key = ANY (CAST(:keys AS text[])))
    ORDER BY key, view
    """
)
_TAKE = text(
    """
    UPDATE catalogue_changes c SET taken = true
    FROM unnest(CAST(:keys AS text[]), CAST(:views AS smallint[])) AS chosen (key, view)
    WHERE c.plan_id = :plan_id AND c.key = chosen.key AND c.view = chosen.view
    """
)
_MARKED = """
    SELECT key, view FROM catalogue_changes
    WHERE plan_id = :plan_id AND kind = 'retire' AND (:all OR key = ANY (CAST(:keys AS text[])))
"""
_TO_RETIRE = text(f"{_MARKED} ORDER BY key, view")
_RETIRE = text(
    f"""
    WITH gone AS (
      UPDATE catalogue_slots s
      SET asset_id = NULL, item_id = NULL, picture_digest = NULL, delivery_digest = NULL, parts = NULL, run = :run,
          retired_at = clock_timestamp()
      FROM ({_MARKED}) AS marked
      WHERE s.catalogue_id = :catalogue AND s.key = marked.key AND s.view = marked.view
        AND s.asset_id IS NOT NULL AND s.retired_at IS NULL
      RETURNING s.key, s.view
    )
    INSERT INTO catalogue_flips (catalogue_id, run, key, view, tenant)
    SELECT :catalogue, :run, key, view, :tenant FROM gone
    """  # noqa: S608 - a statement of our own
)
_CHUNK = 10_000  # slots of a statement
_BACK = text(
    """
    WITH was AS (
      SELECT DISTINCT ON (key, view) key, view, asset_id, item_id, picture_digest, delivery_digest, parts
      FROM catalogue_flips WHERE catalogue_id = :catalogue AND run <= :to_run
      ORDER BY key, view, run DESC
    ), wanted AS (
      SELECT s.key, s.view, w.asset_id, w.item_id, w.picture_digest, w.delivery_digest, w.parts
      FROM catalogue_slots s
      LEFT JOIN was w USING (key, view)
      LEFT JOIN assets a ON a.id = w.asset_id AND a.tenant = :tenant
      WHERE s.catalogue_id = :catalogue AND (s.asset_id, s.item_id) IS DISTINCT FROM (w.asset_id, w.item_id)
        AND (w.asset_id IS NULL OR a.state = 'released')
    ), flipped AS (
      UPDATE catalogue_slots s
      SET asset_id = wanted.asset_id, item_id = wanted.item_id, picture_digest = wanted.picture_digest,
          parts = wanted.parts, retired_at = CASE WHEN s.asset_id IS NOT NULL THEN s.retired_at END,
          delivery_digest = wanted.delivery_digest, run = :run
      FROM wanted WHERE s.catalogue_id = :catalogue AND s.key = wanted.key AND s.view = wanted.view
    )
    INSERT INTO catalogue_flips (catalogue_id, run, key, view, tenant, asset_id, item_id, picture_digest,
                                 delivery_digest, parts)
    SELECT :catalogue, :run, key, view, :tenant, asset_id, item_id, picture_digest, delivery_digest, parts FROM wanted
    """
)


class Choice(NamedTuple):
    """Which changes of a plan are carried out."""

    only: Sequence[str] = ()  # keys; empty: all
    again: bool = False  # also what failed or was refused before
    limit: int | None = None  # pictures


class Slot(NamedTuple):
    """A picture of a catalogue: its key, and the number of its view."""

    key: str
    view: int


def choose(conn: Connection, plan_id: str, choice: Choice) -> list[Slot]:
    """The slots that an apply may make, by key and view, its limit aside. The same plan gives the same slots."""
    asked = {"plan_id": plan_id, "again": choice.again, "all": not choice.only, "keys": list(choice.only)}
    return [Slot(row.key, row.view) for row in conn.execute(_CHOOSE, asked)]


def to_retire(conn: Connection, plan_id: str, only: Sequence[str]) -> list[Slot]:
    """The slots of a plan whose rows are marks to remove."""
    asked = {"plan_id": plan_id, "all": not only, "keys": list(only)}
    return [Slot(row.key, row.view) for row in conn.execute(_TO_RETIRE, asked)]


def limited(found: Sequence[Slot], limit: int | None) -> Sequence[Slot]:
    """The first of them. A limit ends between two goods, so that no picture of one is made without the other."""
    if limit is None or len(found) <= limit:
        return found
    end = limit
    while end and found[end].key == found[end - 1].key:
        end -= 1
    return found[:end]


def demand_applicable(conn: Connection, catalogue: Row[Any], plan: Row[Any], digest: str) -> None:
    """The plan may be carried out now, on the catalogue whose row is locked. Raises Stale and Conflict."""
    if plan.state != "ready" or plan.digest != digest:
        why = {"applied": "was applied already", "planning": "is being made", "failed": "failed"}.get(plan.state)
        raise Conflict(f"plan {plan.id} {why}" if why else f"plan {plan.id} has another digest than the one shown")
    if conn.execute(select(plan.expires_at <= func.clock_timestamp())).scalar_one():
        raise Stale(f"plan {plan.id} expired; plan again")
    if plan.version != catalogue.version:
        raise Stale(f"catalogue {catalogue.name} has another file since plan {plan.id}; plan again")
    if plan.after_run != catalogue.runs:
        raise Stale(f"catalogue {catalogue.name} had run {catalogue.runs} since plan {plan.id}; plan again")
    _demand_idle(conn, catalogue)


def begin(
    conn: Connection,
    catalogue: Row[Any],
    plan: Row[Any],
    *,
    request_id: str | None,
    slots: Sequence[Slot],
    only: Sequence[str],
    key_id: str,
) -> tuple[int, int]:
    """(number of the run, slots that marks of the feed retire). The catalogue's row is locked.

    Its request was stored in this transaction; without one the run makes no picture, and is over at once.
    """
    taken = catalogue_plans.update().where(catalogue_plans.c.id == plan.id, catalogue_plans.c.state == "ready")
    if conn.execute(taken.values(state="applied")).rowcount != 1:
        raise Conflict(f"plan {plan.id} was applied already")
    for start in range(0, len(slots), _CHUNK):
        keys, views = zip(*slots[start : start + _CHUNK], strict=True)
        conn.execute(_TAKE, {"plan_id": plan.id, "keys": list(keys), "views": list(views)})
    number = _next(conn, catalogue, last_rows=plan.feed_rows)
    run = {"plan_id": plan.id, "request_id": request_id, "slots": len(slots)}
    over = {"state": "making"} if request_id else {"state": "finished", "ended_at": func.clock_timestamp()}
    _insert(conn, catalogue, number, kind="apply", key_id=key_id, **over, **run)
    confirmed = tuple(safeguard["code"] for safeguard in plan.safeguards)
    applied = events.CatalogueApplied(catalogue.id, plan.id, plan.digest, number, request_id, len(slots), confirmed)
    retired = _retire(conn, catalogue, plan.id, number, only)
    gone = [events.SlotsRetired(catalogue.id, retired)] if retired else []
    append(conn, tenant=catalogue.tenant, actor=f"key:{key_id}", events=[applied, *gone])
    registry.go_on(conn, catalogue.id)
    if get_key(conn, catalogue.tenant, key_id).person is not None:
        schedules.follow(conn, catalogue.id, plan.version, plan.spec.get("schedule"))
    return number, retired


def roll_back(conn: Connection, catalogue: Row[Any], to_run: int, *, key_id: str) -> tuple[int, int]:
    """(number of the new run, slots flipped). The catalogue is paused: a schedule would undo it. Raises Conflict.

    A picture that was recalled meanwhile does not come back: its slot keeps the one it has.
    """
    runs = catalogue_runs
    known = select(runs.c.id).where(runs.c.catalogue_id == catalogue.id, runs.c.number == to_run)
    if to_run and conn.execute(known).first() is None:
        raise NotFound(f"no run {to_run} of catalogue {catalogue.name}")
    _demand_idle(conn, catalogue)
    number = _next(conn, catalogue)
    asked = {"catalogue": catalogue.id, "tenant": catalogue.tenant, "to_run": to_run, "run": number}
    flipped = conn.execute(_BACK, asked).rowcount
    run = {"to_run": to_run, "slots": flipped, "flipped": flipped, "ended_at": func.clock_timestamp()}
    _insert(conn, catalogue, number, kind="rollback", state="finished", key_id=key_id, **run)
    actor = f"key:{key_id}"
    back = events.CatalogueRolledBack(catalogue.id, number, to_run, flipped)
    append(conn, tenant=catalogue.tenant, actor=actor, events=[back])
    catalogue_deliveries.wake(conn, catalogue.id)
    registry.pause(conn, catalogue, registry.ROLLBACK, {"run": number, "to_run": to_run}, actor=actor)
    return number, flipped


def _retire(conn: Connection, catalogue: Row[Any], plan_id: str, number: int, only: Sequence[str]) -> int:
    """How many slots have no picture any more. They are flips of the run, so a rollback brings the pictures back."""
    asked = {"plan_id": plan_id, "all": not only, "keys": list(only)}
    mine = {"catalogue": catalogue.id, "tenant": catalogue.tenant, "run": number}
    retired = conn.execute(_RETIRE, asked | mine).rowcount
    if retired:
        catalogue_deliveries.wake(conn, catalogue.id)
    return retired


def _demand_idle(conn: Connection, catalogue: Row[Any]) -> None:
    runs = catalogue_runs
    making = select(runs.c.number, runs.c.request_id).where(
        runs.c.catalogue_id == catalogue.id, runs.c.state == "making"
    )
    if (row := conn.execute(making).one_or_none()) is not None:
        raise Conflict(
            f"run {row.number} of catalogue {catalogue.name} is being made as request {row.request_id};"
            " wait for its end, or cancel it"
        )


def _next(conn: Connection, catalogue: Row[Any], **values: Any) -> int:
    number = int(catalogue.runs) + 1
    conn.execute(catalogues.update().where(catalogues.c.id == catalogue.id).values(runs=number, **values))
    return number


def _insert(conn: Connection, catalogue: Row[Any], number: int, **values: Any) -> None:
    mine = {"id": new_id(), "tenant": catalogue.tenant, "catalogue_id": catalogue.id, "number": number}
    conn.execute(catalogue_runs.insert().values(**mine, **values))

"""Scheduled runs: ticks that the clerk began, carried out by an API process, since a plan is made here.

    plan made -> failed | nothing to make | asks a person | applied

The process looks for ticks that nobody carries out, of all tenants, and does each in the background, where plans that
people asked for are made too. What stops an apply ends the tick with its reason; what is away is tried again, until the
plan expires. Killed anywhere: the lease of plan or tick runs out, and the next look goes on. An apply and the end of
its tick are one transaction, so no tick is applied twice.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row

from api.catalogues.applying import Apply
from api.catalogues.planning import make_plan
from api.edge.auth import Caller
from api.edge.dependencies import Parts
from api.edge.errors import domain_problem
from api.edge.problems import Problem
from policy.errors import PolicyError
from workers.errors import Conflict, WorkerError
from workers.jobs.catalogue import catalogues, plans, ticks
from workers.jobs.catalogue.runs import Choice
from workers.jobs.catalogue.ticks import Tick
from workers.jobs.catalogue.views import get_catalogue_by_id, get_plan
from workers.jobs.keys import ApiKey, get_key, is_valid
from workers.loop import Loop

_AGAIN = 429  # as is everything from 500 on: tried again


class _Ending(NamedTuple):
    """Why nothing is applied."""

    outcome: str
    reason: str = ""


def follow(parts: Parts, stop: threading.Event) -> None:
    """Looks for ticks until `stop`. Owned by the thread that calls it."""

    def look() -> bool:
        with parts.engine.begin() as conn:
            found = ticks.waiting(conn)
        for tick in found:
            parts.planning.offer(tick.tenant, f"tick {tick.plan_id}", partial(carry_out, parts, tick))
        return False

    Loop("scheduled", look, pause_seconds=parts.settings.rest_seconds).run(stop)


def carry_out(parts: Parts, tick: Tick) -> None:
    """The tick, ended, unless another process has it or something is away. Raises what a store and a database raise."""
    make_plan(parts, tick.tenant, tick.plan_id)
    with parts.transaction(tick.tenant) as conn:
        plan = get_plan(conn, tick.tenant, tick.plan_id)
        if plan.state == "planning" or (schedule := ticks.take(conn, tick)) is None:
            return
        key = get_key(conn, tick.tenant, schedule.key_id)
        if ending := _ending(conn, schedule, plan, key):
            ticks.end(conn, tick, *ending)
            return
    try:
        _apply(parts, tick, plan, key)
    except (Problem, WorkerError, PolicyError) as error:
        problem = domain_problem(error)
        if problem is None or problem.status >= _AGAIN:
            raise
        with parts.transaction(tick.tenant) as conn:
            ticks.end(conn, tick, "refused", problem.code)


def _ending(conn: Connection, schedule: Row[Any], plan: Row[Any], key: ApiKey) -> _Ending | None:
    """None: it is applied."""
    if plan.state == "failed":
        return _Ending("failed", plan.errors[0]["code"])
    if not any(plan.counts.get(kind) for kind in plans.APPLIED):
        return _Ending("nothing")
    if not is_valid(conn, key.tenant, key.id) or "submit" not in key.scopes:
        return _Ending("refused", "key_revoked")
    apply = schedule.timetable.get("apply")
    catalogue = get_catalogue_by_id(conn, key.tenant, schedule.catalogue_id)
    asks = {
        "never": apply == "never",
        "new_file": plan.version != schedule.version,
        "safeguards": plan.safeguards and apply != "always",
        "paused": catalogue.paused_for == catalogues.ROLLBACK,
    }
    return next((_Ending("asked", reason) for reason, holds in asks.items() if holds), None)


def _apply(parts: Parts, tick: Tick, plan: Row[Any], key: ApiKey) -> None:
    """Exactly the plan, in the name of the key, up to as many images as a request may have."""
    choice = Choice(limit=parts.settings.max_items)
    applying = Apply(parts, Caller(key.tenant, key.id, key.person), plan.id, plan.digest, choice)
    try:
        applying.check()
        with parts.transaction(key.tenant) as conn:
            begun = applying.begin(conn)
            if not ticks.end(conn, tick, "applied", run=begun.run):
                raise Conflict(f"the tick of plan {plan.id} has ended")
    finally:
        applying.close()

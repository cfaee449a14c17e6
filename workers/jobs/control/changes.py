"""Changes to a request while it runs: its priority and its deadline.

One conditional update, with one event that names what it was and what it is. Items are not touched: the planner asks
the request. A change to what it is already leaves no trace.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from policy import events
from policy.ledger.append import append, timestamp
from workers.errors import Conflict
from workers.jobs.control.phases import lock
from workers.jobs.tables import requests
from workers.states import REQUEST_OVER, WAKE_CHANNEL

CHANGEABLE = ("priority", "deadline", "at_deadline")


def change(conn: Connection, tenant: str, request_id: str, wanted: Mapping[str, Any], *, actor: str) -> bool:
    """Whether something changed. `wanted` has names of CHANGEABLE; a `deadline` of None is none.

    Raises NotFound, and Conflict for a request that is over. A deadline that has passed is the caller's to refuse.
    """
    if unknown := set(wanted) - set(CHANGEABLE):
        raise ValueError(f"cannot change {sorted(unknown)}")
    row = lock(conn, tenant, request_id)
    if row.phase in REQUEST_OVER:
        raise Conflict(f"request {request_id} is {row.phase} and cannot be changed")
    before = row._mapping
    new = {name: value for name, value in wanted.items() if value != before[name]}
    if not new:
        return False
    conn.execute(requests.update().where(requests.c.id == request_id).values(**new))
    changes = {name: {"from": _written(before[name]), "to": _written(value)} for name, value in new.items()}
    append(conn, tenant=tenant, actor=actor, events=[events.RequestChanged(request_id, changes)])
    conn.execute(select(func.pg_notify(WAKE_CHANNEL, row.queue)))
    return True


def _written(value: Any) -> Any:
    return timestamp(value) if isinstance(value, datetime) else value

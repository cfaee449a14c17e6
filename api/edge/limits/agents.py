"""Agents: what a key of the scope `agent` may do beside reading, and the bounds of what it sends.

It may send a campaign, if it says how many images at most, and names the call; and pause and cancel what it sent. It
accepts no sample, releases nothing, recalls nothing, erases nothing and changes neither policy nor keys.
"""

from __future__ import annotations

from sqlalchemy import Connection

from api.edge.auth import Caller
from api.edge.problems import Complaint, Problem
from workers.jobs.control.daily import demand_daily, demand_own

_REQUIRED = "an agent must send this"


def demand_bounded(caller: Caller, max_images: int | None, *, key: str) -> None:
    """Of a campaign that is to be stored. Raises Problem naming what an agent left out."""
    if not caller.is_agent:
        return
    missing = []
    if max_images is None:
        remedy = "Say how many images may be made at most."
        missing.append(Complaint("missing", _REQUIRED, remedy, field="max_images"))
    if not key:
        remedy = "Name the call, so that a repeat makes nothing twice."
        missing.append(Complaint("missing", _REQUIRED, remedy, field="header.Idempotency-Key"))
    if missing:
        detail = "; ".join(f"{one.field}: {one.message}" for one in missing)
        raise Problem("invalid_body", f"{detail}.", errors=missing)


def demand_within_day(conn: Connection, caller: Caller, images: int) -> None:
    """Raises BudgetExceeded where an agent's key has sent too much today."""
    if caller.daily_images is not None:
        demand_daily(conn, caller.tenant, caller.key_id, images=images, most=caller.daily_images)


def demand_sent_by(conn: Connection, caller: Caller, request_id: str) -> None:
    """Raises NotFound where an agent asks for a request that its key did not send."""
    if caller.is_agent:
        demand_own(conn, caller.tenant, caller.key_id, request_id)

"""Pilot: a sample of a campaign that is made first, before a person says whether the rest is.

    begin         the campaign waits behind its sample                    caller: submit
    record_ready  PILOT -> AWAITING_ACCEPTANCE, with its event            caller: phases.end_settled

The change that settles the last sampled image moves the campaign on, as the one that settles the last image ends it.
Killed before the commit, the image is open still; after it, the campaign waits for a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, exists, func, select

from policy import events
from policy.ledger.append import append
from workers.jobs.control.tables import pilots
from workers.jobs.tables import items, requests
from workers.jobs.types import NewPilot
from workers.jobs.webhooks.deliveries import Notification, notify
from workers.states import ITEM_OPEN, ItemState


def begin(conn: Connection, tenant: str, request_id: str, pilot: NewPilot) -> None:
    """Store what the pilot of a request asks."""
    conn.execute(
        pilots.insert().values(
            request_id=request_id,
            tenant=tenant,
            images=pilot.images,
            max_rejected=pilot.max_rejected,
            sampled=pilot.sampled,
            strata=pilot.strata,
            stratify_by=list(pilot.stratify_by),
            four_eyes=pilot.four_eyes,
        )
    )


def has_open_sample() -> ColumnElement[bool]:
    """Whether a sampled image of a request is not settled yet: a look at a small index."""
    return exists().where(
        items.c.request_id == requests.c.id, items.c.sample, items.c.state.in_([*map(str, ITEM_OPEN)])
    )


def record_ready(conn: Connection, moved: Sequence[Row[Any]], *, actor: str) -> None:
    """The event and the message that the sample of these requests is made."""
    if not moved:
        return
    counts: dict[str, dict[str, int]] = {row.id: {} for row in moved}
    counted = select(items.c.request_id, items.c.state, func.count())
    counted = counted.where(items.c.request_id.in_(list(counts)), items.c.sample)
    for request_id, state, count in conn.execute(counted.group_by(items.c.request_id, items.c.state)):
        counts[request_id][state] = count
    for row in moved:
        images = sum(counts[row.id].values())
        happened = events.PilotReady(row.id, images, counts[row.id])
        append(conn, tenant=row.tenant, actor=actor, events=[happened])
        summary = {str(state): counts[row.id].get(state, 0) for state in ItemState if state not in ITEM_OPEN}
        content = {"request_id": row.id, "images": images, "summary": summary}
        notify(conn, row.tenant, "campaign.pilot_ready", [Notification(row.id, content)])

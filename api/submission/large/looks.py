"""Looks at checks: what sets one going, where nobody does it. So a process that died leaves nothing undone for ever."""

from __future__ import annotations

import threading
from functools import partial

from sqlalchemy import Row

from api.edge.dependencies import Parts
from api.submission.large.checking import check_campaign
from workers.jobs.uploads import campaign_checks
from workers.loop import Loop


def look_after(parts: Parts, row: Row[object]) -> None:
    """Offers the background a check that nobody carries out. A queue that is full is offered it by the next look."""
    if row.state == "checking" and row.is_idle:
        _offer(parts, row.tenant, row.id)


def look_for_checks(parts: Parts) -> None:
    """Offers the background what nobody carries out, of all tenants."""
    with parts.engine.begin() as conn:
        found = campaign_checks.waiting(conn)
    for tenant, id in found:
        _offer(parts, tenant, id)


def follow(parts: Parts, stop: threading.Event) -> None:
    """Looks for checks of all tenants until `stop`. Owned by the thread that calls it."""

    def look() -> bool:
        look_for_checks(parts)
        return False

    Loop("large_campaigns", look, pause_seconds=parts.settings.rest_seconds).run(stop)


def _offer(parts: Parts, tenant: str, id: str) -> None:
    parts.checking.offer(tenant, f"check {id}", partial(check_campaign, parts, tenant, id))

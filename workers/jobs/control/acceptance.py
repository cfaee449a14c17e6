"""Acceptance of a pilot: what its sheet shows, and the decision of a person about exactly that sheet.

    look    the sampled images, what became of each, and the digest of it all                  caller: api
    decide  AWAITING_ACCEPTANCE -> RUNNING, or PAUSED where it is rejected                      caller: api

The lock on the request decides between two people; the second one learns what was decided. Killed before the commit,
there is no decision; after it, the planner sees the gate as the phase says. A rejected campaign waits: its tenant
cancels it, or resumes it to decide again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from policy import events
from policy.ledger.append import append
from policy.rulebook.review import ReviewRules
from workers.errors import Conflict, NotFound, OwnCampaign, PilotFailed, Stale
from workers.jobs.control.binomial import share_at_most
from workers.jobs.control.phases import lock, notify_paused
from workers.jobs.control.reuse import is_of_item
from workers.jobs.control.tables import pilot_decisions, pilots
from workers.jobs.keys import person_behind, same_person
from workers.jobs.tables import api_keys, assets, holds, items, renditions, requests
from workers.jobs.types import new_id
from workers.states import REQUEST_OVER, WAKE_CHANNEL, ItemState, PauseReason, RequestPhase

ACCEPT, REJECT = "accept", "reject"
_GOOD = (ItemState.RELEASED,)
_UNCOUNTED = (ItemState.PENDING, ItemState.PLANNED, ItemState.CANCELLED)


@dataclass(frozen=True, slots=True)
class SampledItem:
    """One image of the sample. `sha256` is of its files, or of what a reviewer would look at."""

    id: str
    row: int
    custom_id: str
    variant: int
    state: str
    reason: str | None
    sha256: tuple[str, ...]
    asset_id: str | None = None  # of a released one

    @property
    def is_bad(self) -> bool:
        """Whether it counts as rejected, whoever looks at it: it could not be released, or nobody did so yet."""
        return self.state not in (*_GOOD, *_UNCOUNTED)


@dataclass(frozen=True, slots=True)
class PilotChoice:
    """What one person decided."""

    decision: str
    key_id: str
    by: str  # name of the key
    digest: str
    images: int
    bad: int
    at: datetime


@dataclass(frozen=True, slots=True)
class PilotView:
    """A pilot as its sheet shows it. `digest` names this very view: another image, state or file changes it."""

    request_id: str
    phase: str
    images: int
    max_rejected: int
    strata: int
    stratify_by: tuple[str, ...]
    four_eyes: bool
    items: tuple[SampledItem, ...]
    choices: tuple[PilotChoice, ...]

    @property
    def judged(self) -> int:
        """Images that count for the proof: those asked for, fewer where some were cancelled or are not made yet."""
        return min(self.images, sum(item.state not in _UNCOUNTED for item in self.items))

    @property
    def digest(self) -> str:
        seen = [[item.id, item.state, *item.sha256] for item in self.items]
        shown = [self.request_id, self.images, self.max_rejected, seen]
        return f"sha256:{hashlib.sha256(json.dumps(shown, separators=(',', ':')).encode()).hexdigest()}"

    def bad(self, rejected: Collection[str] = ()) -> int:
        """How many count as rejected, with those that a person rejects."""
        return sum(item.is_bad or item.id in rejected for item in self.items if item.state not in _UNCOUNTED)


@dataclass(frozen=True, slots=True)
class PilotDecision:
    """What a person says of a sheet: the digest it showed, and the ids of the images that are not good enough."""

    decision: str
    digest: str
    rejected: tuple[str, ...] = ()


def look(conn: Connection, tenant: str, request_id: str) -> PilotView:
    """The pilot as it stands. Raises NotFound, also for a request without a pilot."""
    of_request = (pilots.c.request_id == request_id, pilots.c.tenant == tenant)
    query = select(pilots, requests.c.phase, requests.c.carried_columns)
    row = conn.execute(query.join(requests, requests.c.id == pilots.c.request_id).where(*of_request)).one_or_none()
    if row is None:
        raise NotFound(f"no pilot of request {request_id}")
    names = row.carried_columns
    return PilotView(
        request_id=row.request_id,
        phase=row.phase,
        images=row.images,
        max_rejected=row.max_rejected,
        strata=row.strata,
        stratify_by=tuple(names[place] for place in row.stratify_by if place < len(names)),
        four_eyes=row.four_eyes,
        items=_sampled(conn, tenant, request_id),
        choices=_choices(conn, tenant, request_id),
    )


def decide(
    conn: Connection, tenant: str, request_id: str, decided: PilotDecision, *, key_id: str, rules: ReviewRules
) -> PilotView:
    """Record the decision, and open the gate or leave it shut. The key is a person's: the caller sees to that.

    Raises NotFound, Conflict, Stale, OwnCampaign, and PilotFailed for an acceptance that the pilot does not allow.
    """
    row = lock(conn, tenant, request_id)
    shown = look(conn, tenant, request_id)
    _demand_awaiting(row, shown)
    if decided.digest != shown.digest:
        raise Stale(f"the sheet of the pilot shows {shown.digest} now; look at it again")
    unknown = set(decided.rejected) - {item.id for item in shown.items}
    if unknown:
        raise NotFound(f"item {min(unknown)} is not in the pilot of request {request_id}")
    if decided.decision == ACCEPT and (shown.four_eyes or rules.four_eyes is None):
        _demand_other_person(conn, tenant, row.key_id, key_id)
    bad = shown.bad(decided.rejected)
    if decided.decision == ACCEPT and (bad > shown.max_rejected or not shown.judged):
        raise PilotFailed(
            f"{bad} of {len(shown.items)} sampled images are rejected, failed or not released, and at most"
            f" {shown.max_rejected} may be; reject the pilot, or have held images reviewed and look again"
        )
    accepted = decided.decision == ACCEPT
    _move(conn, request_id, accepted=accepted)
    images = max(shown.judged, bad)
    conn.execute(
        pilot_decisions.insert().values(
            id=new_id(),
            request_id=request_id,
            tenant=tenant,
            key_id=key_id,
            decision=decided.decision,
            digest=shown.digest,
            images=images,
            rejected=sorted(set(decided.rejected)),
            bad=bad,
        )
    )
    said: dict[str, Any] = {
        "request_id": request_id,
        "key_id": key_id,
        "reviewer": person_behind(conn, tenant, key_id).name,
        "digest": shown.digest,
        "images": images,
        "bad": bad,
        "rejected": tuple(sorted(set(decided.rejected))),
        "share_at_most": f"{share_at_most(images, bad):.4f}",
    }
    told = events.PilotAccepted(**said) if accepted else events.PilotRejected(**said)
    append(conn, tenant=tenant, actor=f"key:{key_id}", events=[told])
    if accepted:
        conn.execute(select(func.pg_notify(WAKE_CHANNEL, row.queue)))
    else:
        notify_paused(conn, tenant, request_id, PauseReason.PERSON)
    return look(conn, tenant, request_id)


def _demand_awaiting(row: Row[Any], shown: PilotView) -> None:
    if row.phase == RequestPhase.AWAITING_ACCEPTANCE:
        return
    if accepted := next((choice for choice in shown.choices if choice.decision == ACCEPT), None):
        when = f"{accepted.at:%Y-%m-%d %H:%M:%S} UTC"
        raise Conflict(f"the pilot of request {row.id} was accepted with the key {accepted.by!r} at {when}")
    if row.phase == RequestPhase.PILOT:
        raise Conflict(f"the sample of request {row.id} is still being made")
    if row.phase in REQUEST_OVER:
        raise Conflict(f"request {row.id} is {row.phase}; there is nothing left to decide")
    raise Conflict(f"request {row.id} is paused ({row.paused_for}); resume it, and decide then")


def _demand_other_person(conn: Connection, tenant: str, submitted_by: str, key_id: str) -> None:
    if same_person(person_behind(conn, tenant, submitted_by), person_behind(conn, tenant, key_id)):
        raise OwnCampaign("you submitted this campaign, and another person must accept its pilot")


def _move(conn: Connection, request_id: str, *, accepted: bool) -> None:
    waits = (requests.c.id == request_id, requests.c.phase == RequestPhase.AWAITING_ACCEPTANCE)
    values: dict[str, Any] = {"phase": RequestPhase.RUNNING}
    if not accepted:
        came_from = RequestPhase.AWAITING_ACCEPTANCE
        values = {"phase": RequestPhase.PAUSED, "paused_for": PauseReason.PERSON, "paused_from": came_from}
    if conn.execute(requests.update().where(*waits).values(**values)).rowcount != 1:
        raise Conflict(f"request {request_id} does not wait for acceptance any more")


def _sampled(conn: Connection, tenant: str, request_id: str) -> tuple[SampledItem, ...]:
    files = (
        select(func.array_agg(aggregate_order_by(renditions.c.sha256, renditions.c.sha256)))
        .join(assets, (assets.c.id == renditions.c.asset_id) & (assets.c.tenant == renditions.c.tenant))
        .where(is_of_item())
        .scalar_subquery()
    )
    held = select(holds.c.sha256).where(holds.c.item_id == items.c.id, holds.c.tenant == items.c.tenant)
    asset = select(assets.c.id).where(assets.c.item_id == items.c.id, assets.c.tenant == items.c.tenant)
    query = (
        select(
            items,
            files.label("files"),
            held.scalar_subquery().label("held"),
            asset.scalar_subquery().label("asset_id"),
        )
        .where(items.c.request_id == request_id, items.c.tenant == tenant, items.c.sample)
        .order_by(items.c.id)
    )
    return tuple(
        SampledItem(
            row.id,
            row.row,
            row.custom_id,
            row.variant,
            row.state,
            row.reason,
            tuple(row.files or filter(None, [row.held])),
            row.asset_id,
        )
        for row in conn.execute(query)
    )


def _choices(conn: Connection, tenant: str, request_id: str) -> tuple[PilotChoice, ...]:
    query = (
        select(pilot_decisions, api_keys.c.name)
        .join(api_keys, api_keys.c.id == pilot_decisions.c.key_id)
        .where(pilot_decisions.c.request_id == request_id, pilot_decisions.c.tenant == tenant)
        .order_by(pilot_decisions.c.created_at, pilot_decisions.c.id)
    )
    return tuple(
        PilotChoice(row.decision, row.key_id, row.name, row.digest, row.images, row.bad, row.created_at)
        for row in conn.execute(query)
    )

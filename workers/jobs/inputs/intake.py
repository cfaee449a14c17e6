"""Intake of inputs, from the claim to what became of them. One row is one input.

    claim      RECEIVED | CHECKING, lease over -> CHECKING, attempt + 1; claims used up -> FAILED
    accept     CHECKING, same attempt -> READY, with its event
    refuse     CHECKING, same attempt -> REFUSED, with its event
    fail       CHECKING, same attempt -> FAILED, with its event
    give_back  CHECKING, same attempt -> RECEIVED, the claim not counted

Killed after `claim`: the lease runs out and the next claim takes it, twice at most, so a picture that kills the process
fails alone. A late worker finds another attempt and changes nothing; what it stored lies under a key that no row names.
Each end wakes the planner, as items may wait for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, func, or_, select

from policy import events
from policy.events import Event
from policy.ledger.append import append
from policy.verdict import Verdict
from workers.jobs.inputs.tables import inputs, item_inputs
from workers.jobs.tables import items
from workers.states import INPUT_OPEN, WAKE_CHANNEL, InputState

CLAIMS_ALLOWED = 2
MAX_DETAIL_CHARS = 400
ACTOR = "identify"


@dataclass(frozen=True, slots=True)
class ClaimedInput:
    """An input that this process looks at."""

    id: str
    tenant: str
    object: str | None  # of its upload; None: it is to be fetched from `address`
    address: str
    sent_sha256: str | None
    consent: bool
    attempt: int


@dataclass(frozen=True, slots=True)
class LookedAt:
    """What was found on an input."""

    media_type: str
    width: int
    height: int
    transparent: bool
    sent_sha256: str
    sent_bytes: int
    marks: Mapping[str, Any]
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class StoredInput:
    """Where an accepted input lies. `original_key` is of the file as it was sent, where that carries a manifest."""

    key: str
    sha256: str
    original_key: str | None


def claim(conn: Connection, lease: timedelta) -> ClaimedInput | None:
    """The next input, tenants taking turns; None when nothing waits. One whose claims are used up fails here."""
    row = conn.execute(_next().with_for_update(of=inputs, skip_locked=True)).one_or_none()
    if row is None:
        return None
    if row.attempt >= CLAIMS_ALLOWED:
        _end(conn, row, {"state": InputState.FAILED, "reason": "gave_up"}, events.InputFailed(row.id, "gave_up"))
        return claim(conn, lease)
    conn.execute(
        inputs.update()
        .where(inputs.c.id == row.id)
        .values(
            state=InputState.CHECKING,
            attempt=inputs.c.attempt + 1,
            lease_until=func.clock_timestamp() + lease,
        )
    )
    return ClaimedInput(
        row.id, row.tenant, row.object, row.address, row.sent_sha256, bool(row.consent), row.attempt + 1
    )


def give_back(conn: Connection, claimed: ClaimedInput) -> None:
    """CHECKING -> RECEIVED, the claim not counted: a service was unavailable."""
    conn.execute(
        inputs.update()
        .where(*_ours(claimed))
        .values(state=InputState.RECEIVED, attempt=claimed.attempt - 1, lease_until=None)
    )


def accept(conn: Connection, claimed: ClaimedInput, found: LookedAt, stored: StoredInput) -> bool:
    """CHECKING -> READY; False if another attempt has it, or it was erased meanwhile."""
    values = {"state": InputState.READY, **_found(found)}
    values |= {"key": stored.key, "sha256": stored.sha256, "original_key": stored.original_key}
    return _end(conn, claimed, values, _screened(claimed, found, stored.sha256))


def refuse(conn: Connection, claimed: ClaimedInput, found: LookedAt) -> bool:
    """CHECKING -> REFUSED; False if another attempt has it, or it was erased meanwhile."""
    return _end(conn, claimed, {"state": InputState.REFUSED, **_found(found)}, _screened(claimed, found, None))


def fail(conn: Connection, claimed: ClaimedInput, reason: str, detail: str) -> bool:
    """CHECKING -> FAILED for a stable reason; False if another attempt has it, or it was erased meanwhile."""
    values = {"state": InputState.FAILED, "reason": reason, "detail": detail.replace("\0", "")[:MAX_DETAIL_CHARS]}
    return _end(conn, claimed, values, events.InputFailed(claimed.id, reason))


def needed(conn: Connection, objects: Sequence[str]) -> set[str]:
    """Of these uploads, those that an input still waits for."""
    waiting = inputs.c.object.in_(objects), inputs.c.state.in_(INPUT_OPEN)
    return {str(key) for key in conn.scalars(select(inputs.c.object).where(*waiting))}


def open_inputs(conn: Connection) -> int:
    """How many wait or are looked at."""
    return conn.scalar(select(func.count()).where(inputs.c.state.in_(INPUT_OPEN))) or 0


def _next() -> Select[Any]:
    """Oldest first, but a tenant's second comes after every other tenant's first."""
    due = or_(
        inputs.c.state == InputState.RECEIVED,
        (inputs.c.state == InputState.CHECKING) & (inputs.c.lease_until < func.clock_timestamp()),
    )
    oldest = (
        select(inputs.c.id, func.row_number().over(partition_by=inputs.c.tenant, order_by=inputs.c.id).label("place"))
        .where(inputs.c.state.in_(INPUT_OPEN))
        .subquery()
    )
    return (
        select(inputs)
        .join(oldest, oldest.c.id == inputs.c.id)
        .where(due)
        .order_by(oldest.c.place, inputs.c.id)
        .limit(1)
    )


def _ours(claimed: ClaimedInput | Row[Any]) -> tuple[Any, ...]:
    return (
        inputs.c.id == claimed.id,
        inputs.c.attempt == claimed.attempt,
        inputs.c.state.in_(INPUT_OPEN),
    )


def _end(conn: Connection, claimed: ClaimedInput | Row[Any], values: Mapping[str, Any], event: Event) -> bool:
    written = conn.execute(
        inputs.update().where(*_ours(claimed)).values(lease_until=None, settled_at=func.clock_timestamp(), **values)
    )
    if written.rowcount != 1:
        return False
    append(conn, tenant=claimed.tenant, actor=ACTOR, events=[event])
    queues = select(items.c.queue).join(item_inputs, item_inputs.c.item_id == items.c.id)
    for queue in sorted(conn.scalars(queues.where(item_inputs.c.input_id == claimed.id).distinct())):
        conn.execute(select(func.pg_notify(WAKE_CHANNEL, queue)))
    return True


def _found(found: LookedAt) -> dict[str, Any]:
    return {
        "media_type": found.media_type,
        "width": found.width,
        "height": found.height,
        "transparent": found.transparent,
        "sent_sha256": found.sent_sha256,
        "sent_bytes": found.sent_bytes,
        "marks": dict(found.marks),
        "verdict": found.verdict.to_json(),
    }


def _screened(claimed: ClaimedInput, found: LookedAt, sha256: str | None) -> events.InputScreened:
    return events.InputScreened(
        input_id=claimed.id,
        sent_sha256=found.sent_sha256,
        sha256=sha256,
        width=found.width,
        height=found.height,
        media_type=found.media_type,
        verdict=found.verdict.to_json(),
        marks=dict(found.marks),
    )

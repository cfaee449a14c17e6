"""Questions about pictures, from the upload to the answer and its expiry. One row is one question.

    ask      -> WAITING                     caller: api (the upload is stored before)
    claim    WAITING | RUNNING, lease over -> RUNNING, attempt + 1; claims used up -> FAILED
    settle   RUNNING, same attempt -> DONE, with its event
    fail     RUNNING, same attempt -> FAILED, with its event
    expire   settled long ago -> gone

Killed after `ask`: the row waits. Killed after `claim`: the lease runs out and the next claim takes it, twice at most,
so a picture that kills the process is answered too. A late worker's `settle` finds another attempt and changes nothing.
The upload is deleted after the answer is written; the sweep finds what a death in between leaves.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, any_, func, or_, select

from policy import events
from policy.ledger.append import append
from workers.errors import NotFound, TooManyOpen
from workers.jobs.identification.tables import identifications
from workers.states import QUESTION_CHANNEL

CLAIMS_ALLOWED = 2
MOST_OPEN = 50  # questions of one tenant that wait or are worked on


class QuestionState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


_OPEN = (QuestionState.WAITING, QuestionState.RUNNING)


@dataclass(frozen=True, slots=True)
class Question:
    """A claimed question."""

    id: str
    tenant: str
    object: str
    sha256: str
    attempt: int


@dataclass(frozen=True, slots=True)
class QuestionView:
    """A question as its tenant may read it."""

    id: str
    state: str
    sha256: str
    bytes: int
    answer: Mapping[str, Any] | None
    reason: str | None
    created_at: datetime
    settled_at: datetime | None


def ask(
    conn: Connection,
    *,
    id: str,
    tenant: str,
    key_id: str,
    object: str,
    size: int,
    sha256: str,
    asked_from: Sequence[str] = (),
) -> None:
    """A new question about a stored upload. Raises TooManyOpen where too many wait.

    `asked_from` are digests of the networks of an anonymous caller. None of them may have more open questions than
    are left of the tenant's, so that a few addresses never take the last one. api/edge/limits/rate_limit.py has the
    rule.
    """
    mine = (func.count().filter(any_(identifications.c.asked_from) == network) for network in asked_from)
    open_now = select(func.count(), *mine).where(identifications.c.tenant == tenant, identifications.c.state.in_(_OPEN))
    total, *held = conn.execute(open_now).one()
    if total >= MOST_OPEN:
        raise TooManyOpen(f"{MOST_OPEN} pictures of this tenant wait to be identified; read those answers first")
    if any(held_by_network >= MOST_OPEN - total for held_by_network in held):
        raise TooManyOpen("many pictures wait, and this address has its share of them; read those answers first")
    conn.execute(
        identifications.insert().values(
            id=id,
            tenant=tenant,
            key_id=key_id,
            state=QuestionState.WAITING,
            object=object,
            bytes=size,
            sha256=sha256,
            asked_from=list(asked_from),
        )
    )
    conn.execute(select(func.pg_notify(QUESTION_CHANNEL, "")))


def get_question(conn: Connection, tenant: str, id: str) -> QuestionView:
    """Raises NotFound; also for one that has expired."""
    ours = select(identifications).where(identifications.c.id == id, identifications.c.tenant == tenant)
    row = conn.execute(ours).one_or_none()
    if row is None:
        raise NotFound(f"no identification {id}")
    return QuestionView(
        row.id, row.state, row.sha256, row.bytes, row.answer, row.reason, row.created_at, row.settled_at
    )


def settled_questions(conn: Connection, tenant: str, ids: Sequence[str]) -> set[str]:
    """Of these ids, those with nothing left to wait for: answered, failed, or no question of the tenant (any more)."""
    open_now = select(identifications.c.id).where(
        identifications.c.tenant == tenant, identifications.c.id.in_(ids), identifications.c.state.in_(_OPEN)
    )
    return set(ids) - {str(id) for id in conn.scalars(open_now)}


def claim(conn: Connection, lease: timedelta) -> Question | None:
    """The next question, tenants taking turns; None when nothing waits. One whose claims are used up fails here."""
    row = conn.execute(_next().with_for_update(skip_locked=True)).one_or_none()
    if row is None:
        return None
    if row.attempt >= CLAIMS_ALLOWED:
        _write(conn, row.id, row.attempt, state=QuestionState.FAILED, reason="gave_up")
        _record(conn, row, finding="failed", answer={})
        return claim(conn, lease)
    conn.execute(
        identifications.update()
        .where(identifications.c.id == row.id)
        .values(
            state=QuestionState.RUNNING,
            attempt=identifications.c.attempt + 1,
            lease_until=func.clock_timestamp() + lease,
        )
    )
    return Question(row.id, row.tenant, row.object, row.sha256, row.attempt + 1)


def give_back(conn: Connection, question: Question) -> None:
    """RUNNING -> WAITING, the claim not counted: a service was unavailable."""
    conn.execute(
        identifications.update()
        .where(*_ours(question.id, question.attempt))
        .values(state=QuestionState.WAITING, attempt=question.attempt - 1, lease_until=None)
    )


def settle(conn: Connection, question: Question, answer: Mapping[str, Any], asset_id: str | None) -> bool:
    """RUNNING -> DONE; False if another attempt has it. `asset_id` goes into the tenant's ledger, so: only its own."""
    done = _write(conn, question.id, question.attempt, state=QuestionState.DONE, answer=dict(answer))
    if done:
        _record(conn, question, finding=str(answer["finding"]), answer={**answer, "asset_id": asset_id})
    return done


def fail(conn: Connection, question: Question, reason: str) -> bool:
    """RUNNING -> FAILED for a stable reason; False if another attempt has it."""
    done = _write(conn, question.id, question.attempt, state=QuestionState.FAILED, reason=reason)
    if done:
        _record(conn, question, finding="failed", answer={})
    return done


def expire(conn: Connection, age: timedelta) -> int:
    """Forget answers older than this; how many. The ledger keeps that they were given."""
    over = identifications.c.settled_at < func.clock_timestamp() - age
    return conn.execute(identifications.delete().where(over)).rowcount


def unneeded(conn: Connection, objects: list[str], age: timedelta) -> list[str]:
    """Of these uploads, those that no open question needs, and that are older than a request under way can be.

    An upload's name ends in its question's id, a UUIDv7, which says when it was made.
    """
    needed = select(identifications.c.object).where(
        identifications.c.object.in_(objects), identifications.c.state.in_(_OPEN)
    )
    kept = set(conn.scalars(needed))
    settled = set(conn.scalars(select(identifications.c.object).where(identifications.c.object.in_(objects)))) - kept
    oldest: datetime = conn.execute(select(func.clock_timestamp() - age)).scalar_one()
    return [
        key for key in objects if key not in kept and (key in settled or (_made_at(key) or 0.0) < oldest.timestamp())
    ]


def open_questions(conn: Connection) -> int:
    """How many wait or are worked on."""
    return conn.scalar(select(func.count()).where(identifications.c.state.in_(_OPEN))) or 0


def _next() -> Any:
    """Oldest first, but a tenant's second comes after every other tenant's first."""
    other = identifications.alias("other")
    before = (
        select(func.count())
        .where(other.c.tenant == identifications.c.tenant, other.c.state.in_(_OPEN), other.c.id < identifications.c.id)
        .scalar_subquery()
    )
    due = or_(
        identifications.c.state == QuestionState.WAITING,
        (identifications.c.state == QuestionState.RUNNING) & (identifications.c.lease_until < func.clock_timestamp()),
    )
    return select(identifications).where(due).order_by(before, identifications.c.id).limit(1)


def _made_at(key: str) -> float | None:
    """Seconds since 1970, from the id at the key's end; None for a key of another form."""
    try:
        return (uuid.UUID(key.rpartition("/")[2]).int >> 80) / 1000
    except ValueError:
        return None


def _ours(id: str, attempt: int) -> tuple[Any, ...]:
    return (
        identifications.c.id == id,
        identifications.c.state == QuestionState.RUNNING,
        identifications.c.attempt == attempt,
    )


def _write(conn: Connection, id: str, attempt: int, **values: Any) -> bool:
    written = conn.execute(
        identifications.update()
        .where(*_ours(id, attempt))
        .values(lease_until=None, settled_at=func.clock_timestamp(), asked_from=[], **values)
    )
    return written.rowcount == 1


def _record(conn: Connection, asked: Question | Row[Any], *, finding: str, answer: Mapping[str, Any]) -> None:
    event = events.PictureIdentified(
        identification_id=asked.id,
        sha256=asked.sha256,
        finding=finding,
        verified=bool(answer.get("verified", False)),
        asset_id=answer.get("asset_id"),
    )
    append(conn, tenant=asked.tenant, actor="identify", events=[event])

"""Plans of a catalogue: made under a lease by one process at a time, immutable once they are ready, gone after a day.

    planning -> ready      every row of the feed was compared; the digest says what an apply would do
    planning -> failed     the feed cannot be read, or the catalogue cannot be made of it
    ready    -> applied    once, in the transaction that stores the request of the run (jobs/catalogue/runs.py)

Killed while planning: the changes that were written are of no plan that is ready; the lease runs out, and the next look
begins again with none of them. A late process finds another attempt and changes nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, func, select, text

from policy import events
from policy.ledger.append import append
from workers.errors import LimitExceeded
from workers.jobs.catalogue.tables import catalogue_changes, catalogue_plans

APPLIED = ("create", "change", "retire")  # kinds of changes that an apply carries out
HOURS = 24  # of a plan that is ready
LEASE_SECONDS = 120
ATTEMPTS = 3
MAX_PLANNING = 10  # plans of a tenant that are being made
_STREAMED = 2_000

_ADD = text(
    """
    INSERT INTO catalogue_changes (plan_id, tenant, key, view, kind, cause, "row", line, detail, picture_digest,
                                   delivery_digest, parts, input_id)
    SELECT :plan_id, :tenant, key, view, kind, cause, "row", line, detail, picture_digest, delivery_digest, parts,
           input_id
    FROM json_to_recordset(CAST(:rows AS json)) AS sent (
      key text, view smallint, kind text, cause text, "row" integer, line integer, detail text, picture_digest text,
      delivery_digest text, parts jsonb, input_id uuid)
    ON CONFLICT DO NOTHING
    """
)


@dataclass(frozen=True, slots=True)
class SlotChange:
    """What a plan does with a slot, or why it does nothing."""

    key: str
    view: int
    kind: str  # create | change | retire | missing | blocked
    cause: str
    row: int | None = None
    line: int | None = None
    detail: str = ""
    picture_digest: str | None = None
    delivery_digest: str | None = None
    parts: Mapping[str, str] | None = None
    input_id: str | None = None


class Planning(NamedTuple):
    """A lease on the making of a plan. A later attempt makes an earlier one void."""

    plan_id: str
    attempt: int
    row: Row[Any]


@dataclass(frozen=True, slots=True)
class Planned:
    """What was found, as the plan keeps it."""

    digest: str
    base: str
    feed_sha256: str
    feed_rows: int
    counts: Mapping[str, int]
    causes: Mapping[str, Mapping[str, int]]
    safeguards: Sequence[Mapping[str, Any]]
    forecast: Mapping[str, Any]


def begin(
    conn: Connection, catalogue: Row[Any], *, id: str, key_id: str, feed_key: str | None, pictures: Mapping[str, str]
) -> None:
    """A plan that is made next. Raises LimitExceeded."""
    waiting = select(func.count()).where(  # one that a dead process left, and nobody asks for, counts for an hour
        catalogue_plans.c.tenant == catalogue.tenant,
        catalogue_plans.c.state == "planning",
        catalogue_plans.c.created_at > func.clock_timestamp() - timedelta(hours=1),
    )
    if conn.execute(waiting).scalar_one() >= MAX_PLANNING:
        raise LimitExceeded(f"{MAX_PLANNING} plans of yours are being made; ask again when one of them is ready")
    conn.execute(
        catalogue_plans.insert().values(
            id=id,
            tenant=catalogue.tenant,
            catalogue_id=catalogue.id,
            state="planning",
            version=catalogue.version,
            spec=catalogue.spec,
            after_run=catalogue.runs,
            key_id=key_id,
            feed_key=feed_key,
            pictures=dict(pictures),
        )
    )


def take(conn: Connection, tenant: str, plan_id: str) -> Planning | None:
    """A lease to make the plan, with none of its changes; None where it is made, or another process has it."""
    free = catalogue_plans.c.lease_until.is_(None) | (catalogue_plans.c.lease_until < func.clock_timestamp())
    taken = conn.execute(
        catalogue_plans.update()
        .where(*_planning(tenant, plan_id), free)
        .values(attempt=catalogue_plans.c.attempt + 1, lease_until=_lease())
        .returning(catalogue_plans)
    ).one_or_none()
    if taken is None:
        return None
    conn.execute(catalogue_changes.delete().where(catalogue_changes.c.plan_id == plan_id))
    return Planning(plan_id, taken.attempt, taken)


def renew(conn: Connection, planning: Planning) -> bool:
    """Whether the lease is still held."""
    return conn.execute(_held(planning).values(lease_until=_lease())).rowcount == 1


def keep_feed(conn: Connection, planning: Planning, key: str) -> bool:
    """Where the feed that was fetched lies; False where the lease is lost."""
    return conn.execute(_held(planning).values(feed_key=key)).rowcount == 1


def add(conn: Connection, planning: Planning, changes: Sequence[SlotChange]) -> bool:
    """Writes changes down; False where the lease is lost."""
    if not renew(conn, planning):
        return False
    if changes:
        rows = json.dumps([asdict(one) for one in changes])
        conn.execute(_ADD, {"plan_id": planning.plan_id, "tenant": planning.row.tenant, "rows": rows})
    return True


def ready(conn: Connection, planning: Planning, planned: Planned) -> bool:
    """-> ready, for a day; False where the lease is lost."""
    values = {**asdict(planned), "state": "ready", "lease_until": None, "ready_at": func.clock_timestamp()}
    until = func.clock_timestamp() + timedelta(hours=HOURS)
    if conn.execute(_held(planning).values(**values, expires_at=until)).rowcount != 1:
        return False
    row = planning.row
    event = events.CataloguePlanned(
        row.catalogue_id, planning.plan_id, planned.digest, planned.feed_sha256, dict(planned.counts)
    )
    append(conn, tenant=row.tenant, actor=f"key:{row.key_id}", events=[event])
    return True


def fail(conn: Connection, planning: Planning, errors: Sequence[Mapping[str, Any]]) -> bool:
    """-> failed, with what is wrong; False where the lease is lost."""
    values = {"state": "failed", "errors": [dict(one) for one in errors], "lease_until": None}
    return conn.execute(_held(planning).values(**values)).rowcount == 1


def changes_of(conn: Connection, plan_id: str) -> Iterator[Row[Any]]:
    """Its changes by key and view, streamed."""
    query = select(catalogue_changes).where(catalogue_changes.c.plan_id == plan_id)
    ordered = query.order_by(catalogue_changes.c.key, catalogue_changes.c.view)
    yield from conn.execute(ordered, execution_options={"yield_per": _STREAMED})


def digest_of(conn: Connection, plan_id: str, base: str, feed_sha256: str) -> str:
    """SHA-256 of everything that an apply would do."""
    digest = hashlib.sha256(f"{base}\n{feed_sha256}\n".encode())
    for row in changes_of(conn, plan_id):
        said = (row.key, row.view, row.kind, row.cause, row.picture_digest, row.delivery_digest, row.input_id)
        digest.update(json.dumps(said, ensure_ascii=False).encode() + b"\n")
    return digest.hexdigest()


def counted(conn: Connection, plan_id: str) -> tuple[dict[str, int], dict[str, dict[str, int]]]:
    """How many changes there are by kind, and by cause of each kind, the most frequent first."""
    kind, cause = catalogue_changes.c.kind, catalogue_changes.c.cause
    query = select(kind, cause, func.count().label("n")).where(catalogue_changes.c.plan_id == plan_id)
    counts: dict[str, int] = {}
    causes: dict[str, dict[str, int]] = {}
    for row in conn.execute(query.group_by(kind, cause).order_by(func.count().desc(), cause)):
        counts[row.kind] = counts.get(row.kind, 0) + row.n
        causes.setdefault(row.kind, {})[row.cause] = row.n
    return counts, causes


def _planning(tenant: str, plan_id: str) -> tuple[ColumnElement[bool], ...]:
    return catalogue_plans.c.id == plan_id, catalogue_plans.c.tenant == tenant, catalogue_plans.c.state == "planning"


def _held(planning: Planning) -> Any:
    mine = _planning(planning.row.tenant, planning.plan_id)
    return catalogue_plans.update().where(*mine, catalogue_plans.c.attempt == planning.attempt)


def _lease() -> Any:
    return func.clock_timestamp() + timedelta(seconds=LEASE_SECONDS)

"""Checks of campaigns: a large file is accepted first, and checked by one process at a time under a lease.

    checking -> accepted   every row is good: the request, which has the id of the check, and this step commit together
    checking -> checked    nothing was to be stored: it was a check alone, or every image is there already
    checking -> failed     something is wrong: the problem is kept, nothing is made
    checking -> cancelled  its tenant does not want it any more

Killed while the rows are checked or stored: nothing is stored, the lease runs out, and whoever looks next begins again.
A late process finds another attempt and changes nothing. A file that kills the process three times is not read again;
a store or a database that is away does not count as that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Select, func, select, text

from policy import events
from policy.ledger.append import append
from workers.errors import Conflict, NotFound
from workers.jobs.uploads.files import dismiss_checked
from workers.jobs.uploads.tables import campaign_checks

LEASE_SECONDS = 120  # renewed every second or so while rows are read; a workbook takes a minute before its first row
AGAIN_SECONDS = 10  # after a store or a database was away
ATTEMPTS = 3
FILE_DAYS = 7  # of a file that nobody could check
KEPT_DAYS = 30  # of a check that is over, with what it found

_WAITING = text("SELECT tenant, CAST(id AS text) FROM campaign_checks_waiting()")


class CampaignCheck(NamedTuple):
    """A lease on a check. A later attempt makes an earlier one void."""

    id: str
    tenant: str
    attempt: int
    unfinished: int
    key_id: str
    spec: Mapping[str, Any]
    file_id: str
    pictures_file_id: str | None

    @property
    def file_ids(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.file_id, self.pictures_file_id)))

    @property
    def actor(self) -> str:
        return f"key:{self.key_id}"


class NewCampaignCheck(NamedTuple):
    """A campaign whose files lie in the store."""

    id: str
    key_id: str
    name: str
    spec: Mapping[str, Any]
    file_id: str
    pictures_file_id: str | None
    bytes: int


def create(conn: Connection, tenant: str, new: NewCampaignCheck) -> None:
    """A check that is made next."""
    conn.execute(campaign_checks.insert().values(tenant=tenant, **{**new._asdict(), "spec": dict(new.spec)}))
    append(conn, tenant=tenant, actor=f"key:{new.key_id}", events=[events.CampaignCheckBegun(new.id, new.file_id)])


def count_open(conn: Connection, tenant: str) -> int:
    """How many of the tenant's wait or run."""
    open_ones = select(func.count()).where(campaign_checks.c.tenant == tenant, campaign_checks.c.ended_at.is_(None))
    return conn.execute(open_ones).scalar_one()


def waiting(conn: Connection) -> list[tuple[str, str]]:
    """(tenant, id) of checks of all tenants that nobody carries out now, the oldest first."""
    return [(tenant, id) for tenant, id in conn.execute(_WAITING)]


def begin(conn: Connection, tenant: str, id: str) -> CampaignCheck | None:
    """A lease to check; None where the check is over, or another process has it."""
    free = campaign_checks.c.lease_until.is_(None) | (campaign_checks.c.lease_until < func.clock_timestamp())
    row = conn.execute(
        campaign_checks.update()
        .where(*_open(tenant, id), free)
        .values(
            attempt=campaign_checks.c.attempt + 1,
            unfinished=campaign_checks.c.unfinished + 1,
            lease_until=_in(LEASE_SECONDS),
            stage="checking",
            rows_checked=0,
        )
        .returning(*(campaign_checks.c[name] for name in CampaignCheck._fields))
    ).one_or_none()
    return None if row is None else CampaignCheck(*row)


def renew(conn: Connection, check: CampaignCheck, *, rows: int | None, rows_checked: int, stage: str) -> bool:
    """Whether the lease is still held: it was neither cancelled nor taken over. Writes down how far it has come."""
    values = {"rows": rows, "rows_checked": rows_checked, "stage": stage, "lease_until": _in(LEASE_SECONDS)}
    return conn.execute(_held(check).values(**values)).rowcount == 1


def give_back(conn: Connection, check: CampaignCheck, *, seconds: float = AGAIN_SECONDS) -> None:
    """Something was away, or the process stops: another look goes on, and it does not count as an attempt."""
    fewer = func.greatest(campaign_checks.c.unfinished - 1, 0)
    conn.execute(_held(check).values(stage="waiting", unfinished=fewer, lease_until=_in(seconds)))


def end(conn: Connection, check: CampaignCheck, *, state: str, reply: Mapping[str, Any]) -> bool:
    """-> accepted, with the request that this transaction stored, or checked; False where the lease is lost."""
    all_rows = func.coalesce(campaign_checks.c.rows, campaign_checks.c.rows_checked)
    return _end(conn, check, state=state, reply=dict(reply), name="", rows_checked=all_rows)


def fail(conn: Connection, check: CampaignCheck, problem: Mapping[str, Any]) -> bool:
    """-> failed, with what is to be put right; False where the lease is lost."""
    if not _end(conn, check, state="failed", problem=dict(problem)):
        return False
    errors: Sequence[Mapping[str, Any]] = problem.get("errors") or [problem]
    codes = Counter(str(one["code"]) for one in errors)
    failed = events.CampaignCheckFailed(check.id, dict(sorted(codes.items())))
    append(conn, tenant=check.tenant, actor=check.actor, events=[failed])
    return True


def cancel(conn: Connection, tenant: str, id: str, *, actor: str) -> None:
    """-> cancelled; a repeat changes nothing. Raises NotFound, and Conflict for a check that is over otherwise."""
    values: dict[str, Any] = {"state": "cancelled", "spec": {}, "lease_until": None, "ended_at": func.clock_timestamp()}
    done = conn.execute(
        campaign_checks.update()
        .where(*_open(tenant, id))
        .values(**values)
        .returning(campaign_checks.c.file_id, campaign_checks.c.pictures_file_id)
    ).one_or_none()
    if done is None:
        state = get(conn, tenant, id).state
        if state != "cancelled":
            raise Conflict(f"the check of campaign {id} is over: {state}")
        return
    append(conn, tenant=tenant, actor=actor, events=[events.CampaignCheckCancelled(id)])
    dismiss_checked(conn, tenant, [one for one in done if one], actor=actor)


def get(conn: Connection, tenant: str, id: str) -> Row[Any]:
    """Raises NotFound."""
    row = conn.execute(_of(tenant).where(campaign_checks.c.id == id)).one_or_none()
    if row is None:
        raise NotFound(f"no check of a campaign {id}")
    return row


def list_checks(conn: Connection, tenant: str, *, limit: int, after: str | None) -> list[Row[Any]]:
    """Newest first; `after` is the last id of the page before."""
    query = _of(tenant).order_by(campaign_checks.c.id.desc()).limit(limit)
    if after is not None:
        query = query.where(campaign_checks.c.id < after)
    return list(conn.execute(query))


def forget_old(conn: Connection) -> int:
    """Deletes checks that were over a while ago: what they found quotes what their sender wrote. How many."""
    old = campaign_checks.c.ended_at < func.clock_timestamp() - timedelta(days=KEPT_DAYS)
    return forget(conn, select(campaign_checks.c.id).where(old))


def forget(conn: Connection, ids: Sequence[str] | Select[Any]) -> int:
    """Deletes checks that are over, as their text is erased. How many."""
    over = campaign_checks.c.ended_at.is_not(None)
    return conn.execute(campaign_checks.delete().where(over, campaign_checks.c.id.in_(ids))).rowcount


def _end(conn: Connection, check: CampaignCheck, **values: Any) -> bool:
    ended: dict[str, Any] = {"spec": {}, "lease_until": None, "ended_at": func.clock_timestamp()}
    if conn.execute(_held(check).values(**ended, **values)).rowcount != 1:
        return False
    dismiss_checked(conn, check.tenant, check.file_ids, actor=check.actor)
    return True


def _of(tenant: str) -> Any:
    idle = campaign_checks.c.lease_until.is_(None) | (campaign_checks.c.lease_until < func.clock_timestamp())
    return select(campaign_checks, idle.label("is_idle")).where(campaign_checks.c.tenant == tenant)


def _open(tenant: str, id: str) -> tuple[ColumnElement[bool], ...]:
    return (campaign_checks.c.id == id, campaign_checks.c.tenant == tenant, campaign_checks.c.ended_at.is_(None))


def _held(check: CampaignCheck) -> Any:
    return campaign_checks.update().where(*_open(check.tenant, check.id), campaign_checks.c.attempt == check.attempt)


def _in(seconds: float) -> Any:
    return func.clock_timestamp() + timedelta(seconds=seconds)

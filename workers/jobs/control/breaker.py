"""Breaker: pauses a campaign by itself when too many of its rows are bad.

    watch     three sums of a campaign begin at zero                                   caller: submit
    note      settled items, and decided reviews, wait to be counted                   callers: settle, expire, review
    count     every noted row is counted once; a campaign whose sum is over is PAUSED  caller: planner, before it plans
    curves    how the sums came to be what they are, for people                        caller: api

A trial is a row. It counts when its last image is settled: once for policy (held or refused), once for failures
(failed, or its marks did not hold), once for reviewers (rejected; a row that needs no reviewer was not rejected).

A note commits with what it notes. Counting deletes it, moves the sums and pauses in one transaction of the planner. The
planner alone plans, so nothing is planned once what trips the breaker is settled and seen. Killed between settlement
and count, the note is still there; killed in the count, nothing of it happened. Notes are bounded by what is in flight.
A resume notes that the sums begin again; what was noted before it counts no more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import structlog
from sqlalchemy import Connection, Row, select, text

from workers.errors import Conflict
from workers.jobs.control.cusum import Cusum, threshold
from workers.jobs.control.phases import pause
from workers.jobs.control.tables import breakers
from workers.states import PauseReason

log = structlog.get_logger()
_FIELDS = ("sum", "rows", "bad")  # of Cusum
TESTS = ("policy", "failures", "rejections")
_FEWEST_ROWS = 4  # fewer cannot trip it
_NOTE = text(
    """
    INSERT INTO breaker_notes (request_id, tenant, item_id, kind)
    SELECT i.request_id, i.tenant, i.id, :kind FROM items i JOIN breakers b ON b.request_id = i.request_id
    WHERE i.id = ANY (CAST(:ids AS uuid[])) ORDER BY i.id
    """
)
# One snapshot for notes and items: a row is whole here if and only if all notes of it are here too.
_TAKE = text(
    """
    WITH taken AS (DELETE FROM breaker_notes RETURNING id, request_id, item_id, kind),
    restarted AS (SELECT request_id, max(id) AS id FROM taken WHERE kind = 'restart' GROUP BY request_id),
    noted AS (
      SELECT t.request_id, i.custom_id, t.kind, min(t.id) AS id
      FROM taken t JOIN items i ON i.id = t.item_id LEFT JOIN restarted r ON r.request_id = t.request_id
      WHERE t.id > coalesce(r.id, 0) GROUP BY t.request_id, i.custom_id, t.kind
    )
    SELECT CAST(n.request_id AS text) AS request_id, n.kind, n.id,
      bool_or(i.state IN ('pending', 'planned')) AS open,
      bool_or(i.state = 'refused' AND h.item_id IS NULL OR h.asset_id IS NOT NULL) AS stopped,
      bool_or(i.state = 'failed' OR h.item_id IS NOT NULL AND h.asset_id IS NULL) AS failed,
      bool_or(h.item_id IS NOT NULL) AS held,
      bool_or(h.item_id IS NOT NULL AND h.decided_at IS NULL) AS undecided,
      bool_or(h.release IS FALSE) AS rejected,
      bool_or(i.state IN ('released', 'recalled')) AS released
    FROM noted n
    JOIN items i ON i.request_id = n.request_id AND i.custom_id = n.custom_id AND i.state <> 'cancelled'
    LEFT JOIN holds h ON h.item_id = i.id
    GROUP BY n.request_id, n.custom_id, n.kind, n.id
    UNION ALL
    SELECT CAST(request_id AS text), 'restart', 0, false, false, false, false, false, false, false FROM restarted
    ORDER BY 3
    """
)
_WORST = {
    "policy": """
      SELECT worst ->> 'rule' AS rule, count(*) AS images FROM (
        SELECT jsonb_path_query_first(verdict, '$.findings[*] ? (@.decision == "hold" || @.decision == "refuse")')
          AS worst
        FROM items WHERE request_id = :id AND state IN ('held', 'refused') AND settled_at >= :since
      ) AS told WHERE worst IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1""",
    "failures": """
      SELECT coalesce(i.reason, 'marks') AS rule, count(*) AS images
      FROM items i LEFT JOIN holds h ON h.item_id = i.id
      WHERE i.request_id = :id AND i.settled_at >= :since AND (i.state = 'failed' OR h.asset_id IS NULL AND h.item_id
        IS NOT NULL) GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1""",
    "rejections": """
      SELECT worst ->> 'rule' AS rule, count(*) AS images FROM (
        SELECT jsonb_path_query_first(h.verdict, '$.findings[*] ? (@.decision == "hold" || @.decision == "refuse")')
          AS worst
        FROM items i JOIN holds h ON h.item_id = i.id
        WHERE i.request_id = :id AND h.release IS FALSE AND h.decided_at >= :since
      ) AS told WHERE worst IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1""",
}

_COURSE = text(
    """
    SELECT max(i.settled_at) AS settled, max(greatest(i.settled_at, h.decided_at)) AS reviewed,
      bool_or(i.state = 'refused' AND h.item_id IS NULL OR h.asset_id IS NOT NULL) AS policy,
      bool_or(i.state = 'failed' OR h.item_id IS NOT NULL AND h.asset_id IS NULL) AS failures,
      bool_or(h.release IS FALSE) AS rejections,
      bool_or(h.item_id IS NOT NULL AND h.decided_at IS NULL) AS undecided,
      bool_or(i.state IN ('released', 'recalled') OR h.item_id IS NOT NULL) AS judged
    FROM items i LEFT JOIN holds h ON h.item_id = i.id
    WHERE i.request_id = :id AND i.tenant = :tenant AND i.state <> 'cancelled'
    GROUP BY i.custom_id
    HAVING NOT bool_or(i.state IN ('pending', 'planned')) AND max(i.settled_at) >= :since
    ORDER BY 1
    """
)


class Curve(NamedTuple):
    """One of the sums: where it stands, and on its way there, at most so many points."""

    test: str
    sum: float
    rows: int
    bad: int
    points: list[float]


class Trial(NamedTuple):
    """What a row says to one of the sums."""

    test: str
    bad: bool


def watch(conn: Connection, tenant: str, request_id: str, rows: int) -> None:
    """Begin to watch a campaign of so many rows that are to be made."""
    if rows >= _FEWEST_ROWS:
        values = {"request_id": request_id, "tenant": tenant, "rows": rows, "threshold": threshold(rows)}
        conn.execute(breakers.insert().values(values))


def note(conn: Connection, item_ids: Sequence[str], *, kind: str = "settled") -> None:
    """Settled items, or with kind `reviewed` decided ones, wait to be counted. Part of the change's transaction."""
    if item_ids:
        conn.execute(_NOTE, {"ids": list(item_ids), "kind": kind})


def count(conn: Connection) -> list[str]:
    """Count what was noted; ids of the requests that are paused for it now. One process at a time."""
    noted = conn.execute(_TAKE).all()
    if not noted:
        return []
    ids = sorted({row.request_id for row in noted})
    locked = select(breakers).where(breakers.c.request_id.in_(ids)).order_by(breakers.c.request_id).with_for_update()
    watched = conn.execute(locked).all()
    return [
        row.request_id for row in watched if _count(conn, row, [n for n in noted if n.request_id == row.request_id])
    ]


def curves(conn: Connection, tenant: str, request_id: str, *, most: int = 120) -> tuple[float, list[Curve]] | None:
    """The threshold and the curve of each test since the sums began; None for a request that is not watched.

    The points replay the settled rows in their order; `sum`, `rows` and `bad` are those that decide.
    """
    of = select(breakers).where(breakers.c.request_id == request_id, breakers.c.tenant == tenant)
    found = conn.execute(of).one_or_none()
    if found is None:
        return None
    rows = conn.execute(_COURSE, {"id": request_id, "tenant": tenant, "since": found.since}).all()
    told = []
    for test in TESTS:
        if test == "rejections":
            wanted = sorted((row for row in rows if row.judged and not row.undecided), key=lambda row: row.reviewed)
        else:
            wanted = list(rows)
        sums = [0.0]
        stands = Cusum()
        for row in wanted:
            stands = stands.after(bad=bool(getattr(row, test)))
            sums.append(round(stands.sum, 3))
        step = max(1, -(-len(sums) // most))
        total, counted, bad = (getattr(found, f"{test}_{field}") for field in _FIELDS)
        points = [max(sums[at : at + step]) for at in range(0, len(sums), step)]
        told.append(Curve(test, total, counted, bad, points))
    return float(found.threshold), told


def trials(row: Row[Any]) -> Iterable[Trial]:
    """What a row that was noted says: nothing while an image of it is open, or a reviewer has not decided."""
    if row.kind == "reviewed" and not row.undecided:
        yield Trial("rejections", bool(row.rejected))
    if row.kind == "settled" and not row.open:
        yield Trial("policy", bool(row.stopped))
        yield Trial("failures", bool(row.failed))
        if row.released and not row.held:
            yield Trial("rejections", bad=False)


def _count(conn: Connection, breaker: Row[Any], noted: Sequence[Row[Any]]) -> bool:
    """Whether it is paused for it."""
    restarted = any(row.kind == "restart" for row in noted)
    sums = {
        test: Cusum() if restarted else Cusum(*(getattr(breaker, f"{test}_{of}") for of in _FIELDS)) for test in TESTS
    }
    for row in noted:
        for trial in trials(row):
            sums[trial.test] = sums[trial.test].after(bad=trial.bad)
    values: dict[str, Any] = {
        f"{test}_{of}": getattr(sums[test], of) for test in TESTS for of in ("sum", "rows", "bad")
    }
    if restarted:
        values["since"] = text("clock_timestamp()")
    conn.execute(breakers.update().where(breakers.c.request_id == breaker.request_id).values(**values))
    worst = max(TESTS, key=lambda test: sums[test].sum)
    if not sums[worst].trips(breaker.threshold):
        return False
    figures = _figures(conn, breaker, worst, sums[worst])
    try:
        paused = pause(
            conn, breaker.tenant, breaker.request_id, actor="planner", reason=PauseReason.BREAKER, figures=figures
        )
    except Conflict:  # it ended with these very rows: nothing is left to pause
        return False
    if paused:
        log.warning("breaker_tripped", request_id=breaker.request_id, test=worst, bad=sums[worst].bad)
    return paused


def _figures(conn: Connection, breaker: Row[Any], test: str, found: Cusum) -> dict[str, Any]:
    worst = conn.execute(text(_WORST[test]), {"id": breaker.request_id, "since": breaker.since}).first()
    return {
        "test": test,
        "rows": found.rows,
        "bad": found.bad,
        "share": f"{found.bad / found.rows:.4f}",
        "sum": f"{found.sum:.2f}",
        "threshold": f"{breaker.threshold:.2f}",
        "worst_rule": worst.rule if worst else None,
        "worst_rule_images": worst.images if worst else 0,
    }

"""Flips: released pictures of a run become the live ones of their slots, all together once its request is over.

    making  -> holding | finished   the request is over: what it released is live; held pictures may follow
    holding -> finished             no picture of it is held any more

What was held, refused or failed leaves the old picture live, and is remembered, so that the next plan does not make it
again by itself. A request that somebody cancelled flips nothing. A slot that a later run or a rollback has pointed
elsewhere is left alone. Killed anywhere before the commit: the next round does it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select, text

from policy import events
from policy.ledger.append import append
from workers.jobs.catalogue.tables import catalogue_changes, catalogue_plans, catalogue_runs, catalogues
from workers.jobs.delivery import catalogue_deliveries
from workers.jobs.delivery.tables import catalogue_deliveries as deliveries
from workers.jobs.tables import items, requests
from workers.jobs.webhooks.deliveries import Notification, notify
from workers.states import REQUEST_OVER, ItemState, RequestPhase

ACTOR = "clerk"
KEPT = timedelta(days=30)  # the feed of a last run, of which files are made; where they are delivered, it stays
_OVER = tuple(map(str, REQUEST_OVER))

_FLIP = text(
    """
    WITH due AS (
      SELECT c.key, c.view, c.picture_digest, c.delivery_digest, c.parts, a.id AS asset_id, i.id AS item_id
      FROM catalogue_changes c
      JOIN items i ON i.request_id = :request AND i.tenant = :tenant AND i.custom_id = c.key AND i.variant = c.view - 1
      JOIN assets a ON (a.item_id = i.id OR a.id = i.reused_asset_id) AND a.tenant = :tenant AND a.state = 'released'
      WHERE c.plan_id = :plan AND c.taken AND NOT EXISTS (
        SELECT FROM catalogue_flips f
        WHERE f.catalogue_id = :catalogue AND f.run = :run AND f.key = c.key AND f.view = c.view)
    ), live AS (
      INSERT INTO catalogue_slots AS s (catalogue_id, key, view, tenant, asset_id, item_id, run, picture_digest,
                                        delivery_digest, parts)
      SELECT :catalogue, key, view, :tenant, asset_id, item_id, :run, picture_digest, delivery_digest, parts FROM due
      ON CONFLICT (catalogue_id, key, view) DO UPDATE
      SET asset_id = excluded.asset_id, item_id = excluded.item_id, run = excluded.run,
          picture_digest = excluded.picture_digest, delivery_digest = excluded.delivery_digest, parts = excluded.parts,
          tried_digest = NULL, tried_item = NULL, retired_at = NULL
      WHERE s.run <= excluded.run
      RETURNING s.key, s.view
    )
    INSERT INTO catalogue_flips (catalogue_id, run, key, view, tenant, asset_id, item_id, picture_digest,
                                 delivery_digest, parts)
    SELECT :catalogue, :run, key, view, :tenant, asset_id, item_id, picture_digest, delivery_digest, parts
    FROM due JOIN live USING (key, view)
    """
)
_TRIED = text(
    """
    INSERT INTO catalogue_slots AS s (catalogue_id, key, view, tenant, run, tried_digest, tried_item)
    SELECT :catalogue, c.key, c.view, :tenant, :run, c.picture_digest, i.id
    FROM catalogue_changes c
    JOIN items i ON i.request_id = :request AND i.tenant = :tenant AND i.custom_id = c.key AND i.variant = c.view - 1
    WHERE c.plan_id = :plan AND c.taken AND i.state IN ('held', 'refused', 'failed')
    ON CONFLICT (catalogue_id, key, view) DO UPDATE
    SET tried_digest = excluded.tried_digest, tried_item = excluded.tried_item
    WHERE s.run <= excluded.run
    """
)


def next_due(conn: Connection) -> Row[Any] | None:
    """A run with something to do, locked: its request is over, or a picture of it is held no longer."""
    runs = catalogue_runs
    over = select(requests.c.id).where(requests.c.id == runs.c.request_id, requests.c.phase.in_(_OVER))
    held = select(func.count()).where(items.c.request_id == runs.c.request_id, items.c.state == ItemState.HELD)
    counted = held.correlate(runs).scalar_subquery()
    waits = (runs.c.state == "holding") & (counted < func.coalesce(runs.c.counts["held"].as_integer(), 0))
    due = ((runs.c.state == "making") & over.exists()) | waits
    query = select(runs).where(runs.c.state != "finished", due).order_by(runs.c.id).limit(1)
    return conn.execute(query.with_for_update(skip_locked=True)).one_or_none()


def settle(conn: Connection, run: Row[Any]) -> int:
    """Flips what the run's request has released, and moves the run on; how many slots were flipped."""
    request = conn.execute(select(requests.c.phase).where(requests.c.id == run.request_id)).scalar_one()
    counts = _counts(conn, run.request_id)
    mine = {
        "catalogue": run.catalogue_id,
        "tenant": run.tenant,
        "request": run.request_id,
        "plan": run.plan_id,
        "run": run.number,
    }
    flipped = 0 if request == RequestPhase.CANCELLED else conn.execute(_FLIP, mine).rowcount
    if run.state == "making":
        conn.execute(_TRIED, mine)
    conn.execute(
        catalogue_runs.update()
        .where(catalogue_runs.c.id == run.id, catalogue_runs.c.state == run.state)
        .values(
            state="holding" if counts.get("held") else "finished",
            flipped=catalogue_runs.c.flipped + flipped,
            counts=counts,
            ended_at=func.coalesce(catalogue_runs.c.ended_at, func.clock_timestamp()),
        )
    )
    if flipped:
        flip = events.CatalogueFlipped(run.catalogue_id, run.number, flipped)
        append(conn, tenant=run.tenant, actor=ACTOR, events=[flip])
    catalogue_deliveries.wake(conn, run.catalogue_id)  # also where nothing was flipped: its errors are others
    if run.state == "making":
        _tell(conn, run, counts, flipped)
    elif not flipped:  # a reviewer refused what was held
        append(conn, tenant=run.tenant, actor=ACTOR, events=[_finished(run, counts)])
    return flipped


def old_feeds(conn: Connection, limit: int = 100) -> dict[str, str]:
    """Keys of feeds by plan, of plans that are over and whose rows neither a run nor the files of the last one need."""
    plans, runs = catalogue_plans, catalogue_runs
    old = func.coalesce(plans.c.expires_at, plans.c.created_at + text("interval '1 day'")) < func.clock_timestamp()
    later = runs.alias()
    newer = select(later.c.id).where(
        later.c.catalogue_id == runs.c.catalogue_id, later.c.kind == "apply", later.c.number > runs.c.number
    )
    goes = deliveries.c.catalogue_id == runs.c.catalogue_id
    delivered = select(deliveries.c.catalogue_id).where(goes)
    young = runs.c.started_at > func.clock_timestamp() - KEPT
    last = ~newer.exists() & (young | delivered.exists())
    needed = select(runs.c.id).where(runs.c.plan_id == plans.c.id, (runs.c.state == "making") | last)
    found = select(plans.c.id, plans.c.feed_key).where(plans.c.feed_key.is_not(None), old, ~needed.exists())
    return {row.id: row.feed_key for row in conn.execute(found.limit(limit))}


def feeds_gone(conn: Connection, plan_ids: Sequence[str]) -> None:
    """The feeds of these plans are deleted; names of files that were sent along, and changes, are forgotten with them.

    Changes of a run that waits for held pictures stay: a flip needs them.
    """
    plans, changes, runs = catalogue_plans, catalogue_changes, catalogue_runs
    waits = select(runs.c.id).where(runs.c.plan_id == changes.c.plan_id, runs.c.state != "finished")
    conn.execute(changes.delete().where(changes.c.plan_id.in_(list(plan_ids)), ~waits.exists()))
    conn.execute(plans.update().where(plans.c.id.in_(list(plan_ids))).values(feed_key=None, pictures={}))


def _counts(conn: Connection, request_id: str) -> dict[str, int]:
    counted = (
        select(items.c.state, func.count().label("n")).where(items.c.request_id == request_id).group_by(items.c.state)
    )
    return {row.state: row.n for row in conn.execute(counted)}


def _finished(run: Row[Any], counts: dict[str, int]) -> events.CatalogueRunFinished:
    return events.CatalogueRunFinished(run.catalogue_id, run.number, run.request_id, counts)


def _tell(conn: Connection, run: Row[Any], counts: dict[str, int], flipped: int) -> None:
    append(conn, tenant=run.tenant, actor=ACTOR, events=[_finished(run, counts)])
    name = conn.execute(select(catalogues.c.name).where(catalogues.c.id == run.catalogue_id)).scalar_one()
    content = {
        "catalogue": name,
        "run": run.number,
        "request_id": run.request_id,
        "flipped": flipped,
        "counts": counts,
    }
    notify(conn, run.tenant, "catalogue.run_finished", [Notification(run.id, content)])

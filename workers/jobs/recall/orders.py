"""Recall orders: released pictures are taken back, in the steps that the clerk carries out.

    order     one row, its members, one event         no link is given to members from now on    caller: api, operator
    withdraw  assets and items RELEASED -> RECALLED   a few hundred at a time, with their events  caller: clerk
    moved     their objects lie out of reach          after the store said so                     caller: clerk
    finish    nothing of the order is left to do      with its event                              caller: clerk

An order covers exactly what its own transaction sees as released: the members are written down with it, and their
number is in its event. What is released later, by a batch in flight or under an open range of time, is not covered;
`recall_views.get_recall` counts it, and a second order takes it. An asset is in at most one recall, so orders may
overlap, race and be repeated.

The state changes before the object moves. Killed in between, the record already says what is true, no link is
given, and the next round moves the object. The other way round, a death would leave a released asset without files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, literal, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from policy import events
from policy.events import Private
from policy.ledger.append import append, timestamp
from workers.errors import Conflict, LimitExceeded
from workers.jobs.control import reuse
from workers.jobs.delivery import deliveries
from workers.jobs.inputs.uses import recall_input
from workers.jobs.recall.criteria import Criteria, matching
from workers.jobs.recall.tables import recall_assets, recalls
from workers.jobs.tables import assets, items, renditions
from workers.jobs.types import new_id
from workers.jobs.webhooks.deliveries import Notification, notify
from workers.states import ORDER_CHANNEL, AssetState, ItemState

REASON_CODES = ("safety", "rights", "licence", "policy", "quality", "legal", "privacy", "other")
MAX_ASSETS = 500_000  # of one order: its members are written in one statement
ACTOR = "clerk"
_COUNTED = {"preserve_rowcount": True}  # or an INSERT from a SELECT answers -1


@dataclass(frozen=True, slots=True)
class Member:
    """An asset whose objects are still where links lead."""

    asset_id: str
    recall_id: str
    files: tuple[tuple[str, str, str], ...]  # key, media type, SHA-256


def order(
    conn: Connection,
    tenant: str,
    criteria: Criteria,
    *,
    reason_code: str,
    reason: str,
    actor: str,
    expected: int | None = None,
) -> str:
    """The id of a new order for every released asset of the tenant that matches.

    Where an input is the only criterion, it is withdrawn as well: what is being made from it fails.
    Raises Conflict, storing nothing, if nothing matches or not as many as `expected`, and LimitExceeded.
    """
    recall_id = new_id()
    if criteria.input_id and criteria == Criteria(input_id=criteria.input_id):  # first: what is in flight fails
        recall_input(conn, tenant, criteria.input_id, actor)
    chosen = matching(
        tenant, criteria, assets.c.id, literal(recall_id, recalls.c.id.type), assets.c.tenant, literal("ordered")
    ).order_by(assets.c.id)  # in one order everywhere: two orders wait for each other instead of deadlocking
    members = insert(recall_assets).from_select(["asset_id", "recall_id", "tenant", "state"], chosen)
    covered = conn.execute(members.on_conflict_do_nothing(), execution_options=_COUNTED).rowcount
    if covered == 0:
        raise Conflict("no released asset matches that is not in a recall already; nothing was ordered")
    if covered > MAX_ASSETS:
        raise LimitExceeded(f"{covered:,} assets match, and one order covers {MAX_ASSETS:,}: split it by time")
    if expected not in (None, covered):
        raise Conflict(f"{covered:,} assets match now, not {expected:,}; nothing was ordered. Look at a new dry run")
    conn.execute(
        recalls.insert().values(
            id=recall_id,
            tenant=tenant,
            criteria=criteria.to_json(),
            reason_code=reason_code,
            reason=reason,
            ordered_by=actor,
            assets=covered,
        )
    )
    ordered = events.RecallOrdered(recall_id, criteria.to_json(), Private(reason), reason_code, covered)
    append(conn, tenant=tenant, actor=actor, events=[ordered])
    conn.execute(select(func.pg_notify(ORDER_CHANNEL, "")))
    return recall_id


def withdraw(conn: Connection, limit: int) -> int:
    """The next ordered members: assets and items RELEASED -> RECALLED; how many. Oldest order first."""
    chosen = conn.execute(
        select(recall_assets.c.asset_id, recall_assets.c.tenant, recalls.c.id, recalls.c.reason_code)
        .join(recalls, recalls.c.id == recall_assets.c.recall_id)
        .where(recall_assets.c.state == "ordered")
        .order_by(recall_assets.c.recall_id, recall_assets.c.asset_id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=recall_assets)
    ).all()
    if not chosen:
        return 0
    orders = {row.asset_id: row for row in chosen}
    at: datetime = conn.execute(select(func.clock_timestamp())).scalar_one()
    taken = conn.execute(
        assets.update()
        .where(
            tuple_(assets.c.id, assets.c.tenant).in_([(row.asset_id, row.tenant) for row in chosen]),
            assets.c.state == AssetState.RELEASED,
        )
        .values(state=AssetState.RECALLED, thumbhash=None)
        .returning(assets.c.id, assets.c.item_id, assets.c.request_id, assets.c.tenant)
    ).all()
    deliveries.wake_recalled(conn, [row.id for row in taken])
    conn.execute(
        items.update()
        .where(items.c.id.in_([row.item_id for row in taken]), items.c.state == ItemState.RELEASED)
        .values(state=ItemState.RECALLED)
    )
    reuse.recall(conn, taken, orders, actor=ACTOR)
    _step(conn, [row.id for row in taken], state="recalled", recalled_at=at)
    # Members that are no released assets of their tenant: our code writes none, and they must not stop the others.
    astray = sorted(set(orders) - {row.id for row in taken})
    _step(conn, astray, state="moved", recalled_at=at, moved_at=at, missing=True)
    _record(conn, sorted(taken, key=lambda row: row.id), orders, at)
    return len(orders)


def to_move(conn: Connection, limit: int) -> list[Member]:
    """The next recalled members whose objects were not moved yet. Two clerks may move the same ones: harmless."""
    waiting = conn.execute(
        select(recall_assets.c.asset_id, recall_assets.c.recall_id)
        .where(recall_assets.c.state == "recalled")
        .order_by(recall_assets.c.recall_id, recall_assets.c.asset_id)
        .limit(limit)
    ).all()
    files: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for row in conn.execute(_files([row.asset_id for row in waiting])):
        files[row.asset_id].append((row.key, row.media_type, row.sha256))
    return [Member(row.asset_id, row.recall_id, tuple(files[row.asset_id])) for row in waiting]


def moved(conn: Connection, asset_id: str, *, missing: bool) -> bool:
    """A member's objects are out of reach; whether that was news. `missing`: one of them lay in neither place."""
    done = conn.execute(
        recall_assets.update()
        .where(recall_assets.c.asset_id == asset_id, recall_assets.c.state == "recalled")
        .values(state="moved", moved_at=func.clock_timestamp(), missing=missing)
    )
    return done.rowcount == 1


def finish(conn: Connection) -> int:
    """Orders of which nothing is left to do end, with their event; how many."""
    members = select(recall_assets.c.asset_id).where(recall_assets.c.recall_id == recalls.c.id)
    ended = conn.execute(
        recalls.update()
        .where(recalls.c.finished_at.is_(None), ~members.where(recall_assets.c.state != "moved").exists())
        .values(finished_at=func.clock_timestamp())
        .returning(recalls.c.id, recalls.c.tenant, recalls.c.assets)
    ).all()
    for row in ended:
        lost = members.where(recall_assets.c.recall_id == row.id, recall_assets.c.missing).correlate(None)
        missing = len(conn.execute(lost).all())
        append(conn, tenant=row.tenant, actor=ACTOR, events=[events.RecallFinished(row.id, row.assets, missing)])
    return len(ended)


def oldest_open_seconds(conn: Connection) -> float:
    """Age of the oldest order that is not carried out; 0.0 if all are."""
    age = func.extract("epoch", func.clock_timestamp() - func.min(recalls.c.ordered_at))
    return float(conn.execute(select(age).where(recalls.c.finished_at.is_(None))).scalar_one_or_none() or 0.0)


def _step(conn: Connection, asset_ids: list[str], **values: Any) -> None:
    if asset_ids:
        ordered = (recall_assets.c.asset_id.in_(asset_ids), recall_assets.c.state == "ordered")
        conn.execute(recall_assets.update().where(*ordered).values(**values))


def _record(conn: Connection, taken: Sequence[Row[Any]], orders: Mapping[str, Any], at: datetime) -> None:
    digests: dict[str, list[str]] = defaultdict(list)
    for file in conn.execute(_files([row.id for row in taken])):
        digests[file.asset_id].append(file.sha256)
    for tenant in sorted({row.tenant for row in taken}):
        recalled = [
            events.AssetRecalled(
                orders[row.id].id,
                row.request_id,
                row.item_id,
                row.id,
                orders[row.id].reason_code,
                tuple(sorted(set(digests[row.id]))),
            )
            for row in taken
            if row.tenant == tenant
        ]
        append(conn, tenant=tenant, actor=ACTOR, events=recalled)
        notifications = [
            Notification(event.asset_id, {**event.payload(), "recalled_at": timestamp(at)}) for event in recalled
        ]
        notify(conn, tenant, "asset.recalled", notifications)


def _files(asset_ids: list[str]) -> Any:
    return (
        select(renditions.c.asset_id, renditions.c.key, renditions.c.media_type, renditions.c.sha256)
        .where(renditions.c.asset_id.in_(asset_ids))
        .order_by(renditions.c.asset_id, renditions.c.name)
    )

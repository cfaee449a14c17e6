"""Views of recalls: orders with their progress, and the mark that a recalled asset bears wherever it is read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from workers.errors import NotFound
from workers.jobs.recall.criteria import Criteria, matching
from workers.jobs.recall.tables import recall_assets, recalls
from workers.jobs.tables import assets


@dataclass(frozen=True, slots=True)
class RecallMark:
    """Why and since when an asset is not handed out. `recalled_at` is None for the moment the clerk needs."""

    recall_id: str
    reason_code: str
    ordered_at: datetime
    recalled_at: datetime | None


@dataclass(frozen=True, slots=True)
class RecallView:
    """An order and how far it is carried out: `ordered` + `recalled` + `moved` = `assets`."""

    id: str
    tenant: str
    criteria: Mapping[str, Any]
    reason_code: str
    reason: str
    ordered_by: str
    assets: int
    ordered_at: datetime
    finished_at: datetime | None
    ordered: int  # the clerk has not come to them; no link is given
    recalled: int  # their objects are being moved
    moved: int  # out of reach
    missing: int  # of the moved: an object lay in neither place


def marks_of(conn: Connection, tenant: str, asset_ids: Sequence[str]) -> dict[str, RecallMark]:
    """By asset id, for those under an order: from the order's commit on, whatever the clerk has done."""
    if not asset_ids:
        return {}
    rows = conn.execute(
        select(
            recall_assets.c.asset_id,
            recall_assets.c.recall_id,
            recalls.c.reason_code,
            recalls.c.ordered_at,
            recall_assets.c.recalled_at,
        )
        .join(recalls, recalls.c.id == recall_assets.c.recall_id)
        .where(recall_assets.c.asset_id.in_(asset_ids), recall_assets.c.tenant == tenant)
    )
    return {r.asset_id: RecallMark(r.recall_id, r.reason_code, r.ordered_at, r.recalled_at) for r in rows}


def get_recall(conn: Connection, tenant: str | None, recall_id: str) -> RecallView:
    """Raises NotFound. `tenant` None is for operators."""
    row = conn.execute(_recalls(tenant).where(recalls.c.id == recall_id)).one_or_none()
    if row is None:
        raise NotFound(f"no recall {recall_id}")
    return _view(row, _progress(conn, [row.id])[row.id])


def list_recalls(conn: Connection, tenant: str | None, *, limit: int, before: str | None = None) -> list[RecallView]:
    """Newest first; `before` is the last id of the page before."""
    query = _recalls(tenant).order_by(recalls.c.id.desc()).limit(limit)
    rows = conn.execute(query if before is None else query.where(recalls.c.id < before)).all()
    progress = _progress(conn, [row.id for row in rows])
    return [_view(row, progress[row.id]) for row in rows]


def matching_now(conn: Connection, tenant: str | None, criteria: Criteria) -> int:
    """Released assets that match and no order covers: what came after an order with these criteria."""
    return int(conn.execute(matching(tenant, criteria, func.count(assets.c.id))).scalar_one())


def _recalls(tenant: str | None) -> Select[Any]:
    query = select(recalls)
    return query if tenant is None else query.where(recalls.c.tenant == tenant)


def _progress(conn: Connection, recall_ids: list[str]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    rows = conn.execute(
        select(
            recall_assets.c.recall_id,
            recall_assets.c.state,
            func.count().label("n"),
            func.count().filter(recall_assets.c.missing).label("missing"),
        )
        .where(recall_assets.c.recall_id.in_(recall_ids))
        .group_by(recall_assets.c.recall_id, recall_assets.c.state)
    )
    for row in rows:
        found[row.recall_id][row.state] = row.n
        found[row.recall_id]["missing"] += row.missing
    return found


def _view(row: Row[Any], progress: Mapping[str, int]) -> RecallView:
    return RecallView(
        id=row.id,
        tenant=row.tenant,
        criteria=row.criteria,
        reason_code=row.reason_code,
        reason=row.reason,
        ordered_by=row.ordered_by,
        assets=row.assets,
        ordered_at=row.ordered_at,
        finished_at=row.finished_at,
        ordered=progress["ordered"],
        recalled=progress["recalled"],
        moved=progress["moved"],
        missing=progress["missing"],
    )

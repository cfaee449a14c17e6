"""Views for reviewers: held pictures with their prompts, why they are held, and what others decided.

Every query is confined to one tenant. Pages are keyset pages on the item's id, so the first submitted comes first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from policy.marks.renditions import THUMBNAIL
from workers.errors import NotFound
from workers.jobs.tables import holds, items, recipes, requests, reviews


@dataclass(frozen=True, slots=True)
class ReviewView:
    """What one person said."""

    reviewer: str
    key_id: str
    person: str  # stays inside: who is who is for the rules
    decision: str
    final: bool
    comment: str
    policy_version: str
    at: datetime


@dataclass(frozen=True, slots=True)
class HoldView:
    """A picture that is or was in quarantine. `id` is the item's."""

    id: str
    request_id: str
    request_name: str
    custom_id: str
    row: int
    variant: int
    prompt: str
    negative_prompt: str
    seed: int
    recipe: Mapping[str, Any]
    state: str  # of the item
    verdict: dict[str, Any]
    key: str
    sha256: str
    attempt: int | None
    asset_id: str | None
    renditions: Sequence[Mapping[str, Any]]
    held_at: datetime
    decided_at: datetime | None
    reviews: tuple[ReviewView, ...]


@dataclass(frozen=True, slots=True)
class HoldFilter:
    """Which holds; None takes no part. `decided` False is the queue."""

    decided: bool | None = False
    category: str | None = None
    request_id: str | None = None
    held_before: datetime | None = None


def list_holds(
    conn: Connection, tenant: str, wanted: HoldFilter, *, limit: int, after: str | None = None
) -> list[HoldView]:
    """In the order of submission; `after` is the last item id of the page before."""
    query = _holds(tenant).order_by(holds.c.item_id).limit(limit)
    if after is not None:
        query = query.where(holds.c.item_id > after)
    if wanted.decided is not None:
        query = query.where(holds.c.decided_at.is_not(None) if wanted.decided else holds.c.decided_at.is_(None))
    if wanted.category is not None:
        query = query.where(holds.c.verdict.contains({"findings": [{"category": wanted.category}]}))
    if wanted.request_id is not None:
        query = query.where(items.c.request_id == wanted.request_id)
    if wanted.held_before is not None:
        query = query.where(holds.c.created_at < wanted.held_before)
    rows = conn.execute(query).all()
    said = _reviews(conn, tenant, [row.item_id for row in rows])
    return [_hold(row, said[row.item_id]) for row in rows]


def get_hold(conn: Connection, tenant: str, item_id: str) -> HoldView:
    """Raises NotFound, also for an item that was never held."""
    row = conn.execute(_holds(tenant).where(holds.c.item_id == item_id)).one_or_none()
    if row is None:
        raise NotFound(f"no held item {item_id}")
    return _hold(row, _reviews(conn, tenant, [row.item_id])[row.item_id])


def _holds(tenant: str) -> Select[Any]:
    return (
        select(
            holds,
            *(items.c.request_id, items.c.custom_id, items.c.row, items.c.variant, items.c.seed, items.c.state),
            *(items.c.prompt, items.c.negative_prompt),
            recipes.c.recipe,
            requests.c.name.label("request_name"),
        )
        .join(items, (items.c.id == holds.c.item_id) & (items.c.tenant == holds.c.tenant))
        .join(recipes, recipes.c.id == items.c.recipe_id)
        .join(requests, (requests.c.id == items.c.request_id) & (requests.c.tenant == holds.c.tenant))
        .where(holds.c.tenant == tenant)
    )


def _reviews(conn: Connection, tenant: str, item_ids: list[str]) -> dict[str, list[ReviewView]]:
    said: defaultdict[str, list[ReviewView]] = defaultdict(list)
    query = select(reviews).where(reviews.c.item_id.in_(item_ids), reviews.c.tenant == tenant)
    for row in conn.execute(query.order_by(reviews.c.created_at, reviews.c.id)):
        said[row.item_id].append(
            ReviewView(
                row.reviewer,
                row.key_id,
                row.person,
                row.decision,
                row.final,
                row.comment,
                row.policy_version,
                row.created_at,
            )
        )
    return said


def _hold(row: Row[Any], said: list[ReviewView]) -> HoldView:
    return HoldView(
        id=row.item_id,
        request_id=row.request_id,
        request_name=row.request_name,
        custom_id=row.custom_id,
        row=row.row,
        variant=row.variant,
        prompt=row.prompt,
        negative_prompt=row.negative_prompt,
        seed=row.seed,
        recipe=row.recipe,
        state=row.state,
        verdict=row.verdict,
        key=row.key,
        sha256=row.sha256,
        attempt=row.attempt,
        asset_id=row.asset_id,
        renditions=tuple(kept for kept in row.renditions or () if kept["name"] != THUMBNAIL),
        held_at=row.created_at,
        decided_at=row.decided_at,
        reviews=tuple(said),
    )

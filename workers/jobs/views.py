"""Views of jobs: requests with counts, and items. Every query is confined to one tenant.

Pages are keyset pages on the id, which orders by creation; a page is as quick at the end of a long list
as at its start. Unknown and foreign ids are the same NotFound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from workers.errors import NotFound
from workers.jobs.control.reuse import is_of_item
from workers.jobs.control.usage import cost_of
from workers.jobs.tables import assets, items, recipes, requests
from workers.recipes import Recipe
from workers.states import ItemState


@dataclass(frozen=True, slots=True)
class RequestView:
    """A request and how many of its items are in which state; states without items are left out."""

    id: str
    parent_id: str | None
    tenant: str
    kind: str
    name: str
    template: str
    model: str
    priority: str
    item_count: int
    metadata: Mapping[str, Any]
    renditions: tuple[str, ...]
    publish_prompt: bool
    carried_columns: tuple[str, ...]
    channels: tuple[Mapping[str, Any], ...]
    file_templates: Mapping[str, str]
    created_at: datetime
    cancelled_at: datetime | None
    erased_at: datetime | None
    phase: str
    paused_for: str | None
    paused_figures: Mapping[str, Any] | None
    deadline: datetime | None
    at_deadline: str
    ended_at: datetime | None
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ItemView:
    """An item with its recipe, what policy said of it, and the asset it became."""

    id: str
    request_id: str
    row: int
    custom_id: str
    variant: int
    prompt: str
    negative_prompt: str
    unread_prompt: str  # its end, where the model's text encoder reads no further; ""
    unread_negative_prompt: str
    rewrites: tuple[Mapping[str, Any], ...]
    seed: int
    recipe: Mapping[str, Any]
    state: str
    reason: str | None
    verdict: Mapping[str, Any] | None
    asset_id: str | None
    thumbhash: str | None  # of the asset, unless it is recalled or erased
    reused: bool  # the asset was made for another item
    drawing_item_id: str | None  # whose kept drawing its files are made of
    not_reused: str | None  # why it was drawn, where pictures that were there already might have been taken
    gpu_seconds: float | None
    cost: float | None
    currency: str | None
    created_at: datetime
    settled_at: datetime | None
    erased_at: datetime | None


def count_waiting(conn: Connection, tenant: str, queue: str, *, most: int) -> int:
    """How many items of the tenant wait in this queue for a batch; counts no further than `most`."""
    waiting = (
        select(items.c.id)
        .where(items.c.queue == queue, items.c.tenant == tenant, items.c.state == ItemState.PENDING)
        .limit(most)
        .subquery()
    )
    return conn.execute(select(func.count()).select_from(waiting)).scalar_one()


def get_request(conn: Connection, tenant: str, request_id: str) -> RequestView:
    """Raises NotFound."""
    row = conn.execute(_requests(tenant).where(requests.c.id == request_id)).one_or_none()
    if row is None:
        raise NotFound(f"no request {request_id}")
    return _request(row, _counts(conn, tenant, [row.id])[row.id])


def list_requests(conn: Connection, tenant: str, *, limit: int, before: str | None = None) -> list[RequestView]:
    """Newest first; `before` is the last id of the page before."""
    query = _requests(tenant).order_by(requests.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(requests.c.id < before)
    rows = conn.execute(query).all()
    counts = _counts(conn, tenant, [row.id for row in rows])
    return [_request(row, counts[row.id]) for row in rows]


def get_item(conn: Connection, tenant: str, item_id: str) -> ItemView:
    """Raises NotFound."""
    row = conn.execute(_items(tenant).where(items.c.id == item_id)).one_or_none()
    if row is None:
        raise NotFound(f"no item {item_id}")
    return _item(row)


def list_items(
    conn: Connection,
    tenant: str,
    request_id: str,
    *,
    limit: int,
    after: str | None = None,
    state: str | None = None,
    skip: int = 0,
) -> list[ItemView]:
    """In the order of the spreadsheet; `after` is the last id of the page before. Raises NotFound.

    `skip` leaves out so many: they are counted in the index, and no row of them is read.
    """
    demand_request(conn, tenant, request_id)
    query = _items(tenant).where(items.c.request_id == request_id).order_by(items.c.id).limit(limit)
    if skip:
        place = select(items.c.id).where(items.c.request_id == request_id, items.c.tenant == tenant)
        if state is not None:
            place = place.where(items.c.state == state)
        if after is not None:
            place = place.where(items.c.id > after)
        query = query.where(items.c.id >= place.order_by(items.c.id).offset(skip).limit(1).scalar_subquery())
    if after is not None:
        query = query.where(items.c.id > after)
    if state is not None:
        query = query.where(items.c.state == state)
    return [_item(row) for row in conn.execute(query)]


def count_drawn_work(conn: Connection, tenant: str, request_id: str) -> list[tuple[Recipe, str, int]]:
    """By recipe and queue, how many images of a request are or were drawn for it. Raises NotFound."""
    demand_request(conn, tenant, request_id)
    drawn = items.c.reused_asset_id.is_(None) & items.c.drawing_item_id.is_(None)
    given_up = items.c.state.in_((ItemState.REFUSED, ItemState.CANCELLED)) & items.c.batch_id.is_(None)
    counted = (
        select(recipes.c.recipe, items.c.queue, func.count())
        .join(recipes, recipes.c.id == items.c.recipe_id)
        .where(items.c.request_id == request_id, items.c.tenant == tenant, drawn, ~given_up)
        .group_by(recipes.c.id, recipes.c.recipe, items.c.queue)
    )
    return [(Recipe.from_json(recipe), queue, count) for recipe, queue, count in conn.execute(counted)]


def demand_request(conn: Connection, tenant: str, request_id: str) -> None:
    """Raises NotFound."""
    ours = select(requests.c.id).where(requests.c.id == request_id, requests.c.tenant == tenant)
    if conn.execute(ours).first() is None:
        raise NotFound(f"no request {request_id}")


def _requests(tenant: str) -> Select[Any]:
    return select(requests).where(requests.c.tenant == tenant)


def _items(tenant: str) -> Select[Any]:
    return (
        select(items, recipes.c.recipe, assets.c.id.label("asset_id"), assets.c.thumbhash)
        .join(recipes, recipes.c.id == items.c.recipe_id)
        .outerjoin(assets, is_of_item())
        .where(items.c.tenant == tenant)
    )


def _counts(conn: Connection, tenant: str, request_ids: list[str]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {request_id: {} for request_id in request_ids}
    rows = conn.execute(
        select(items.c.request_id, items.c.state, func.count())
        .where(items.c.request_id.in_(request_ids), items.c.tenant == tenant)
        .group_by(items.c.request_id, items.c.state)
    )
    for request_id, state, count in rows:
        counts[request_id][state] = count
    return counts


def _request(row: Row[Any], counts: Mapping[str, int]) -> RequestView:
    return RequestView(
        id=row.id,
        parent_id=row.parent_id,
        tenant=row.tenant,
        kind=row.kind,
        name=row.name,
        template=row.template,
        model=row.model,
        priority=row.priority,
        item_count=row.item_count,
        metadata=row.metadata,
        renditions=tuple(row.renditions),
        publish_prompt=row.publish_prompt,
        carried_columns=tuple(row.carried_columns),
        channels=tuple(row.channels),
        file_templates=row.file_templates,
        created_at=row.created_at,
        cancelled_at=row.cancelled_at,
        erased_at=row.erased_at,
        phase=row.phase,
        paused_for=row.paused_for,
        paused_figures=row.paused_figures,
        deadline=row.deadline,
        at_deadline=row.at_deadline,
        ended_at=row.ended_at,
        counts=counts,
    )


def _item(row: Row[Any]) -> ItemView:
    return ItemView(
        id=row.id,
        request_id=row.request_id,
        row=row.row,
        custom_id=row.custom_id,
        variant=row.variant,
        prompt=row.prompt,
        negative_prompt=row.negative_prompt,
        unread_prompt=unread(row.prompt, row.prompt_read_chars),
        unread_negative_prompt=unread(row.negative_prompt, row.negative_prompt_read_chars),
        rewrites=tuple(row.rewrites or ()),
        seed=row.seed,
        recipe=row.recipe,
        state=row.state,
        reason=row.reason,
        verdict=row.verdict,
        asset_id=row.asset_id,
        thumbhash=None if row.erased_at else row.thumbhash,
        reused=row.reused_asset_id is not None,
        drawing_item_id=row.drawing_item_id,
        not_reused=row.not_reused,
        gpu_seconds=None if row.gpu_seconds is None else float(row.gpu_seconds),
        cost=cost_of(row),
        currency=row.currency,
        created_at=row.created_at,
        settled_at=row.settled_at,
        erased_at=row.erased_at,
    )


def unread(text: str, chars: int | None) -> str:
    """The end of a text that the model does not read, "" where it reads all of it."""
    return "" if chars is None else text[chars:].strip(" ,;")

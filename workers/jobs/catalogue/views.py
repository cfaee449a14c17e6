"""Views of catalogues: what is read of them, their plans, their runs, and what is live. Confined to one tenant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, select, tuple_

from policy.marks.renditions import MASK
from workers.errors import NotFound
from workers.jobs.asset_views import files_of
from workers.jobs.catalogue.tables import (
    catalogue_changes,
    catalogue_flips,
    catalogue_plans,
    catalogue_runs,
    catalogue_slots,
    catalogues,
)
from workers.jobs.results import Begin
from workers.jobs.tables import assets, items, requests
from workers.jobs.types import StoredRendition
from workers.states import AssetState, ItemState

PAGE = 500  # slots of one transaction


@dataclass(frozen=True, slots=True)
class LiveSlot:
    """A live picture with its files, and what their names are made of."""

    key: str
    view: int
    run: int
    asset_id: str
    item_id: str
    released_at: Any
    custom_id: str
    row: int
    variant: int
    carried: tuple[str, ...]
    file_suffix: str
    columns: tuple[str, ...]
    templates: Mapping[str, str]
    files: tuple[StoredRendition, ...]


class UnmadeRow(NamedTuple):
    """A row of a feed of which a picture is not there. `state` is of its item, "" where there is none."""

    row: int
    code: str
    detail: str
    state: str = ""


def list_catalogues(conn: Connection, tenant: str) -> list[Row[Any]]:
    """By name; there are few (catalogues.MAX_CATALOGUES)."""
    query = select(catalogues).where(catalogues.c.tenant == tenant).order_by(catalogues.c.name)
    return list(conn.execute(query))


def get_catalogue(conn: Connection, tenant: str, name: str) -> Row[Any]:
    """Raises NotFound."""
    return _one(conn, select(catalogues).where(catalogues.c.tenant == tenant, catalogues.c.name == name), name)


def get_catalogue_by_id(conn: Connection, tenant: str, catalogue_id: str) -> Row[Any]:
    """Raises NotFound."""
    mine = catalogues.c.tenant == tenant, catalogues.c.id == catalogue_id
    return _one(conn, select(catalogues).where(*mine), catalogue_id)


def get_plan(conn: Connection, tenant: str, plan_id: str, *, catalogue_id: str | None = None) -> Row[Any]:
    """The plan with the name of its catalogue, which is the one given, and its run. Raises NotFound."""
    named = _plans()
    if catalogue_id is not None:
        named = named.where(catalogue_plans.c.catalogue_id == catalogue_id)
    return _one(conn, named.where(catalogue_plans.c.id == plan_id, catalogue_plans.c.tenant == tenant), plan_id)


def list_plans(conn: Connection, tenant: str, catalogue_id: str, *, before: str | None, limit: int) -> list[Row[Any]]:
    """The latest first, as `get_plan` gives one."""
    query = _plans().where(catalogue_plans.c.catalogue_id == catalogue_id, catalogue_plans.c.tenant == tenant)
    if before:
        query = query.where(catalogue_plans.c.id < before)
    return list(conn.execute(query.order_by(catalogue_plans.c.id.desc()).limit(limit)))


class BeforeAndAfter(NamedTuple):
    """Pictures of one slot: the one live when the plan was made, and the one that its run put there."""

    before: str | None
    after: str | None


def pictures_of(
    conn: Connection, plan: Row[Any], slots: Sequence[tuple[str, int]]
) -> dict[tuple[str, int], BeforeAndAfter]:
    """Assets of these slots of a plan; a slot that never had a picture is not among them."""
    flips, wanted = catalogue_flips, sorted({key for key, _ in slots})
    query = (
        select(flips.c.key, flips.c.view, flips.c.run, flips.c.asset_id)
        .where(flips.c.catalogue_id == plan.catalogue_id, flips.c.tenant == plan.tenant, flips.c.key.in_(wanted))
        .where(flips.c.run <= (plan.after_run if plan.run is None else plan.run))
        .order_by(flips.c.run)
    )
    found: dict[tuple[str, int], BeforeAndAfter] = {}
    for row in conn.execute(query):
        was = found.get((row.key, row.view), BeforeAndAfter(None, None))
        made = row.run == plan.run
        found[row.key, row.view] = was._replace(after=row.asset_id) if made else was._replace(before=row.asset_id)
    return found


def list_changes(
    conn: Connection, tenant: str, plan_id: str, *, kind: str, after: tuple[str, int] | None, limit: int
) -> list[Row[Any]]:
    """Changes of a plan by key and view, behind the one named."""
    changes = catalogue_changes
    query = select(changes).where(changes.c.plan_id == plan_id, changes.c.tenant == tenant)
    if kind:
        query = query.where(changes.c.kind == kind)
    if after:
        query = query.where(tuple_(changes.c.key, changes.c.view) > after)
    return list(conn.execute(query.order_by(changes.c.key, changes.c.view).limit(limit)))


def list_runs(conn: Connection, tenant: str, catalogue_id: str, *, before: int | None, limit: int) -> list[Row[Any]]:
    """The latest first."""
    runs = catalogue_runs
    query = select(runs).where(runs.c.tenant == tenant, runs.c.catalogue_id == catalogue_id)
    if before is not None:
        query = query.where(runs.c.number < before)
    return list(conn.execute(query.order_by(runs.c.number.desc()).limit(limit)))


def last_applied(conn: Connection, tenant: str, catalogue_id: str) -> Row[Any] | None:
    """The last run that was applied; None: there was none."""
    runs = catalogue_runs
    mine = runs.c.tenant == tenant, runs.c.catalogue_id == catalogue_id, runs.c.kind == "apply"
    return conn.execute(select(runs).where(*mine).order_by(runs.c.number.desc()).limit(1)).one_or_none()


def unmade(conn: Connection, tenant: str, run: Row[Any]) -> Iterator[UnmadeRow]:
    """Rows of a run's feed of which a picture is not there: blocked in its plan, or held, refused or failed."""
    changes = catalogue_changes
    blocked = select(changes.c.row, changes.c.cause, changes.c.detail).where(
        changes.c.plan_id == run.plan_id, changes.c.tenant == tenant, changes.c.kind == "blocked"
    )
    for row in conn.execute(blocked.where(changes.c.row.is_not(None))):
        yield UnmadeRow(row.row, row.cause, row.detail)
    states = (ItemState.HELD, ItemState.REFUSED, ItemState.FAILED)
    made = select(items.c.row, items.c.state, items.c.reason).where(
        items.c.request_id == run.request_id, items.c.tenant == tenant, items.c.state.in_(states)
    )
    for row in conn.execute(made):
        yield UnmadeRow(row.row, row.reason or row.state, "", row.state)


def live_slots(begin: Begin, tenant: str, catalogue_id: str, *, page: int = PAGE) -> Iterator[list[LiveSlot]]:
    """Every live picture by key and view, page by page; no transaction is open between two pages.

    Masks are none of its files, as in results: a shop would show them.
    """
    slots, after = catalogue_slots, None
    while True:
        query = (
            select(
                *(slots.c.key, slots.c.view, slots.c.run, slots.c.asset_id, assets.c.released_at),
                *(
                    items.c.id.label("item_id"),
                    items.c.custom_id,
                    items.c.row,
                    items.c.variant,
                    items.c.carried,
                    items.c.file_suffix,
                ),
                *(requests.c.carried_columns, requests.c.file_templates),
            )
            .join(assets, assets.c.id == slots.c.asset_id)
            .join(items, items.c.id == slots.c.item_id)
            .join(requests, requests.c.id == items.c.request_id)
            .where(slots.c.catalogue_id == catalogue_id, slots.c.tenant == tenant, slots.c.retired_at.is_(None))
            .where(assets.c.state == AssetState.RELEASED)
            .order_by(slots.c.key, slots.c.view)
            .limit(page)
        )
        if after:
            query = query.where(tuple_(slots.c.key, slots.c.view) > after)
        with begin() as conn:
            rows = conn.execute(query).all()
            files = files_of(conn, tenant, [row.asset_id for row in rows])
        if rows:
            yield [_live(row, tuple(file for file in files[row.asset_id] if file.name != MASK)) for row in rows]
            after = (rows[-1].key, rows[-1].view)
        if len(rows) < page:
            return


def _plans() -> Select[Any]:
    run = (catalogue_runs.c.number.label("run"), catalogue_runs.c.request_id)
    return (
        select(catalogue_plans, catalogues.c.name, *run)
        .join(catalogues, catalogues.c.id == catalogue_plans.c.catalogue_id)
        .outerjoin(catalogue_runs, catalogue_runs.c.plan_id == catalogue_plans.c.id)
    )


def _one(conn: Connection, query: Select[Any], named: str) -> Row[Any]:
    row = conn.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"no catalogue or plan {named}")
    return row


def _live(row: Any, files: tuple[StoredRendition, ...]) -> LiveSlot:
    return LiveSlot(
        key=row.key,
        view=row.view,
        run=row.run,
        asset_id=row.asset_id,
        item_id=row.item_id,
        released_at=row.released_at,
        custom_id=row.custom_id,
        row=row.row,
        variant=row.variant,
        carried=tuple(row.carried),
        file_suffix=row.file_suffix,
        columns=tuple(row.carried_columns),
        templates=row.file_templates,
        files=files,
    )

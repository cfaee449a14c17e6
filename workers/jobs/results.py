"""Results of a request: each item with the cells of its row, what became of it, and its files, page by page.

In the order of the spreadsheet, keyset pages on the item's id, so that a reader who lost the connection goes on after
the last item it saw. Every query is confined to one tenant. No transaction is open between two pages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, Row, func, select, text

from policy.marks.renditions import MASK, THUMBNAIL
from workers.jobs.asset_views import files_of
from workers.jobs.control.reuse import is_of_item
from workers.jobs.control.usage import cost_of
from workers.jobs.tables import assets, batches, items, renditions
from workers.jobs.types import StoredRendition
from workers.states import AssetState

PAGE = 500  # items of one transaction
_REASONS = text(
    """
    SELECT state, code, coalesce(worst ->> 'category', ''), coalesce(worst ->> 'rule', ''), count(*)
    FROM (
      SELECT state, coalesce(reason, '') AS code,
             jsonb_path_query_first(
               verdict, '$.findings[*] ? (@.decision == "hold" || @.decision == "refuse")') AS worst
      FROM items
      WHERE tenant = :tenant AND request_id = :request_id AND state IN ('held', 'refused', 'failed')
    ) AS told
    GROUP BY 1, 2, 3, 4
    ORDER BY 5 DESC, 1, 2, 3, 4
    LIMIT :most
    """
)


@dataclass(frozen=True, slots=True)
class Result:
    """One item and what became of it. `files` is empty unless it is released and not recalled."""

    id: str
    row: int
    custom_id: str
    variant: int
    seed: int
    revised_prompt: str | None  # what is sampled, where policy rewrote a text
    state: str
    reason: str | None
    verdict: Mapping[str, Any] | None
    carried: tuple[str, ...]
    file_suffix: str
    created_at: datetime
    settled_at: datetime | None
    attempts: int | None
    gpu_seconds: float | None
    cost: float | None
    currency: str | None
    asset_id: str | None
    released_at: datetime | None
    provenance: Mapping[str, Any] | None
    files: tuple[StoredRendition, ...]


@dataclass(frozen=True, slots=True)
class ResultFilter:
    """Which results of a request: states, behind which item, files. Empty: all; of files, all but masks."""

    request_id: str
    states: tuple[str, ...] = ()
    after: str | None = None
    files: tuple[str, ...] = ()
    sample: bool = False  # of the pilot only


class Begin(Protocol):
    """Lends a transaction confined to the tenant, for the time of a page."""

    def __call__(self) -> AbstractContextManager[Connection]: ...


def results(begin: Begin, tenant: str, wanted: ResultFilter, *, page: int = PAGE) -> Iterator[list[Result]]:
    """Pages of results. An item that settles behind the reader is as it was when its page was read."""
    after = wanted.after
    while True:
        with begin() as conn:
            found = results_page(conn, tenant, wanted, after=after, limit=page)
        if found:
            yield found
            after = found[-1].id
        if len(found) < page:
            return


def results_page(conn: Connection, tenant: str, wanted: ResultFilter, *, after: str | None, limit: int) -> list[Result]:
    query = (
        select(
            items,
            batches.c.attempt,
            assets.c.id.label("asset_id"),
            assets.c.state.label("asset_state"),
            assets.c.released_at,
            assets.c.provenance,
        )
        .outerjoin(batches, batches.c.id == items.c.batch_id)
        .outerjoin(assets, is_of_item())
        .where(items.c.tenant == tenant, items.c.request_id == wanted.request_id)
        .order_by(items.c.id)
        .limit(limit)
    )
    if wanted.states:
        query = query.where(items.c.state.in_(wanted.states))
    if wanted.sample:
        query = query.where(items.c.sample)
    if after is not None:
        query = query.where(items.c.id > after)
    rows = conn.execute(query).all()
    public = [row.asset_id for row in rows if row.asset_state == AssetState.RELEASED]
    files = files_of(conn, tenant, public) if public else {}
    return [_result(row, tuple(f for f in files.get(row.asset_id, ()) if _is_wanted(f.name, wanted))) for row in rows]


def _is_wanted(name: str, wanted: ResultFilter) -> bool:
    """A mask is among the results where it is asked for by name."""
    return name in wanted.files if wanted.files else name != MASK


def bytes_of(conn: Connection, tenant: str, wanted: ResultFilter) -> int:
    """The bytes of all files that these results hold."""
    query = (
        select(func.coalesce(func.sum(renditions.c.bytes), 0))
        .join(assets, (assets.c.id == renditions.c.asset_id) & (assets.c.tenant == renditions.c.tenant))
        .join(items, is_of_item())
        .where(assets.c.tenant == tenant, items.c.request_id == wanted.request_id)
        .where(assets.c.state == AssetState.RELEASED)
    )
    if wanted.states:
        query = query.where(items.c.state.in_(wanted.states))
    if wanted.sample:
        query = query.where(items.c.sample)
    if wanted.after is not None:
        query = query.where(items.c.id > wanted.after)
    of_files = renditions.c.name.in_(wanted.files) if wanted.files else renditions.c.name.not_in((MASK, THUMBNAIL))
    query = query.where(of_files)
    return int(conn.execute(query).scalar_one())


@dataclass(frozen=True, slots=True)
class Reason:
    """Why items are not released, and how many of them. Empty words where a state has no such word."""

    state: str
    code: str
    category: str
    rule: str
    items: int


def reasons(conn: Connection, tenant: str, request_id: str, *, most: int = 50) -> list[Reason]:
    """The reasons of held, refused and failed items, the most frequent first."""
    return [Reason(*row) for row in conn.execute(_REASONS, {"tenant": tenant, "request_id": request_id, "most": most})]


def _result(row: Row[Any], files: tuple[StoredRendition, ...]) -> Result:
    return Result(
        id=row.id,
        row=row.row,
        custom_id=row.custom_id,
        variant=row.variant,
        seed=row.seed,
        revised_prompt=row.prompt if row.rewrites else None,
        state=row.state,
        reason=row.reason,
        verdict=row.verdict,
        carried=tuple(row.carried),
        file_suffix=row.file_suffix,
        created_at=row.created_at,
        settled_at=row.settled_at,
        attempts=row.attempt,
        gpu_seconds=None if row.gpu_seconds is None else float(row.gpu_seconds),
        cost=cost_of(row),
        currency=row.currency,
        asset_id=row.asset_id,
        released_at=row.released_at,
        provenance=row.provenance,
        files=files,
    )

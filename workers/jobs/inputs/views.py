"""Inputs as their tenant reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from workers.errors import NotFound
from workers.jobs.inputs.tables import inputs, item_inputs
from workers.states import INPUT_OPEN


@dataclass(frozen=True, slots=True)
class InputView:
    """An input, and how many items were asked of it."""

    id: str
    state: str
    origin: str
    name: str
    consent: str
    sent_sha256: str | None
    sent_bytes: int | None
    sha256: str | None
    media_type: str | None
    width: int | None
    height: int | None
    transparent: bool | None
    marks: Mapping[str, Any] | None
    verdict: Mapping[str, Any] | None
    reason: str | None
    detail: str
    created_at: datetime
    settled_at: datetime | None
    withdrawn_at: datetime | None
    items: int


def get_input(conn: Connection, tenant: str, id: str) -> InputView:
    """Raises NotFound; also for another tenant's."""
    row = conn.execute(_shown().where(inputs.c.id == id, inputs.c.tenant == tenant)).one_or_none()
    if row is None:
        raise NotFound(f"no input {id}")
    return _view(row)


def list_inputs(conn: Connection, tenant: str, *, limit: int, before: str | None, state: str | None) -> list[InputView]:
    """Newest first."""
    query = _shown().where(inputs.c.tenant == tenant).order_by(inputs.c.id.desc()).limit(limit)
    if before:
        query = query.where(inputs.c.id < before)
    if state:
        query = query.where(inputs.c.state == state)
    return [_view(row) for row in conn.execute(query)]


def settled_inputs(conn: Connection, tenant: str, ids: Sequence[str]) -> set[str]:
    """Of these ids, those with nothing left to wait for: looked at, or no input of the tenant (any more)."""
    waiting = inputs.c.tenant == tenant, inputs.c.id.in_(ids), inputs.c.state.in_(INPUT_OPEN)
    return set(ids) - {str(id) for id in conn.scalars(select(inputs.c.id).where(*waiting))}


def _shown() -> Any:
    used = select(func.count()).where(item_inputs.c.input_id == inputs.c.id).scalar_subquery()
    return select(inputs, used.label("items"))


def _view(row: Row[Any]) -> InputView:
    return InputView(**{name: getattr(row, name) for name in InputView.__dataclass_fields__})

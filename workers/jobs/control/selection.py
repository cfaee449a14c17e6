"""Selection of items of a request: by state, rows, ids, variants, channels, cells. Every criterion given must hold."""

from __future__ import annotations

from dataclasses import dataclass, fields

from sqlalchemy import ColumnElement, Select, Text, cast, exists, func, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, JSONPATH

from workers.jobs.tables import items, requests


@dataclass(frozen=True, slots=True)
class ItemSelection:
    """Empty criteria select everything. `rows` are first and last, both included, 1-based."""

    states: tuple[str, ...] = ()
    rows: tuple[tuple[int, int], ...] = ()
    custom_ids: tuple[str, ...] = ()
    variants: tuple[int, ...] = ()
    channels: tuple[str, ...] = ()  # files that are made of an image: channels and renditions, by name
    cells: tuple[tuple[str, tuple[str, ...]], ...] = ()  # column of the spreadsheet, and the values meant

    @property
    def criteria(self) -> tuple[str, ...]:
        """Their names: what may be written down of a selection."""
        return tuple(field.name for field in fields(self) if getattr(self, field.name))

    def of(self, request_id: str, tenant: str) -> Select[tuple[str]]:
        """Ids of the items that it means."""
        wanted: list[ColumnElement[bool]] = [items.c.request_id == request_id, items.c.tenant == tenant]
        if self.states:
            wanted.append(items.c.state.in_(self.states))
        if self.rows:
            wanted.append(or_(*(items.c.row.between(first, last) for first, last in self.rows)))
        if self.custom_ids:
            wanted.append(items.c.custom_id.in_(self.custom_ids))
        if self.variants:
            wanted.append(items.c.variant.in_(self.variants))
        if self.channels:
            named = cast(list(self.channels), ARRAY(Text))
            made = func.coalesce(items.c.renditions, requests.c.renditions).overlap(named)
            further = (
                func.jsonb_path_query_array(requests.c.channels, cast("$[*].name", JSONPATH)).cast(JSONB).has_any(named)
            )
            wanted.append(exists().where(requests.c.id == request_id, or_(made, further)).correlate(items))
        for column, values in self.cells:
            of_request = select(func.array_position(requests.c.carried_columns, column))
            position = of_request.where(requests.c.id == request_id).scalar_subquery()
            wanted.append(items.c.carried[position].in_(values))
        return select(items.c.id).where(*wanted)

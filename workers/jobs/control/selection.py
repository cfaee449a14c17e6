"""Selection of items of a request: by state, rows, ids, variants. Every criterion given must hold."""

from __future__ import annotations

from dataclasses import dataclass, fields

from sqlalchemy import ColumnElement, Select, or_, select

from workers.jobs.tables import items


@dataclass(frozen=True, slots=True)
class ItemSelection:
    """Empty criteria select everything. `rows` are first and last, both included, 1-based."""

    states: tuple[str, ...] = ()
    rows: tuple[tuple[int, int], ...] = ()
    custom_ids: tuple[str, ...] = ()
    variants: tuple[int, ...] = ()

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
        return select(items.c.id).where(*wanted)

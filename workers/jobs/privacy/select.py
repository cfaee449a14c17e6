"""Selection for erasure: which items, requests, events, replies and checks an order means, as the tables are now.

The same selects count for a preview and choose what the clerk erases. They name no text: what was searched for goes
into the query as a value, is compared without regard to case, and is kept nowhere but in the order, until it was found.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, Text, and_, cast, exists, func, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, UUID

from policy.ledger.tables import entries, private
from workers.jobs.privacy import legal_holds
from workers.jobs.privacy.tables import legal_holds as holds_table
from workers.jobs.tables import assets, holds, idempotency_keys, items, requests
from workers.jobs.uploads.tables import campaign_checks
from workers.states import ITEM_OPEN, ItemState

CLERK = "clerk"  # who acts in the events of what is erased
UNSETTLED = (*ITEM_OPEN, ItemState.HELD)  # still need their prompt: to be made, or to be reviewed
NOUNS = ("item", "asset", "request", "key", "tenant", "text")
LOOSE_KINDS = ("recall.ordered", "hold.placed")  # events with private text that are of no item and no request
_SHOWN = 20  # ids of a kind that a preview names


@dataclass(frozen=True, slots=True)
class ErasureScope:
    """What is to be erased: `noun` is one of NOUNS, `value` the id, or the text to look for; a tenant needs none."""

    noun: str
    value: str = ""

    def to_json(self) -> dict[str, Any]:
        """What may be written down of it."""
        return {self.noun: True if self.noun in ("tenant", "text") else self.value}


class Targets(NamedTuple):
    """Selects of one column each: ids, or idempotency keys."""

    items: Select[Any]
    requests: Select[Any]
    events: Select[Any]  # of no item and no request
    replies: Select[Any]
    pictures: Select[Any]  # items whose picture is in quarantine or recalled


@dataclass(frozen=True, slots=True)
class ErasureCounts:
    """What an order would erase, in counts, and what stands in its way."""

    items: int
    requests: int
    events: int
    replies: int
    pictures: int
    ledger_texts: int
    checks: int  # of large campaigns, with what they found
    unsettled_items: int
    open_checks: int  # whose file may become a request with that text
    legal_holds: tuple[str, ...]
    item_ids: tuple[str, ...]  # the first of them
    request_ids: tuple[str, ...]

    @property
    def nothing(self) -> bool:
        return not (self.items or self.requests or self.events or self.replies or self.checks or self.open_checks)


def targets(tenant: str, scope: ErasureScope, before: datetime | ColumnElement[datetime]) -> Targets:
    """Everything in the scope that was there at the moment `before`."""
    wanted_items, wanted_requests, events = _wanted(tenant, scope, before)
    of_items = select(items.c.id).where(items.c.tenant == tenant, items.c.created_at <= before, wanted_items)
    of_requests = select(requests.c.id).where(
        requests.c.tenant == tenant, requests.c.created_at <= before, wanted_requests
    )
    involved = select(items.c.request_id).where(items.c.id.in_(of_items)).union(of_requests)
    replies = select(idempotency_keys.c.key).where(
        idempotency_keys.c.tenant == tenant,
        idempotency_keys.c.erased_at.is_(None),
        idempotency_keys.c.created_at <= before,
        or_(
            idempotency_keys.c.body["id"].astext.in_(select(cast(involved.subquery().c[0], Text))),
            _in_json(idempotency_keys.c.body, scope.value) if scope.noun == "text" else literal(scope.noun == "tenant"),
        ),
    )
    pictured = or_(items.c.state == ItemState.RECALLED, items.c.id.in_(select(holds.c.item_id)))
    return Targets(of_items, of_requests, events, replies, of_items.where(pictured))


def preview(conn: Connection, tenant: str, scope: ErasureScope) -> ErasureCounts:
    """Counts on one snapshot each. Needs SELECT on the ledger: the auditor's or the clerk's login."""
    found = targets(tenant, scope, func.statement_timestamp())

    def count(query: Select[Any]) -> int:
        return int(conn.execute(select(func.count()).select_from(query.subquery())).scalar_one())

    def first(query: Select[Any]) -> tuple[str, ...]:
        return tuple(conn.scalars(query.order_by(query.selected_columns[0]).limit(_SHOWN)))

    return ErasureCounts(
        items=count(found.items),
        requests=count(found.requests),
        events=count(found.events),
        replies=count(found.replies),
        pictures=count(found.pictures),
        ledger_texts=count(_ledger_texts(tenant, scope, found)),
        checks=count(ended_checks(tenant, scope, func.statement_timestamp())),
        unsettled_items=count(found.items.where(items.c.state.in_(UNSETTLED))),
        open_checks=count(_open_checks(tenant, scope)),
        legal_holds=legal_holds.covering(conn, found.items, found.requests, found.events),
        item_ids=first(found.items),
        request_ids=first(found.requests),
    )


def ended_checks(tenant: str, scope: ErasureScope, before: datetime | ColumnElement[datetime]) -> Select[Any]:
    """Ids of checks of large campaigns that are over: what they found quotes cells. That of a request on hold stays."""
    table = campaign_checks.c
    wanted = _of_scope(scope)
    if scope.noun == "text":
        said = (_in_json(found, scope.value) for found in (table.reply, table.problem))
        wanted = or_(_in(table.name, scope.value), *said)
    held = exists(select(requests.c.id).where(requests.c.id == table.id, legal_holds.on_request()))
    return select(table.id).where(table.tenant == tenant, table.ended_at <= before, wanted, ~held)


def _open_checks(tenant: str, scope: ErasureScope) -> Select[Any]:
    """Ids of those that wait or run. What their files say is not known yet, so any of them may hold a text."""
    table = campaign_checks.c
    wanted = literal(True) if scope.noun == "text" else _of_scope(scope)
    return select(table.id).where(table.tenant == tenant, table.ended_at.is_(None), wanted)


def _of_scope(scope: ErasureScope) -> ColumnElement[bool]:
    """A condition on checks."""
    match scope.noun:
        case "tenant":
            return literal(True)
        case "key":
            return campaign_checks.c.key_id == scope.value
        case "request":
            return campaign_checks.c.id == scope.value
        case _:
            return literal(False)


def _ledger_texts(tenant: str, scope: ErasureScope, found: Targets) -> Select[Any]:
    if scope.noun == "tenant":
        return _of_tenant(tenant)
    subjects = (
        select(literal("item:") + cast(found.items.subquery().c[0], Text))
        .union_all(select(literal("request:") + cast(found.requests.subquery().c[0], Text)))
        .scalar_subquery()
    )
    named = entries.c.subjects.op("&&", is_comparison=True)(func.array(subjects, type_=ARRAY(Text)))
    of_request = or_(entries.c.kind.startswith("request."), entries.c.kind.startswith("item."))
    return _of_tenant(tenant).where(or_(and_(named, of_request), entries.c.event_id.in_(found.events)))


def _of_tenant(tenant: str) -> Select[Any]:
    """Private texts of a tenant, with the events they belong to."""
    return (
        select(private.c.event_id, private.c.field)
        .join(entries, entries.c.event_id == private.c.event_id)
        .where(entries.c.tenant == tenant)
    )


def _wanted(
    tenant: str, scope: ErasureScope, before: datetime | ColumnElement[datetime]
) -> tuple[ColumnElement[bool], ColumnElement[bool], Select[Any]]:
    """Conditions on items and on requests, and a select of loose events."""
    nothing = literal(False)
    loose = _loose(tenant, before)
    match scope.noun:
        case "tenant":
            return literal(True), literal(True), loose
        case "request":
            return items.c.request_id == scope.value, requests.c.id == scope.value, loose.where(nothing)
        case "key":
            made = select(requests.c.id).where(requests.c.tenant == tenant, requests.c.key_id == scope.value)
            return items.c.request_id.in_(made), requests.c.key_id == scope.value, loose.where(nothing)
        case "item" | "asset":
            own = select(literal(scope.value, UUID(as_uuid=False)))
            if scope.noun == "asset":
                own = select(assets.c.item_id).where(assets.c.id == scope.value, assets.c.tenant == tenant)
            # the template of a single request is the prompt itself
            single = exists(select(items.c.id).where(items.c.request_id == requests.c.id, items.c.id.in_(own)))
            return items.c.id.in_(own), and_(requests.c.kind == "single", single), loose.where(nothing)
        case "text":
            return _holding_text(tenant, scope.value, before, loose)
        case _:
            raise ValueError(f"nothing is erased by {scope.noun}")


def _holding_text(
    tenant: str, sought: str, before: datetime | ColumnElement[datetime], loose: Select[Any]
) -> tuple[ColumnElement[bool], ColumnElement[bool], Select[Any]]:
    said = (
        select(func.unnest(entries.c.subjects).label("subject"))
        .join(private, private.c.event_id == entries.c.event_id)
        .where(entries.c.tenant == tenant, entries.c.recorded_at <= before, _in(private.c.value, sought))
        .subquery()
    )
    told_items = select(func.replace(said.c.subject, "item:", "")).where(said.c.subject.startswith("item:"))
    told_requests = (
        select(func.replace(entries.c.subjects[1], "request:", ""))
        .join(private, private.c.event_id == entries.c.event_id)
        .where(entries.c.tenant == tenant, entries.c.kind.startswith("request."), _in(private.c.value, sought))
    )
    in_items = or_(
        *(_in(column, sought) for column in (items.c.prompt, items.c.negative_prompt, items.c.custom_id)),
        _in(func.array_to_string(items.c.carried, "\n"), sought),
        cast(items.c.id, Text).in_(told_items),
    )
    in_requests = or_(
        _in(requests.c.name, sought),
        _in(requests.c.template, sought),
        _in_json(requests.c.metadata, sought),
        _in_json(requests.c.file_templates, sought),
        _in(func.array_to_string(requests.c.carried_columns, "\n"), sought),
        cast(requests.c.id, Text).in_(told_requests),
    )
    return in_items, in_requests, loose.where(exists(_private_of_entry().where(_in(private.c.value, sought))))


def _loose(tenant: str, before: datetime | ColumnElement[datetime]) -> Select[Any]:
    """Events with private text that are of no item and no request; of a legal hold only when it was lifted."""
    active = select(func.concat("hold:", holds_table.c.id)).where(holds_table.c.lifted_at.is_(None))
    return select(entries.c.event_id).where(
        entries.c.tenant == tenant,
        entries.c.recorded_at <= before,
        entries.c.kind.in_(LOOSE_KINDS),
        exists(_private_of_entry()),
        ~entries.c.subjects.op("&&", is_comparison=True)(func.array(active.scalar_subquery(), type_=ARRAY(Text))),
    )


def _private_of_entry() -> Select[Any]:
    return select(private.c.field).where(private.c.event_id == entries.c.event_id)


def _in(column: ColumnElement[str], sought: str) -> ColumnElement[bool]:
    return column.icontains(sought, autoescape=True)


def _in_json(column: ColumnElement[Any], sought: str) -> ColumnElement[bool]:
    """As it is spelled inside a JSON string."""
    return _in(cast(column, Text), json.dumps(sought, ensure_ascii=False)[1:-1])

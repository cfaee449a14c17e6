"""Retention periods: each class of private text and of leftover objects has one, after which it is erased.

A sweep erases a few hundred rows of one class and one tenant in one transaction, with the event that says so. What a
legal hold covers stays, and is found again when the hold is lifted. Killed anywhere, the rows that are left are still
due. A period of 0 days keeps for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, Text, cast, func, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, insert

from policy.ledger.erase import Why
from policy.ledger.tables import entries, private
from workers.jobs.privacy import legal_holds
from workers.jobs.privacy.erase import (
    erase_comments,
    erase_events,
    erase_items,
    erase_replies,
    erase_requests,
    unsettled_request,
)
from workers.jobs.privacy.select import LOOSE_KINDS, UNSETTLED
from workers.jobs.privacy.tables import legal_holds as holds_table
from workers.jobs.privacy.tables import sweeps
from workers.jobs.tables import idempotency_keys, items, requests
from workers.jobs.types import new_id

BASIS = "retention"
STEP = 200  # rows of one transaction: what a hold that is being placed waits for
TEXTS = "texts"  # the sweep that looks through the database
Erase = Callable[[Connection, list[str], str, Why], Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class RetentionClass:
    """What is kept how long, counted from when; `why` is the reason for the default."""

    name: str  # the setting is retention_<name>_days
    what: str
    since: str
    why: str
    place: str = ""  # of the bucket; none: rows of the database, and what they name

    @property
    def setting(self) -> str:
        return f"retention_{self.name}_days"


CLASSES = (
    RetentionClass(
        "prompt",
        "prompts and negative prompts",
        "the item's settlement",
        "what an image was made from is what an auditor asks first, and what the time machine replays",
    ),
    RetentionClass(
        "template",
        "name, template and metadata of requests",
        "the request, once all its items are settled",
        "as with prompts",
    ),
    RetentionClass(
        "comment",
        "comments of reviewers, reasons of recalls and of lifted legal holds",
        "the moment they were written",
        "why a person decided is evidence of oversight",
    ),
    RetentionClass(
        "reply",
        "stored replies to requests with an Idempotency-Key",
        "the request",
        "clients retry within days; the key stays taken, so nothing is made twice",
    ),
    RetentionClass(
        "quarantine",
        "pictures left in quarantine: of dead attempts, and refused ones that a legal hold kept",
        "the review that decided",
        "a decision may be disputed for a while; undecided pictures stay, others go with the review",
        place="quarantine",
    ),
    RetentionClass(
        "leftover",
        "objects under released/ that no rendition refers to",
        "the item's settlement, and the object's own age",
        "left by attempts that died; nothing ever linked to them",
        place="released",
    ),
    RetentionClass(
        "recalled",
        "objects of recalled assets",
        "the move to recalled/",
        "a recall may end in a dispute in which the picture is evidence",
        place="recalled",
    ),
    RetentionClass(
        "drawing",
        "kept drawings: pixels of images without marks, of which other files are made",
        "the last time that a file was made of it",
        "a channel is changed within weeks; the drawing is nearly all that a second GPU run would bring",
        place="drawings",
    ),
    RetentionClass(
        "input",
        "inputs, pictures that tenants sent in",
        "the last request that named it",
        "the source of an edit is evidence for as long as the edit may be disputed",
    ),
)
COUNTED = ("prompt", "template", "comment", "reply")  # rows of texts; the clerk counts objects when it sweeps
BY_PLACE = {known.place: known for known in CLASSES if known.place}


class Swept(NamedTuple):
    """What one step of a sweep erased."""

    retention_class: str
    tenant: str
    erased: Mapping[str, int]


def sweep_texts(conn: Connection, days: Mapping[str, int]) -> Swept | None:
    """Erase one step's worth of the first class of which anything is due; None if nothing is. Days by class."""
    for name, erase in _ERASE.items():
        if not days.get(name):
            continue
        tenant = conn.scalar(_due(name, days[name], _tenant_of(name)).limit(1))
        if tenant is None:
            continue
        legal_holds.keep_holds_out(conn, tenant)  # asked again below: now no hold can come in between
        of_tenant = _due(name, days[name], _id_of(name)).where(_tenant_of(name) == tenant)
        ids = list(conn.scalars(of_tenant.limit(STEP)))
        erased = erase(conn, ids, tenant, Why(new_id(), BASIS, name)) if ids else {}
        if any(erased.values()):
            return Swept(name, tenant, erased)
    return None


def count_due(conn: Connection, name: str, days: int) -> int:
    """How much text of a class is due now and under no hold."""
    return int(conn.execute(select(func.count()).select_from(_due(name, days, _id_of(name)).subquery())).scalar_one())


def cutoff(conn: Connection, days: int) -> datetime:
    """The moment before which things of a class are over, by the database's clock."""
    at: datetime = conn.execute(select(func.clock_timestamp())).scalar_one()
    return at - timedelta(days=days)


def cursor(conn: Connection, place: str, rest: timedelta) -> str | None:
    """After which key a sweep goes on; None while it rests after its last end."""
    rested = sweeps.c.rested_at > func.clock_timestamp() - rest
    row = conn.execute(select(sweeps.c.after, func.coalesce(rested, False)).where(sweeps.c.place == place)).first()
    if row is None:
        return ""
    return None if row[1] else str(row[0])


def advance(conn: Connection, place: str, after: str, *, ended: bool) -> None:
    """Go on after this key, or, at the end, rest and begin again."""
    values = {"after": "" if ended else after, "rested_at": func.clock_timestamp() if ended else None}
    statement = insert(sweeps).values(place=place, **values)
    conn.execute(statement.on_conflict_do_update(index_elements=[sweeps.c.place], set_=values))


def _items(conn: Connection, ids: list[str], tenant: str, why: Why) -> Mapping[str, int]:
    return erase_items(conn, ids, tenant=tenant, why=why, comments=False)


def _requests(conn: Connection, ids: list[str], tenant: str, why: Why) -> Mapping[str, int]:
    return erase_requests(conn, ids, tenant=tenant, why=why)


def _comments(conn: Connection, ids: list[str], tenant: str, why: Why) -> Mapping[str, int]:
    reviewed = erase_comments(conn, ids, tenant=tenant, why=why)
    reasons = erase_events(conn, ids, tenant=tenant, why=why)
    return {**reasons, **reviewed, "texts": reviewed["texts"] + reasons["texts"]}


def _replies(conn: Connection, ids: list[str], tenant: str, why: Why) -> Mapping[str, int]:
    return erase_replies(conn, ids, tenant=tenant, why=why)


_ERASE: Mapping[str, Erase] = {"prompt": _items, "template": _requests, "comment": _comments, "reply": _replies}
_COLUMNS: Mapping[str, tuple[ColumnElement[Any], ColumnElement[str]]] = {
    "prompt": (items.c.id, items.c.tenant),
    "template": (requests.c.id, requests.c.tenant),
    "comment": (entries.c.event_id, entries.c.tenant),
    "reply": (idempotency_keys.c.key, idempotency_keys.c.tenant),
}


def _id_of(name: str) -> ColumnElement[Any]:
    return _COLUMNS[name][0]


def _tenant_of(name: str) -> ColumnElement[str]:
    return _COLUMNS[name][1]


def _due(name: str, days: int, column: ColumnElement[Any]) -> Select[Any]:
    """A column of what is older than the period, still there, no longer needed and under no hold."""
    before = func.clock_timestamp() - timedelta(days=days)
    match name:
        case "prompt":
            return select(column).where(
                items.c.erased_at.is_(None),
                items.c.settled_at < before,
                items.c.state.not_in(UNSETTLED),
                ~legal_holds.on_item(),
            )
        case "template":
            return select(column).where(
                requests.c.erased_at.is_(None),
                requests.c.created_at < before,
                ~unsettled_request(),
                ~legal_holds.on_request(),
            )
        case "reply":
            return select(column).where(
                idempotency_keys.c.erased_at.is_(None),
                idempotency_keys.c.created_at < before,
                ~legal_holds.on_reply(),
            )
        case _:
            return _due_comments(column, before)


def _due_comments(column: ColumnElement[Any], before: ColumnElement[datetime]) -> Select[Any]:
    naming = entries.c.subjects.op("&&", is_comparison=True)
    active = select(func.concat("hold:", holds_table.c.id)).where(holds_table.c.lifted_at.is_(None))
    still_held = naming(func.array(active.scalar_subquery(), type_=ARRAY(Text)))
    about = items.c.id == cast(func.audit.subject(entries.c.subjects, "item"), items.c.id.type)
    needed = select(items.c.id).where(about, or_(legal_holds.on_item(), items.c.state.in_(UNSETTLED)))
    return select(column).where(
        entries.c.kind.in_(("item.reviewed", *LOOSE_KINDS)),
        entries.c.recorded_at < before,
        select(private.c.field).where(private.c.event_id == entries.c.event_id).correlate(entries).exists(),
        ~needed.correlate(entries).exists(),
        or_(entries.c.kind == "item.reviewed", ~legal_holds.on_entry()),
        ~still_held,
    )

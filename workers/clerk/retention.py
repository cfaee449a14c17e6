"""Retention, carried out: texts and objects whose period is over are erased, a bounded step at a time.

Texts: one class and one tenant a transaction, with the event. Objects: one page of a listing; those whose time is over
are given up with an event each, and the duty `removals` deletes them. How far the listing came is a row, so a clerk
that is killed, or another one, goes on there; a page that was looked at twice gives up nothing twice. A sweep that
came to its end rests for PRESSWORK_RETENTION_REST_SECONDS.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

import structlog
from sqlalchemy import Connection

from policy.ledger.erase import Why
from workers import metrics
from workers.clerk.context import ClerkContext
from workers.jobs.privacy import drawings, legal_holds, objects, retention
from workers.jobs.privacy.retention import BASIS, BY_PLACE, CLASSES, TEXTS
from workers.jobs.types import new_id
from workers.store import DRAWINGS, RELEASED, StoredObject

log = structlog.get_logger()
_PAGE = 500  # keys of one look


def run_once(context: ClerkContext) -> int:
    """One step of each sweep that does not rest; how many things were erased or given up."""
    days = {known.name: int(getattr(context.settings, known.setting)) for known in CLASSES}
    rest = timedelta(seconds=context.settings.retention_rest_seconds)
    done = _texts(context, days, rest)
    for place, known in BY_PLACE.items():
        if days[known.name]:
            done += _objects(context, place, days[known.name], rest)
    return done


def _texts(context: ClerkContext, days: dict[str, int], rest: timedelta) -> int:
    with context.engine.begin() as conn:
        if retention.cursor(conn, TEXTS, rest) is None:
            return 0
        swept = retention.sweep_texts(conn, days)
        retention.advance(conn, TEXTS, "", ended=swept is None)
        if swept is not None:
            context.probe("erasing", None)
    if swept is None:
        return 0
    context.probe("erased", None)
    for place, count in swept.erased.items():
        metrics.ERASED.labels(BASIS, place).inc(count)
    log.info("retention_step", retention_class=swept.retention_class, **swept.erased)
    return sum(swept.erased.values())


def _objects(context: ClerkContext, place: str, days: int, rest: timedelta) -> int:
    with context.engine.begin() as conn:
        after = retention.cursor(conn, place, rest)
        before = retention.cutoff(conn, days)
    if after is None:
        return 0
    page = list(islice(context.store.list(f"{place}/", after=after, page_size=_PAGE), _PAGE))
    with context.engine.begin() as conn:
        given_up = _give_up(conn, place, page, before)
        retention.advance(conn, place, page[-1].key if page else "", ended=len(page) < _PAGE)
    if given_up:
        context.probe("given_up", None)
        log.info("objects_given_up", place=place, objects=given_up)
    return given_up


def _give_up(conn: Connection, place: str, page: list[StoredObject], before: datetime) -> int:
    """Those of a page that are old, belong to an item that is done with them, and lie under no hold."""
    old: dict[str, dict[str, str]] = defaultdict(dict)  # tenant -> key -> item
    for stored in page:
        owner = _owner(stored.key)
        if owner and stored.modified_at < before:
            tenant, item_id = owner
            old[tenant][stored.key] = item_id
    given_up = 0
    why = Why(new_id(), BASIS, BY_PLACE[place].name)
    for tenant, keys in sorted(old.items()):
        legal_holds.keep_holds_out(conn, tenant)
        if place == DRAWINGS:
            due = drawings.over(conn, tenant, keys, before)
            given_up += objects.give_up(conn, {key: keys[key] for key in due}, tenant=tenant, why=why)
            continue
        over = objects.over(conn, place, tenant, set(keys.values()), before)
        wanted = set() if place != RELEASED else set(keys) - objects.unlinked(conn, keys)
        found: dict[str, str | None] = {
            key: item_id for key, item_id in keys.items() if item_id in over and key not in wanted
        }
        given_up += objects.give_up(conn, found, tenant=tenant, why=why)
    return given_up


def _owner(key: str) -> tuple[str, str] | None:
    """(tenant, item) of <place>/<tenant>/<item>/...; None for another shape, which is left alone."""
    parts = key.split("/")
    if len(parts) < 4:
        return None
    try:
        return parts[1], str(UUID(parts[2]))
    except ValueError:
        return None

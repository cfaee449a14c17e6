"""Carry out orders to erase: texts first, in steps of one transaction; pictures as soon as they are found in the store.

    list      one transaction: what the order means is written down, and what it searched for is forgotten
    erase     a hundred things a transaction: ledger text, its copies, the event
    pictures  the item's objects are given up with an event; the duty `removals` deletes them
    finish    the list is empty and the store has deleted everything: one event

Killed inside a transaction: the step is done again. Killed after it: the list is shorter. What a legal hold covers
stays on the list, and the order waits.
"""

from __future__ import annotations

from collections.abc import Iterator

import structlog

from policy.ledger.erase import Why
from workers import metrics
from workers.clerk.context import ClerkDesk
from workers.jobs.privacy import legal_holds
from workers.jobs.privacy import objects as removals
from workers.jobs.privacy import orders as erasures
from workers.store import QUARANTINE, ObjectStore

log = structlog.get_logger()
_PICTURES = 50  # items of one turn
_PLACES = (QUARANTINE, "raw", "recalled")  # not released/: a picture that is public is recalled first


def turn(desk: ClerkDesk) -> int:
    """One step of the oldest order that does not wait, and of pictures; how many things moved on."""
    done = _give_up_pictures(desk)
    with desk.engine.begin() as conn:
        step = erasures.carry_out(conn)
        if step is not None and step.erased:
            desk.probe("erasing", None)
        metrics.OPEN_ERASURES.set(erasures.count_open(conn))
    if step is None:
        return done
    if step.erased:
        desk.probe("erased", None)
    for place, count in step.erased.items():
        metrics.ERASED.labels(erasures.REQUESTED, place).inc(count)
    log.info("erasure_step", erasure_id=step.erasure_id, finished=step.finished, **step.erased)
    return done + (not step.waits)


def _give_up_pictures(desk: ClerkDesk) -> int:
    with desk.engine.begin() as conn:
        waiting = removals.pictured(conn, _PICTURES)
    given_up = 0
    for chosen in waiting:
        keys = dict.fromkeys(_objects_of(desk.store, chosen), chosen.item_id)
        with desk.engine.begin() as conn:
            legal_holds.keep_holds_out(conn, chosen.tenant)
            if removals.strike(conn, chosen):
                why = Why(chosen.erasure_id, erasures.REQUESTED, erasures.REQUESTED)
                given_up += removals.give_up(conn, keys, tenant=chosen.tenant, why=why)
        desk.probe("given_up", None)
    return given_up


def _objects_of(store: ObjectStore, chosen: removals.Pictured) -> Iterator[str]:
    for place in _PLACES:
        for stored in store.list(f"{place}/{chosen.tenant}/{chosen.item_id}/"):
            yield stored.key

"""Erasure orders, carried out: texts first, one transaction a step; then the pictures, as they are found in the store.

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
from workers.clerk.context import ClerkContext
from workers.jobs.privacy import legal_holds, objects, orders
from workers.store import QUARANTINE, RECALLED, ObjectStore

log = structlog.get_logger()
_PICTURES = 50  # items of one round
_PLACES = (QUARANTINE, RECALLED)  # not released/: a picture that is public is recalled first


def run_once(context: ClerkContext) -> int:
    """One step of the oldest order that does not wait, and of pictures; how many things moved on."""
    done = _give_up_pictures(context)
    with context.engine.begin() as conn:
        step = orders.carry_out(conn)
        if step is not None and step.erased:
            context.probe("erasing", None)
        metrics.OPEN_ERASURES.set(orders.count_open(conn))
    if step is None:
        return done
    if step.erased:
        context.probe("erased", None)
    for place, count in step.erased.items():
        metrics.ERASED.labels(orders.REQUESTED, place).inc(count)
    log.info("erasure_step", erasure_id=step.erasure_id, finished=step.finished, **step.erased)
    return done + (not step.waits)


def _give_up_pictures(context: ClerkContext) -> int:
    with context.engine.begin() as conn:
        waiting = objects.pictured(conn, _PICTURES)
    given_up = 0
    for chosen in waiting:
        keys = dict.fromkeys(_objects_of(context.store, chosen), chosen.item_id)
        with context.engine.begin() as conn:
            legal_holds.keep_holds_out(conn, chosen.tenant)
            if objects.strike(conn, chosen):
                why = Why(chosen.erasure_id, orders.REQUESTED, orders.REQUESTED)
                given_up += objects.give_up(conn, keys, tenant=chosen.tenant, why=why)
        context.probe("given_up", None)
    return given_up


def _objects_of(store: ObjectStore, chosen: objects.Pictured) -> Iterator[str]:
    for place in _PLACES:
        for stored in store.list(f"{place}/{chosen.tenant}/{chosen.item_id}/"):
            yield stored.key

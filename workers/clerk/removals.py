"""Removal of objects that were given up. The event that says so was committed before.

Killed between the store's answer and the row: the next round deletes again, which changes nothing.
"""

from __future__ import annotations

from workers import metrics
from workers.clerk.context import ClerkContext
from workers.jobs.privacy import objects

_STEP = 100  # objects of one round


def run_once(context: ClerkContext) -> int:
    """How many objects the store deleted."""
    with context.engine.begin() as conn:
        keys = objects.given_up(conn, _STEP)
    for key in keys:
        context.store.delete(key)
    if keys:
        context.probe("deleted", None)
        with context.engine.begin() as conn:
            objects.removed(conn, keys)
        metrics.OBJECTS_REMOVED.inc(len(keys))
    return len(keys)
